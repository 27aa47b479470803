"""Whose portfolio it is, who is refused, how often somebody came; and the log beside them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from common.unit_of_work import Unit
from gateway.repository.log import EventLog
from gateway.repository.signals import SESSIONS_CHANNEL, notify
from gateway.tables import EVENT_LOG, LATEST, PORTFOLIOS, RATE_COUNTERS, REVOKED_SESSIONS


@dataclass(frozen=True)
class Owner:
    """Whose portfolio it is; a deleted one is remembered."""

    user_id: UUID
    deleted: bool


class Store:
    """The gateway's repository within one transaction."""

    def __init__(self, unit: Unit) -> None:
        self.log = EventLog(unit)
        self._unit = unit
        self._connection = unit.connection

    async def note_owner(self, portfolio_id: UUID, user_id: UUID, revision: int) -> None:
        """Remember whose portfolio it is; a tombstone stays one."""
        await self._connection.execute(
            upsert(PORTFOLIOS)
            .values(portfolio_id=portfolio_id, user_id=user_id, revision=revision)
            .on_conflict_do_update(
                index_elements=[PORTFOLIOS.c.portfolio_id],
                set_={"revision": func.greatest(PORTFOLIOS.c.revision, revision)},
                where=~PORTFOLIOS.c.deleted,
            )
        )

    async def bury(self, portfolio_id: UUID, user_id: UUID, revision: int) -> None:
        """Remember that a portfolio is gone, and forget where it stood."""
        await self._connection.execute(
            upsert(PORTFOLIOS)
            .values(portfolio_id=portfolio_id, user_id=user_id, revision=revision, deleted=True)
            .on_conflict_do_update(
                index_elements=[PORTFOLIOS.c.portfolio_id],
                set_={"revision": revision, "deleted": True},
            )
        )
        await self._connection.execute(delete(LATEST).where(LATEST.c.portfolio_id == portfolio_id))

    async def owners(self, portfolio_ids: Collection[UUID]) -> dict[UUID, Owner]:
        """Return whose portfolios these are, as far as this service was told."""
        # One parameter, however many an event names: a statement takes 32,767.
        named = literal([*portfolio_ids], ARRAY(Uuid))
        found = await self._connection.execute(
            select(PORTFOLIOS).where(PORTFOLIOS.c.portfolio_id == any_(named))
        )
        return {row.portfolio_id: Owner(row.user_id, row.deleted) for row in found}

    async def owner(self, portfolio_id: UUID) -> UUID | None:
        """Return whose portfolio it is; None for a deleted or unknown one."""
        known = (await self.owners([portfolio_id])).get(portfolio_id)
        return None if known is None or known.deleted else known.user_id

    async def revoke(self, session_id: UUID, expires_at: datetime) -> None:
        """Refuse a session's tokens from now on, at every replica."""
        await self._connection.execute(
            upsert(REVOKED_SESSIONS)
            .values(session_id=session_id, expires_at=expires_at)
            .on_conflict_do_nothing()
        )
        await notify(self._connection, SESSIONS_CHANNEL, [f"{session_id} {expires_at.timestamp()}"])

    async def revoked_sessions(self) -> dict[UUID, datetime]:
        """Return the sessions to refuse, and until when."""
        found = await self._connection.execute(
            select(REVOKED_SESSIONS).where(REVOKED_SESSIONS.c.expires_at > self._unit.now)
        )
        return {row.session_id: row.expires_at for row in found}

    async def count_hit(self, key: str, window_start: datetime) -> int:
        """Count a request of a key in a window; return how many there are by now."""
        counted = await self._connection.execute(
            upsert(RATE_COUNTERS)
            .values(key=key, window_start=window_start, hits=1)
            .on_conflict_do_update(
                index_elements=[RATE_COUNTERS.c.key, RATE_COUNTERS.c.window_start],
                set_={"hits": RATE_COUNTERS.c.hits + 1},
            )
            .returning(RATE_COUNTERS.c.hits)
        )
        return int(counted.scalar_one())

    async def forget(self, *, log_kept: timedelta, windows_kept: timedelta) -> int:
        """Delete what is past its time; return how many events of the log that was."""
        now = self._unit.now
        gone = await self._connection.execute(
            delete(EVENT_LOG).where(EVENT_LOG.c.recorded_at < now - log_kept)
        )
        await self._connection.execute(
            delete(REVOKED_SESSIONS).where(REVOKED_SESSIONS.c.expires_at <= now)
        )
        await self._connection.execute(
            delete(RATE_COUNTERS).where(RATE_COUNTERS.c.window_start < now - windows_kept)
        )
        return gone.rowcount

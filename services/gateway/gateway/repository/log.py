"""The event log: what each user is to see, in the order it was written down."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Row,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    column,
    exists,
    func,
    insert,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from common.telemetry import trace_id
from common.unit_of_work import Unit
from gateway.domain.news import Logged, News
from gateway.repository.signals import NEWS_CHANNEL
from gateway.tables import EVENT_LOG, LATEST, STREAMS

READ_AT_ONCE = 200
"""Events of one user in one read; a stream that is further behind reads again."""

Position = tuple[UUID, int]
"""A user, and the last `seq` that was seen of theirs."""


# Built once: they are asked at every (re)connection and every time somebody is told something, and
# building one takes longer than asking it.
_ASKED = (
    func.unnest(bindparam("users", type_=ARRAY(Uuid)), bindparam("seqs", type_=ARRAY(BigInteger)))
    .table_valued(column("user_id", Uuid), column("after", BigInteger))
    .render_derived("asked")
)
_NEWS = (
    select(EVENT_LOG)
    .where(EVENT_LOG.c.user_id == _ASKED.c.user_id, EVENT_LOG.c.seq > _ASKED.c.after)
    .order_by(EVENT_LOG.c.seq)
    .limit(READ_AT_ONCE)
    .lateral("news")
)
_AFTER = (
    select(_ASKED.c.after, *_NEWS.c)
    .select_from(_ASKED.join(_NEWS, true()))
    .order_by(_NEWS.c.user_id, _NEWS.c.seq)
)
_USER = bindparam("user_id", type_=Uuid)
_SEQ = bindparam("seq", type_=BigInteger)
_RESUMABLE = select(
    or_(
        exists().where(EVENT_LOG.c.user_id == _USER, EVENT_LOG.c.seq == _SEQ + 1),
        func.coalesce(
            select(STREAMS.c.last_seq).where(STREAMS.c.user_id == _USER).scalar_subquery(), 0
        )
        == _SEQ,
    ).label("resumable")
)
_PORTFOLIO = bindparam("portfolio_id", type_=Uuid)
# One statement sees one state: the events are exactly those up to `last_seq`.
_STANDING = (
    select(STREAMS.c.last_seq, LATEST)
    .join_from(
        STREAMS,
        LATEST,
        and_(
            LATEST.c.user_id == STREAMS.c.user_id,
            or_(_PORTFOLIO.is_(None), LATEST.c.portfolio_id == _PORTFOLIO),
        ),
        isouter=True,
    )
    .where(STREAMS.c.user_id == _USER)
    .order_by(LATEST.c.seq)
)


@dataclass(frozen=True)
class Standing:
    """Where a user's portfolios stand: the last event of each name, up to a point of the log."""

    seq: int
    events: Sequence[Logged]


class EventLog:
    """The log within one transaction."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._connection = unit.connection

    async def append(self, news: Sequence[tuple[UUID, News]]) -> None:
        """Add news to the logs of the users it is for; their streams are woken by the commit."""
        if not news:
            return
        next_seq = await self._take_seqs(Counter(user_id for user_id, _ in news))
        cause = self._unit.cause
        rows: list[dict[str, Any]] = []
        for user_id, item in news:
            rows.append(
                {
                    "user_id": user_id,
                    "seq": next_seq[user_id],
                    "run_id": cause.run_id,
                    "trace_id": trace_id(cause.traceparent),
                    "occurred_at": cause.occurred_at or self._unit.now,
                    **item.model_dump(),
                }
            )
            next_seq[user_id] += 1
        # Told by the statement that writes: of several equal notifications Postgres sends one.
        told = func.pg_notify(NEWS_CHANNEL, cast(EVENT_LOG.c.user_id, Text))
        await self._connection.execute(insert(EVENT_LOG).returning(told), rows)
        await self._keep_latest(rows)

    async def _take_seqs(self, wanted: Mapping[UUID, int]) -> dict[UUID, int]:
        # In one order everywhere, so that two appenders cannot wait for each other.
        rows = [{"user_id": user_id, "last_seq": wanted[user_id]} for user_id in sorted(wanted)]
        statement = upsert(STREAMS).values(rows)
        taken = await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[STREAMS.c.user_id],
                set_={"last_seq": STREAMS.c.last_seq + statement.excluded.last_seq},
            ).returning(STREAMS.c.user_id, STREAMS.c.last_seq)
        )
        return {row.user_id: row.last_seq - wanted[row.user_id] + 1 for row in taken}

    async def _keep_latest(self, rows: Sequence[Mapping[str, Any]]) -> None:
        latest = {
            (row["portfolio_id"], row["name"]): row
            for row in rows
            if row["portfolio_id"] is not None
        }
        if not latest:
            return
        statement = upsert(LATEST).values(list(latest.values()))
        kept = ("user_id", "seq", "run_id", "trace_id", "occurred_at", "payload")
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[LATEST.c.portfolio_id, LATEST.c.name],
                set_={name: statement.excluded[name] for name in kept},
                # Deliveries may overtake one another; where a portfolio stands may not go back.
                where=statement.excluded.occurred_at >= LATEST.c.occurred_at,
            )
        )

    async def after(self, positions: Collection[Position]) -> dict[Position, list[Logged]]:
        """Return what follows each position in its log, at most `READ_AT_ONCE` events each."""
        asked = {
            "users": [user_id for user_id, _ in positions],
            "seqs": [seq for _, seq in positions],
        }
        found = await self._connection.execute(_AFTER, asked)
        read: dict[Position, list[Logged]] = {position: [] for position in positions}
        for row in found:
            read[row.user_id, row.after].append(_logged(row))
        return read

    async def can_resume(self, user_id: UUID, seq: int) -> bool:
        """Whether everything after `seq` is still there.

        A user's log has no gaps, so it is when the next event is there or none has followed.
        """
        found = await self._connection.execute(_RESUMABLE, {"user_id": user_id, "seq": seq})
        return bool(found.scalar_one())

    async def standing(self, user_id: UUID, portfolio_id: UUID | None = None) -> Standing:
        """Return where a user's portfolios stand, or one of them."""
        found = await self._connection.execute(
            _STANDING, {"user_id": user_id, "portfolio_id": portfolio_id}
        )
        rows = found.all()
        return Standing(
            seq=rows[0].last_seq if rows else 0,
            events=[_logged(row) for row in rows if row.name is not None],
        )


def _logged(row: Row[Any]) -> Logged:
    return Logged(
        seq=row.seq,
        name=row.name,
        portfolio_id=row.portfolio_id,
        run_id=row.run_id,
        trace_id=row.trace_id,
        occurred_at=row.occurred_at,
        payload=row.payload,
    )

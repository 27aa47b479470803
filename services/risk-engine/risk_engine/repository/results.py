"""Results, failures and the history of accounts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, cast, delete, exists, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import Table

from risk_engine.domain import EngineName, Failure
from risk_engine.engine.chunk import Calculated
from risk_engine.repository.rows import among, these
from risk_engine.tables import BOOKS, FAILURES, OPENINGS, RESULTS, SNAPSHOTS

ENGINE: EngineName = "valuation"


@dataclass(frozen=True)
class Result:
    """What an engine found, with its payload as JSON text."""

    as_of: date
    revision: int
    panel_version: int
    status: str
    calculated_at: datetime
    payload: str


@dataclass(frozen=True)
class Known:
    """What is known of a portfolio: its newest result, and why the last attempt failed since."""

    portfolio_id: UUID
    name: str
    revision: int
    result: Result | None
    failure: Failure | None


@dataclass(frozen=True)
class Snapshot:
    """An account at the close of a session, in the book's currency, to the cent."""

    session: date
    revision: int
    panel_version: int
    status: str
    net_asset_value: float
    cash: float
    long_market_value: float | None
    short_market_value: float | None
    gross_market_value: float | None
    net_market_value: float | None
    carried_value: float
    cost_basis: float
    unrealized_pnl: float | None
    realized_pnl: float


class Results:
    """What engines found, or why they did not."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def save(
        self, calculated: Sequence[Calculated], as_of: date, panel_version: int, now: datetime
    ) -> Collection[UUID]:
        """Store results that are not older than what is stored; return whose were stored.

        With each go the session's snapshot, the opening cash, and the end of an older failure.
        """
        if not calculated:
            return ()
        stored = await self._replace(
            [_result(one, as_of, panel_version, now) for one in calculated]
        )
        taken = [one for one in calculated if one.portfolio_id in stored]
        if taken:
            await self._put(SNAPSHOTS, [_snapshot(one, as_of, panel_version) for one in taken])
            await self._put(
                OPENINGS,
                [
                    {
                        "portfolio_id": one.portfolio_id,
                        "session": one.opening_session,
                        "opening_cash": one.opening_cash,
                    }
                    for one in taken
                    if one.opening_cash is not None
                ],
            )
            await self._end_failures(taken, as_of, panel_version)
        return stored

    async def save_failures(
        self,
        failed: Mapping[UUID, tuple[int, Failure]],
        as_of: date,
        panel_version: int,
        now: datetime,
    ) -> None:
        """Note why books (by portfolio, with their revision) have no result.

        What is known by newer inputs stays, be it a result or another failure.
        """
        if not failed:
            return
        given = these(
            list(FAILURES.c),
            [
                {
                    "portfolio_id": portfolio_id,
                    "engine": ENGINE,
                    "revision": revision,
                    "as_of": as_of,
                    "panel_version": panel_version,
                    "reason": failure.reason,
                    "message": failure.message,
                    "failed_at": now,
                }
                for portfolio_id, (revision, failure) in failed.items()
            ],
        ).subquery()
        newer = exists().where(
            RESULTS.c.portfolio_id == given.c.portfolio_id,
            RESULTS.c.engine == given.c.engine,
            _inputs(RESULTS.c) > _inputs(given.c),
        )
        put = upsert(FAILURES).from_select(FAILURES.c.keys(), select(given).where(~newer))
        await self._connection.execute(
            put.on_conflict_do_update(
                index_elements=list(FAILURES.primary_key),
                set_=_others(FAILURES, put.excluded),
                where=_inputs(FAILURES.c) <= _inputs(put.excluded),
            )
        )

    async def forget(self, portfolio_id: UUID) -> None:
        """Delete everything that was found about a portfolio."""
        for table in (RESULTS, FAILURES, SNAPSHOTS, OPENINGS):
            await self._connection.execute(
                delete(table).where(table.c.portfolio_id == portfolio_id)
            )

    async def known(self, portfolio_ids: Collection[UUID]) -> Mapping[UUID, Known]:
        """Return what is known of portfolios, for those the replica has heard of."""
        newest = (
            select(
                RESULTS.c.as_of,
                RESULTS.c.revision,
                RESULTS.c.panel_version,
                RESULTS.c.status,
                RESULTS.c.calculated_at,
                cast(RESULTS.c.payload, Text).label("payload"),
            )
            .where(RESULTS.c.portfolio_id == BOOKS.c.portfolio_id, RESULTS.c.engine == ENGINE)
            .order_by(RESULTS.c.revision.desc(), RESULTS.c.as_of.desc())
            .limit(1)
            .lateral("newest")
        )
        failure = and_(FAILURES.c.portfolio_id == BOOKS.c.portfolio_id, FAILURES.c.engine == ENGINE)
        rows = await self._connection.execute(
            select(
                BOOKS.c.portfolio_id,
                BOOKS.c.name,
                BOOKS.c.revision.label("book_revision"),
                FAILURES.c.reason,
                FAILURES.c.message,
                newest,
            )
            .select_from(BOOKS.outerjoin(newest, true()).outerjoin(FAILURES, failure))
            .where(among(BOOKS.c.portfolio_id, portfolio_ids), BOOKS.c.deleted.is_(False))
        )
        return {row.portfolio_id: _known(row) for row in rows}

    async def snapshots(self, portfolio_id: UUID, limit: int) -> Sequence[Snapshot]:
        """Return an account's latest sessions, oldest first."""
        rows = await self._connection.execute(
            select(*(column for column in SNAPSHOTS.c if column.name != "portfolio_id"))
            .where(SNAPSHOTS.c.portfolio_id == portfolio_id)
            .order_by(SNAPSHOTS.c.session.desc())
            .limit(limit)
        )
        return [Snapshot(**row) for row in reversed(rows.mappings().all())]

    async def _replace(self, rows: Sequence[Mapping[str, Any]]) -> Collection[UUID]:
        put = upsert(RESULTS).from_select(RESULTS.c.keys(), these(list(RESULTS.c), rows))
        written = await self._connection.execute(
            put.on_conflict_do_update(
                index_elements=list(RESULTS.primary_key),
                set_=_others(RESULTS, put.excluded),
                where=_inputs(RESULTS.c) <= _inputs(put.excluded),
            ).returning(RESULTS.c.portfolio_id)
        )
        return set(written.scalars())

    async def _put(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        put = upsert(table).from_select(table.c.keys(), these(list(table.c), rows))
        await self._connection.execute(
            put.on_conflict_do_update(
                index_elements=list(table.primary_key), set_=_others(table, put.excluded)
            )
        )

    async def _end_failures(
        self, calculated: Sequence[Calculated], as_of: date, panel_version: int
    ) -> None:
        given = these(
            [FAILURES.c.portfolio_id, FAILURES.c.revision],
            [{"portfolio_id": one.portfolio_id, "revision": one.revision} for one in calculated],
        ).subquery()
        await self._connection.execute(
            delete(FAILURES).where(
                FAILURES.c.engine == ENGINE,
                FAILURES.c.portfolio_id == given.c.portfolio_id,
                _inputs(FAILURES.c) <= tuple_(given.c.revision, as_of, panel_version),
            )
        )


def _inputs(columns: Any) -> Any:
    # What a result is made of, in the order in which one is newer than another.
    return tuple_(columns.revision, columns.as_of, columns.panel_version)


def _others(table: Table, excluded: Any) -> dict[str, Any]:
    return {column.name: excluded[column.name] for column in table.c if not column.primary_key}


def _result(one: Calculated, as_of: date, panel_version: int, now: datetime) -> Mapping[str, Any]:
    return {
        "portfolio_id": one.portfolio_id,
        "as_of": as_of,
        "engine": ENGINE,
        "revision": one.revision,
        "panel_version": panel_version,
        "status": one.status,
        "model_version": one.model_version,
        "input_hash": one.input_hash,
        "payload": one.payload,
        "calculated_at": now,
    }


def _snapshot(one: Calculated, as_of: date, panel_version: int) -> Mapping[str, Any]:
    return {
        "portfolio_id": one.portfolio_id,
        "session": as_of,
        "revision": one.revision,
        "panel_version": panel_version,
        "status": one.status,
        **one.totals,
    }


def _known(row: Any) -> Known:
    return Known(
        portfolio_id=row.portfolio_id,
        name=row.name,
        revision=row.book_revision,
        result=None
        if row.payload is None
        else Result(
            row.as_of, row.revision, row.panel_version, row.status, row.calculated_at, row.payload
        ),
        failure=None if row.reason is None else Failure(row.reason, row.message),
    )

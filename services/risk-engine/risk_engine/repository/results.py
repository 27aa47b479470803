"""Results of engines, and why they have none."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from risk_engine.domain import ENGINES, EngineName, Failure
from risk_engine.engine.chunk import Calculated
from risk_engine.repository.rows import among, copy, others, put, these
from risk_engine.tables import BOOKS, FAILURES, OPENINGS, RESULTS, SNAPSHOTS

EVERY_ENGINE: EngineName = "valuation"
"""Stands for a calculation that gave nothing at all: no engine has a result without this one."""


@dataclass(frozen=True)
class Result:
    """What an engine found: `payload` as `engine.results.pack` wrote it, or JSON of before."""

    as_of: date
    revision: int
    panel_version: int
    status: str
    model_version: str
    input_hash: str
    calculated_at: datetime
    payload: bytes


@dataclass(frozen=True)
class Known:
    """What is known of a portfolio: each engine's newest result, and why its last attempt failed.

    All results are of one calculation, the newest; an engine that failed in it has none.
    """

    portfolio_id: UUID
    name: str
    revision: int
    results: Mapping[EngineName, Result]
    failures: Mapping[EngineName, Failure]

    @property
    def valuation(self) -> Result | None:
        """Return the result without which there is no other."""
        return self.results.get("valuation")


class Results:
    """What engines found, or why they did not."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def save(
        self, calculated: Sequence[Calculated], as_of: date, panel_version: int, now: datetime
    ) -> Collection[UUID]:
        """Store what is not older than what is stored; return whose was stored.

        With each portfolio go its sessions, the opening cash, and the end of older failures. The
        caller holds the portfolios' locks, so that nobody stores between the look and the writing.
        """
        newer = await self._with_newer(calculated, as_of, panel_version)
        taken = [one for one in calculated if one.portfolio_id not in newer]
        if not taken:
            return ()
        await self._connection.execute(
            delete(RESULTS).where(
                among(RESULTS.c.portfolio_id, [one.portfolio_id for one in taken]),
                RESULTS.c.as_of == as_of,
            )
        )
        await copy(
            self._connection,
            RESULTS,
            [row for one in taken for row in _results(one, as_of, panel_version, now)],
        )
        await put(
            self._connection,
            SNAPSHOTS,
            [row for one in taken for row in _snapshots(one, panel_version)],
        )
        await put(self._connection, OPENINGS, _openings(taken))
        await self._end_failures(taken, as_of, panel_version)
        await self.save_failures(
            {
                (one.portfolio_id, engine): (one.revision, failure)
                for one in taken
                for engine, failure in one.failed.items()
            },
            as_of,
            panel_version,
            now,
        )
        return {one.portfolio_id for one in taken}

    async def save_failures(
        self,
        failed: Mapping[tuple[UUID, EngineName], tuple[int, Failure]],
        as_of: date,
        panel_version: int,
        now: datetime,
    ) -> None:
        """Note why engines have no result, by portfolio, with the revision of its book.

        What is known by newer inputs stays, be it a result or another failure.
        """
        if not failed:
            return
        given = these(
            list(FAILURES.c),
            [
                {
                    "portfolio_id": portfolio_id,
                    "engine": engine,
                    "revision": revision,
                    "as_of": as_of,
                    "panel_version": panel_version,
                    "reason": failure.reason,
                    "message": failure.message,
                    "failed_at": now,
                }
                for (portfolio_id, engine), (revision, failure) in failed.items()
            ],
        ).subquery()
        newer = exists().where(
            RESULTS.c.portfolio_id == given.c.portfolio_id,
            RESULTS.c.engine == given.c.engine,
            _inputs(RESULTS.c) > _inputs(given.c),
        )
        insertion = upsert(FAILURES).from_select(FAILURES.c.keys(), select(given).where(~newer))
        await self._connection.execute(
            insertion.on_conflict_do_update(
                index_elements=list(FAILURES.primary_key),
                set_=others(FAILURES, insertion.excluded),
                where=_inputs(FAILURES.c) <= _inputs(insertion.excluded),
            )
        )

    async def forget(self, portfolio_id: UUID) -> None:
        """Delete everything that was found about a portfolio."""
        for table in (RESULTS, FAILURES, SNAPSHOTS, OPENINGS):
            await self._connection.execute(
                delete(table).where(table.c.portfolio_id == portfolio_id)
            )

    async def known(
        self, portfolio_ids: Collection[UUID], engines: Collection[EngineName] = ENGINES
    ) -> Mapping[UUID, Known]:
        """Return what is known of portfolios, for those the replica has heard of.

        The valuation is always read: the others are shown with what it says.
        """
        valuations = RESULTS.alias("valuations")
        newest = (
            select(valuations.c.as_of)
            .where(
                valuations.c.portfolio_id == BOOKS.c.portfolio_id,
                valuations.c.engine == EVERY_ENGINE,
            )
            .order_by(valuations.c.revision.desc(), valuations.c.as_of.desc())
            .limit(1)
            .lateral("newest")
        )
        of_it = and_(
            RESULTS.c.portfolio_id == BOOKS.c.portfolio_id,
            RESULTS.c.as_of == newest.c.as_of,
            RESULTS.c.engine.in_(sorted({*engines, EVERY_ENGINE})),
        )
        rows = await self._connection.execute(
            select(
                BOOKS.c.portfolio_id,
                BOOKS.c.name,
                BOOKS.c.revision.label("book_revision"),
                RESULTS.c.engine,
                *(RESULTS.c[field.name] for field in fields(Result) if field.name != "payload"),
                func.coalesce(RESULTS.c.packed, _utf8(RESULTS.c.payload)).label("payload"),
            )
            .select_from(BOOKS.outerjoin(newest, true()).outerjoin(RESULTS, of_it))
            .where(among(BOOKS.c.portfolio_id, portfolio_ids), BOOKS.c.deleted.is_(False))
        )
        found: dict[UUID, Known] = {}
        results: dict[UUID, dict[EngineName, Result]] = defaultdict(dict)
        failures = await self._failures(portfolio_ids)
        for row in rows:
            of_portfolio = results[row.portfolio_id]
            if row.engine is not None:
                of_portfolio[row.engine] = Result(
                    **{field.name: getattr(row, field.name) for field in fields(Result)}
                )
            found[row.portfolio_id] = Known(
                row.portfolio_id,
                row.name,
                row.book_revision,
                of_portfolio,
                failures.get(row.portfolio_id, {}),
            )
        return found

    async def _failures(
        self, portfolio_ids: Collection[UUID]
    ) -> Mapping[UUID, Mapping[EngineName, Failure]]:
        rows = await self._connection.execute(
            select(
                FAILURES.c.portfolio_id, FAILURES.c.engine, FAILURES.c.reason, FAILURES.c.message
            ).where(among(FAILURES.c.portfolio_id, portfolio_ids))
        )
        found: dict[UUID, dict[EngineName, Failure]] = defaultdict(dict)
        for row in rows:
            found[row.portfolio_id][row.engine] = Failure(row.reason, row.message)
        return found

    async def _with_newer(
        self, calculated: Sequence[Calculated], as_of: date, panel_version: int
    ) -> Collection[UUID]:
        if not calculated:
            return ()
        given = these(
            [RESULTS.c.portfolio_id, RESULTS.c.revision],
            [{"portfolio_id": one.portfolio_id, "revision": one.revision} for one in calculated],
        ).subquery()
        newer = await self._connection.execute(
            select(RESULTS.c.portfolio_id).where(
                RESULTS.c.portfolio_id == given.c.portfolio_id,
                RESULTS.c.engine == EVERY_ENGINE,
                RESULTS.c.as_of == as_of,
                _inputs(RESULTS.c) > tuple_(given.c.revision, as_of, panel_version),
            )
        )
        return set(newer.scalars())

    async def _end_failures(
        self, calculated: Sequence[Calculated], as_of: date, panel_version: int
    ) -> None:
        given = these(
            [FAILURES.c.portfolio_id, FAILURES.c.revision],
            [{"portfolio_id": one.portfolio_id, "revision": one.revision} for one in calculated],
        ).subquery()
        await self._connection.execute(
            delete(FAILURES).where(
                FAILURES.c.portfolio_id == given.c.portfolio_id,
                _inputs(FAILURES.c) <= tuple_(given.c.revision, as_of, panel_version),
            )
        )


def _inputs(columns: Any) -> Any:
    # What a result is made of, in the order in which one is newer than another.
    return tuple_(columns.revision, columns.as_of, columns.panel_version)


def _utf8(payload: ColumnElement[Any]) -> ColumnElement[bytes]:
    return func.convert_to(cast(payload, Text), "UTF8", type_=LargeBinary)


def _results(
    one: Calculated, as_of: date, panel_version: int, now: datetime
) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "portfolio_id": one.portfolio_id,
            "as_of": as_of,
            "engine": engine,
            "revision": one.revision,
            "panel_version": panel_version,
            "status": result.status,
            "model_version": result.model_version,
            "input_hash": result.input_hash,
            "payload": None,
            "packed": result.payload,
            "calculated_at": now,
        }
        for engine, result in one.results.items()
    ]


def _snapshots(one: Calculated, panel_version: int) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "portfolio_id": one.portfolio_id,
            "revision": one.revision,
            "panel_version": panel_version,
            **asdict(snapshot),
        }
        for snapshot in one.snapshots
    ]


def _openings(calculated: Sequence[Calculated]) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "portfolio_id": one.portfolio_id,
            "session": one.opening_session,
            "opening_cash": one.opening_cash,
        }
        for one in calculated
        if one.opening_cash is not None
    ]

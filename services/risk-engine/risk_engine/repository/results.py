"""What engines found, and why they did not, written: the newer inputs win."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, exists, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from risk_engine.domain import EngineName, Failure
from risk_engine.engine.chunk import Calculated
from risk_engine.repository.knowledge import EVERY_ENGINE
from risk_engine.repository.rows import among, copy, others, put, these
from risk_engine.tables import FAILURES, OPENINGS, RESULTS, SNAPSHOTS

KEPT: Final = 5
"""Sessions of results kept for each portfolio."""


class Results:
    """What engines found, or why they did not."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def save(
        self,
        calculated: Sequence[Calculated],
        as_of: date,
        panel_version: int,
        now: datetime,
        *,
        kept: int = KEPT,
    ) -> Collection[UUID]:
        """Store what is not older than what is stored; return whose was stored.

        With each portfolio go its sessions, the opening cash, and the end of older failures; of its
        results those of `kept` sessions stay. The caller holds the portfolios' locks, so that
        nobody stores between the look and the writing.
        """
        newer = await self._with_newer(calculated, as_of, panel_version)
        taken = [one for one in calculated if one.portfolio_id not in newer]
        if not taken:
            return ()
        await self._make_room([one.portfolio_id for one in taken], as_of, kept)
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

    async def _make_room(self, portfolio_ids: Sequence[UUID], as_of: date, kept: int) -> None:
        # What is replaced, and what is then one too many: in the order in which results are read,
        # so that what is shown is the last to go.
        place = func.row_number().over(
            partition_by=RESULTS.c.portfolio_id,
            order_by=(RESULTS.c.revision.desc(), RESULTS.c.as_of.desc()),
        )
        others = (
            select(RESULTS.c.portfolio_id, RESULTS.c.as_of, place.label("place"))
            .where(
                among(RESULTS.c.portfolio_id, portfolio_ids),
                RESULTS.c.engine == EVERY_ENGINE,
                RESULTS.c.as_of != as_of,
            )
            .subquery()
        )
        too_many = select(others.c.portfolio_id, others.c.as_of).where(others.c.place >= kept)
        await self._connection.execute(
            delete(RESULTS).where(
                among(RESULTS.c.portfolio_id, portfolio_ids),
                or_(
                    RESULTS.c.as_of == as_of,
                    tuple_(RESULTS.c.portfolio_id, RESULTS.c.as_of).in_(too_many),
                ),
            )
        )

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

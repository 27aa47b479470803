"""Runs: opened once, locked while anything about them changes, ended once."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    RowMapping,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from common.events.scheduler import ITEMS_IN_REQUEST
from scheduler.domain import (
    COUNTED_AS_FAILED,
    COUNTED_AS_SUPERSEDED,
    Ending,
    Item,
    Run,
    Tally,
)
from scheduler.tables import ONE_AT_A_TIME, RUN_ITEMS, RUNS

_COUNTED = ("total", "calculated", "failed", "superseded")
_OWN = tuple(own for own in RUNS.c if own.name not in _COUNTED)
_COUNTS = (
    func.count(RUN_ITEMS.c.portfolio_id).label("total"),
    func.count().filter(RUN_ITEMS.c.outcome == "calculated").label("calculated"),
    func.count().filter(RUN_ITEMS.c.outcome.in_(COUNTED_AS_FAILED)).label("failed"),
    func.count().filter(RUN_ITEMS.c.outcome.in_(COUNTED_AS_SUPERSEDED)).label("superseded"),
)


class Runs:
    """The table `runs`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open(self, run: Run) -> UUID:
        """Open a run, or find the open one with its job, session and scope; return which it is."""
        row = upsert(RUNS).values(_values(run))
        opened = await self._connection.execute(
            # An update that changes nothing, because only then is the other run returned: whether
            # it was open before or another replica is opening it at this moment.
            row.on_conflict_do_update(
                index_elements=[RUNS.c.job, RUNS.c.as_of, RUNS.c.scope],
                index_where=ONE_AT_A_TIME,
                set_={"scope": row.excluded.scope},
            ).returning(RUNS.c.run_id)
        )
        run_id: UUID = opened.scalar_one()
        return run_id

    async def adopt(self, run: Run) -> bool:
        """Open a run whose id somebody else minted; False when it was opened before."""
        row = upsert(RUNS).values(_values(run))
        opened = await self._connection.execute(
            row.on_conflict_do_nothing(index_elements=[RUNS.c.run_id])
        )
        return opened.rowcount == 1

    async def find(self, run_id: UUID) -> Run | None:
        """Return a run."""
        found = await self._connection.execute(select(RUNS).where(RUNS.c.run_id == run_id))
        row = found.mappings().first()
        return None if row is None else _run(row)

    async def lock(self, run_id: UUID) -> None:
        """Keep others from changing a run or its items until the commit."""
        await self._connection.execute(
            _locking(select(RUNS.c.run_id)).where(RUNS.c.run_id == run_id)
        )

    async def lock_waiting_for(self, portfolio_id: UUID) -> None:
        """Lock every run in which this portfolio has no outcome yet."""
        waiting = select(RUN_ITEMS.c.run_id).where(
            RUN_ITEMS.c.portfolio_id == portfolio_id, RUN_ITEMS.c.outcome.is_(None)
        )
        await self._connection.execute(
            _locking(select(RUNS.c.run_id)).where(RUNS.c.run_id.in_(waiting))
        )

    async def lock_overdue(self, now: datetime, *, at_most: int) -> list[UUID]:
        """Lock and return runs past their deadline, except those that somebody else has in hand."""
        overdue = await self._connection.execute(
            select(RUNS.c.run_id)
            .where(RUNS.c.status == "open", RUNS.c.deadline <= now)
            .order_by(RUNS.c.run_id)
            .limit(at_most)
            .with_for_update(key_share=True, skip_locked=True)
        )
        return list(overdue.scalars())

    async def learn(self, run_id: UUID, *, as_of: date | None, user_id: UUID | None) -> None:
        """Fill in what the message that opened an import did not say."""
        await self._connection.execute(
            update(RUNS)
            .where(RUNS.c.run_id == run_id, RUNS.c.job == "import")
            .values(
                as_of=func.coalesce(RUNS.c.as_of, as_of),
                user_id=func.coalesce(RUNS.c.user_id, user_id),
            )
        )

    async def open_like(self, run: Run, item: Item | None) -> Run | None:
        """Return the open run with this one's job, session and scope, forced ones too.

        With an item, else one at the same session in which that portfolio is still to end, at its
        revision or a newer one; an import counts before its session is known.
        """
        same = and_(RUNS.c.job == run.job, RUNS.c.as_of == run.as_of, RUNS.c.scope == run.scope)
        found = await self._connection.execute(
            select(RUNS)
            .where(RUNS.c.status == "open", same if item is None else or_(same, _covers(run, item)))
            .order_by(case((same, 0), else_=1), RUNS.c.opened_at)
            .limit(1)
        )
        row = found.mappings().first()
        return None if row is None else _run(row)

    async def ended(self, run_ids: Collection[UUID]) -> list[Ending]:
        """Return those of some locked runs that are open although every item has an outcome."""
        unended = exists().where(RUN_ITEMS.c.run_id == RUNS.c.run_id, RUN_ITEMS.c.outcome.is_(None))
        # Asked first because it is a look at an index: most messages end no run, and counting the
        # items of a nightly run at each of them would be quadratic.
        found = await self._connection.execute(
            select(RUNS.c.run_id).where(_among(run_ids), RUNS.c.status == "open", ~unended)
        )
        complete = list(found.scalars())
        return await self._endings(complete) if complete else []

    async def close(self, endings: Sequence[Ending], now: datetime) -> None:
        """Write how runs ended."""
        await self._connection.execute(
            update(RUNS).where(RUNS.c.run_id == bindparam("ended_run")),
            [
                {
                    "ended_run": ending.run.run_id,
                    "status": ending.tally.end_status,
                    "ended_at": now,
                    "total": ending.tally.total,
                    "calculated": ending.tally.calculated,
                    "failed": ending.tally.failed,
                    "superseded": ending.tally.superseded,
                }
                for ending in endings
            ],
        )

    async def current(self) -> tuple[Run, Tally] | None:
        """Return the open run that was opened last; an import only when there is no other."""
        runs = await self._tallied(
            select(RUNS)
            .where(RUNS.c.status == "open")
            .order_by(case((RUNS.c.job == "import", 1), else_=0), RUNS.c.opened_at.desc())
            .limit(1)
        )
        return runs[0] if runs else None

    async def page(self, *, limit: int, offset: int) -> tuple[list[tuple[Run, Tally]], int]:
        """Return a page of all runs, newest first, and how many there are in all."""
        runs = await self._tallied(
            select(RUNS)
            .order_by(RUNS.c.opened_at.desc(), RUNS.c.run_id)
            .limit(limit)
            .offset(offset)
        )
        total = await self._connection.execute(select(func.count()).select_from(RUNS))
        return runs, total.scalar_one()

    async def _endings(self, run_ids: Collection[UUID]) -> list[Ending]:
        ids = func.array_agg(
            aggregate_order_by(RUN_ITEMS.c.portfolio_id, RUN_ITEMS.c.portfolio_id)
        ).filter(RUN_ITEMS.c.portfolio_id.is_not(None))
        few = func.count(RUN_ITEMS.c.portfolio_id) <= ITEMS_IN_REQUEST
        rows = await self._connection.execute(
            select(*_OWN, *_COUNTS, case((few, ids)).label("portfolio_ids"))
            .outerjoin(RUN_ITEMS, RUN_ITEMS.c.run_id == RUNS.c.run_id)
            .where(_among(run_ids))
            .group_by(RUNS.c.run_id)
            .order_by(RUNS.c.run_id)
        )
        return [
            Ending(_run(row), _tally(row), tuple(row["portfolio_ids"] or ()))
            for row in rows.mappings()
        ]

    async def _tallied(self, runs: Select[Any]) -> list[tuple[Run, Tally]]:
        rows = (await self._connection.execute(runs)).mappings().all()
        unended = [row["run_id"] for row in rows if row["status"] == "open"]
        counted: dict[UUID, Tally] = {}
        if unended:
            counts = await self._connection.execute(
                select(RUN_ITEMS.c.run_id, *_COUNTS)
                .where(RUN_ITEMS.c.run_id == any_(literal(unended, ARRAY(Uuid))))
                .group_by(RUN_ITEMS.c.run_id)
            )
            counted = {row["run_id"]: _tally(row) for row in counts.mappings()}
        return [(_run(row), counted.get(row["run_id"]) or _tally(row)) for row in rows]


def _among(run_ids: Collection[UUID]) -> ColumnElement[bool]:
    return RUNS.c.run_id == any_(literal([*run_ids], ARRAY(Uuid)))


def _covers(run: Run, item: Item) -> ColumnElement[bool]:
    waiting = select(RUN_ITEMS.c.run_id).where(
        RUN_ITEMS.c.portfolio_id == item.portfolio_id,
        RUN_ITEMS.c.outcome.is_(None),
        RUN_ITEMS.c.revision >= item.revision,
    )
    at_this_session = or_(RUNS.c.as_of == run.as_of, RUNS.c.as_of.is_(None))
    return and_(at_this_session, RUNS.c.run_id.in_(waiting))


def _locking(runs: Select[Any]) -> Select[Any]:
    # NO KEY UPDATE: items may still be added to other runs, their foreign keys do not wait.
    return runs.order_by(RUNS.c.run_id).with_for_update(key_share=True)


def _values(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "job": run.job,
        "as_of": run.as_of,
        "scope": run.scope,
        "forced": run.forced,
        "status": run.status,
        "requested_by": run.requested_by,
        "user_id": run.user_id,
        "opened_at": run.opened_at,
        "deadline": run.deadline,
    }


def _run(row: RowMapping) -> Run:
    return Run(
        run_id=row["run_id"],
        job=row["job"],
        as_of=row["as_of"],
        scope=row["scope"],
        opened_at=row["opened_at"],
        forced=row["forced"],
        requested_by=row["requested_by"],
        user_id=row["user_id"],
        status=row["status"],
        ended_at=row["ended_at"],
    )


def _tally(row: RowMapping) -> Tally:
    return Tally(*(row[name] for name in _COUNTED))

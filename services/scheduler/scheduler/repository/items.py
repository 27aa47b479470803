"""Items: the portfolios of a run, each ended once. One statement for a chunk, never one an item."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Double,
    Integer,
    RowMapping,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    any_,
    case,
    column,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from common.events.scheduler import RequestedItem
from scheduler.domain import Coverage, Item, Outcome, Progress, Run, Verdict
from scheduler.tables import PORTFOLIOS, RUN_ITEMS, RUNS


class Items:
    """The table `run_items`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, run_id: UUID, items: Sequence[Item], now: datetime) -> None:
        """Fix the items of a run that is being opened."""
        given = _recordset(
            [
                {
                    "portfolio_id": str(item.portfolio_id),
                    "revision": item.revision,
                    "outcome": item.outcome,
                    "reason": item.reason,
                }
                for item in items
            ],
            portfolio_id=Uuid(),
            revision=Integer(),
            outcome=Text(),
            reason=Text(),
        )
        ended_at = case((given.c.outcome.is_not(None), literal(now)), else_=null())
        await self._connection.execute(
            insert(RUN_ITEMS).from_select(
                ["run_id", "portfolio_id", "revision", "outcome", "reason", "ended_at"],
                select(literal(run_id), *given.c, ended_at),
            )
        )

    async def add_everything(self, run_id: UUID) -> None:
        """Fix the items of a run of all portfolios; see `Portfolios.hold` for why they are held.

        Here the run's row is taken first, which is harmless: it is new, so only another run of
        everything could wait for it, and that one holds nothing yet.
        """
        await self._connection.execute(
            insert(RUN_ITEMS).from_select(
                ["run_id", "portfolio_id", "revision"],
                select(literal(run_id), PORTFOLIOS.c.portfolio_id, PORTFOLIOS.c.revision)
                .where(~PORTFOLIOS.c.deleted)
                .order_by(PORTFOLIOS.c.portfolio_id)
                .with_for_update(read=True),
            )
        )

    async def pending(self, run_id: UUID) -> list[RequestedItem]:
        """Return the items without an outcome, by portfolio id."""
        found = await self._connection.execute(
            select(RUN_ITEMS.c.portfolio_id, RUN_ITEMS.c.revision)
            .where(RUN_ITEMS.c.run_id == run_id, RUN_ITEMS.c.outcome.is_(None))
            .order_by(RUN_ITEMS.c.portfolio_id)
        )
        return [
            RequestedItem(portfolio_id=row.portfolio_id, revision=row.revision) for row in found
        ]

    async def note_coverage(
        self,
        run_id: UUID,
        coverages: Mapping[UUID, Coverage],
        *,
        panel_version: int,
        now: datetime,
    ) -> None:
        """Write down what was said of some items' prices, unless a newer panel is known."""
        said = _recordset(
            [
                {
                    "portfolio_id": str(portfolio_id),
                    "symbols": coverage.symbols,
                    "coverage": coverage.coverage,
                    "missing": coverage.missing,
                    "sufficient": coverage.sufficient,
                }
                for portfolio_id, coverage in coverages.items()
            ],
            portfolio_id=Uuid(),
            symbols=Integer(),
            coverage=Double(),
            missing=JSONB(),
            sufficient=Boolean(),
        )
        await self._connection.execute(
            update(RUN_ITEMS)
            .where(
                RUN_ITEMS.c.run_id == run_id,
                RUN_ITEMS.c.portfolio_id == said.c.portfolio_id,
                func.coalesce(RUN_ITEMS.c.panel_version, panel_version) <= panel_version,
            )
            .values(
                priced_at=now,
                panel_version=panel_version,
                symbols=said.c.symbols,
                coverage=said.c.coverage,
                missing=said.c.missing,
                sufficient=said.c.sufficient,
            )
        )

    async def end(self, verdict: Verdict, run_id: UUID | None, now: datetime) -> set[UUID]:
        """End a portfolio's items that this verdict answers; return their runs.

        It answers items at its revision or an older one: in its own run whatever the session, in
        others at its session or an older one. A forced run waits for verdicts of its own, and
        `superseded` is about nothing but its own run: what took its place ends the others.
        """
        in_own_run = RUNS.c.run_id == run_id
        no_older: ColumnElement[bool] = RUNS.c.as_of.is_(None)
        if verdict.as_of is not None:
            no_older = or_(no_older, RUNS.c.as_of <= verdict.as_of)
        others = and_(~RUNS.c.forced, no_older)
        return await self._end(
            verdict.outcome,
            verdict.reason,
            now,
            RUN_ITEMS.c.portfolio_id == verdict.portfolio_id,
            RUN_ITEMS.c.revision <= verdict.revision,
            RUN_ITEMS.c.run_id == RUNS.c.run_id,
            in_own_run if verdict.outcome == "superseded" else or_(in_own_run, others),
        )

    async def end_deleted(self, portfolio_id: UUID, revision: int, now: datetime) -> set[UUID]:
        """End the items of a portfolio that is gone; return their runs."""
        return await self._end(
            "deleted",
            "portfolio_deleted",
            now,
            RUN_ITEMS.c.portfolio_id == portfolio_id,
            RUN_ITEMS.c.revision <= revision,
        )

    async def expire(self, run_ids: Collection[UUID], now: datetime) -> None:
        """End every item of these runs that has no outcome."""
        overdue = RUN_ITEMS.c.run_id == any_(literal([*run_ids], ARRAY(Uuid)))
        await self._end("expired", "deadline", now, overdue)

    async def progress(self, run: Run, portfolio_id: UUID) -> Progress | None:
        """Return where a portfolio stands in a run; None when the run does not include it."""
        found = await self._connection.execute(
            select(RUN_ITEMS).where(
                RUN_ITEMS.c.run_id == run.run_id, RUN_ITEMS.c.portfolio_id == portfolio_id
            )
        )
        row = found.mappings().first()
        if row is None:
            return None
        return Progress(
            run=run,
            revision=row["revision"],
            outcome=row["outcome"],
            reason=row["reason"],
            ended_at=row["ended_at"],
            coverage=_coverage(row),
        )

    async def last_coverage(self, portfolio_id: UUID) -> Coverage | None:
        """Return what was last said of a portfolio's prices, in whichever run."""
        found = await self._connection.execute(
            select(RUN_ITEMS)
            .where(RUN_ITEMS.c.portfolio_id == portfolio_id, RUN_ITEMS.c.priced_at.is_not(None))
            .order_by(RUN_ITEMS.c.priced_at.desc())
            .limit(1)
        )
        row = found.mappings().first()
        return None if row is None else _coverage(row)

    async def _end(
        self, outcome: Outcome, reason: str | None, now: datetime, *which: ColumnElement[bool]
    ) -> set[UUID]:
        ended = await self._connection.execute(
            update(RUN_ITEMS)
            .where(RUN_ITEMS.c.outcome.is_(None), *which)
            .values(outcome=outcome, reason=reason, ended_at=now)
            .returning(RUN_ITEMS.c.run_id)
        )
        return set(ended.scalars())


def _recordset(rows: Sequence[Mapping[str, Any]], **types: TypeEngine[Any]) -> TableValuedAlias:
    # One JSON document as a table: one parameter, however many rows.
    columns = (column(name, kind) for name, kind in types.items())
    return (
        func.jsonb_to_recordset(literal(rows, JSONB))
        .table_valued(*columns, name="given")
        .render_derived(with_types=True)
    )


def _coverage(row: RowMapping) -> Coverage | None:
    if row["priced_at"] is None:
        return None
    return Coverage(
        symbols=row["symbols"],
        coverage=row["coverage"],
        missing=tuple(tuple(one) for one in row["missing"]),
        sufficient=row["sufficient"],
    )

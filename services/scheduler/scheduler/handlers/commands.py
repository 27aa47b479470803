"""Somebody asks for a run: a person over REST, an operator's message, or a timer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID, uuid4

import structlog

from common.errors import ServiceError
from common.events import Unparseable
from common.events.scheduler import RunJob
from common.telemetry import about
from common.text import is_plain
from common.unit_of_work import Unit
from scheduler.domain import (
    EVERYTHING,
    Code,
    Item,
    Portfolio,
    Run,
    item_for,
    owner_of,
    scope_of,
    session_for,
)
from scheduler.handlers.lifecycle import end_runs, request_results
from scheduler.repository import Store

log = structlog.get_logger()


@dataclass(frozen=True)
class Started:
    """The run that answers a command."""

    run_id: UUID
    as_of: date
    how: Literal["opened", "joined", "repeated"]
    """Opened for it; of another kind and under way already; or the same and open already."""


async def run_job(event: RunJob, store: Store, unit: Unit) -> None:
    """Run a job; a repeat of an open one joins it.

    An impossible one is `Unparseable`: it stays impossible however often it is delivered.
    """
    try:
        started = await start(event, store, unit)
    except ServiceError as error:
        raise Unparseable(f"{error.code.name}: {error.message}") from error
    log.info("job_asked_for", job=event.job, started_run=str(started.run_id), how=started.how)


async def start(
    command: RunJob, store: Store, unit: Unit, *, also_known: Sequence[Portfolio] = ()
) -> Started:
    """Open a run and ask for its results, or return the open run that answers the command.

    The run's id is the command's when it carries one. `also_known` are portfolios that the caller
    has found out about and that no event has told of yet. `ServiceError` for an impossible job.
    """
    _refuse_impossible(command)
    as_of = session_for(command.as_of, unit.now)
    named = unit.cause.run_id
    if named is not None and await store.runs.find(named) is not None:
        return Started(named, as_of, "repeated")
    known = await _known(command, store, also_known)
    items = _items(command, known)
    run = Run(
        run_id=named or uuid4(),
        job=command.job,
        as_of=as_of,
        scope=scope_of(command.portfolio_ids),
        opened_at=unit.now,
        forced=command.force,
        requested_by=command.requested_by,
        user_id=owner_of(known.values()),
    )
    if (found := await _under_way(store, run, items)) is not None:
        return Started(found.run_id, as_of, _how(found, run))
    opened = await store.runs.open(run)
    if opened != run.run_id:
        return Started(opened, as_of, "repeated")
    about(run_id=opened)
    await _begin(store, unit, run, items)
    log.info("run_opened", opened_run=str(opened), job=run.job, as_of=str(as_of), scope=run.scope)
    return Started(opened, as_of, "opened")


async def _begin(store: Store, unit: Unit, run: Run, items: list[Item]) -> None:
    if run.scope == EVERYTHING:
        await store.items.add_everything(run.run_id)
    else:
        await store.items.add(run.run_id, items, unit.now)
    await request_results(store, unit, run)
    # A run of nothing, or only of portfolios that do not exist, has ended as it began.
    await end_runs(store, unit, [run.run_id])


def _refuse_impossible(command: RunJob) -> None:
    if command.job == "import":
        raise ServiceError(Code.ERR_BATCH_004, "An import begins with an upload, not by a command.")
    if command.portfolio_ids is not None and not command.portfolio_ids:
        raise ServiceError(Code.ERR_BATCH_004, "The command names no portfolio.")
    if not is_plain(command.requested_by):
        raise ServiceError(Code.ERR_BATCH_004, "requested_by contains control characters.")


async def _known(
    command: RunJob, store: Store, also_known: Sequence[Portfolio]
) -> dict[UUID, Portfolio]:
    if command.portfolio_ids is None:
        return {}
    known = await store.portfolios.hold(command.portfolio_ids)
    for portfolio in also_known:
        here = known.get(portfolio.portfolio_id)
        if here is None or here.revision < portfolio.revision:
            known[portfolio.portfolio_id] = portfolio
    return known


def _items(command: RunJob, known: dict[UUID, Portfolio]) -> list[Item]:
    items = [
        item_for(portfolio_id, None, known.get(portfolio_id))
        for portfolio_id in sorted(set(command.portfolio_ids or ()))
    ]
    unknown = [str(item.portfolio_id) for item in items if item.reason == "unknown_portfolio"]
    if unknown:
        log.warning("unknown_portfolios", job=command.job, portfolio_ids=unknown)
    return items


async def _under_way(store: Store, run: Run, items: list[Item]) -> Run | None:
    if run.forced:
        return None
    # Somebody who wants one portfolio calculated is served by any run that is about to do it.
    sole = items[0] if run.job == "calculate" and len(items) == 1 else None
    pending = sole if sole and sole.outcome is None else None
    return await store.runs.open_like(run, pending)


def _how(found: Run, wanted: Run) -> Literal["joined", "repeated"]:
    same = (found.job, found.as_of, found.scope) == (wanted.job, wanted.as_of, wanted.scope)
    return "repeated" if same else "joined"

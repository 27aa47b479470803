"""How runs begin and end, whatever message it is that begins or ends them."""

from collections.abc import Collection, Mapping
from datetime import date
from uuid import UUID

import structlog

from common.events.scheduler import RunCompleted, RunRequested
from common.unit_of_work import Unit
from scheduler.domain import Ending, Run, in_chunks, item_for, owner_of, scope_of
from scheduler.repository import Store

log = structlog.get_logger()


async def join_flow(store: Store, unit: Unit, revisions: Mapping[UUID, int]) -> Run | None:
    """Return the run that a message belongs to; open it if this is the first that is heard of it.

    The scheduler writes down its own runs before anyone can hear of them, so an unknown run is an
    import that onboarding has minted. Its items are the portfolios of its first message.
    """
    run_id = unit.cause.run_id
    if run_id is None:
        return None
    run = await store.runs.find(run_id)
    if run is not None or not revisions:
        return run
    known = await store.portfolios.hold(revisions)
    run = Run(
        run_id=run_id,
        job="import",
        as_of=None,
        scope=scope_of(revisions),
        opened_at=unit.now,
        user_id=unit.cause.user_id or owner_of(known.values()),
    )
    if not await store.runs.adopt(run):
        # Another message of the flow was a moment faster, in another transaction.
        return await store.runs.find(run_id)
    items = [
        item_for(portfolio_id, revision, known.get(portfolio_id))
        for portfolio_id, revision in revisions.items()
    ]
    await store.items.add(run_id, items, unit.now)
    log.info("import_joined", opened_run=str(run_id), items=len(items))
    await end_runs(store, unit, [run_id])
    return run


async def learn(store: Store, unit: Unit, run: Run | None, as_of: date | None) -> None:
    """Complete an import by what this message says and the one that opened it did not."""
    if run is None or run.job != "import":
        return
    user_id = unit.cause.user_id
    if (run.as_of is None and as_of) or (run.user_id is None and user_id):
        await store.runs.learn(run.run_id, as_of=as_of, user_id=user_id)


async def request_results(store: Store, unit: Unit, run: Run) -> None:
    """Ask for prices and results of a run's items, a chunk at a time."""
    if run.as_of is None:
        raise ValueError(f"run {run.run_id} has no session to ask results for")
    for items in in_chunks(await store.items.pending(run.run_id)):
        unit.publish(
            RunRequested(job=run.job, as_of=run.as_of, items=items, force=run.forced),
            run_id=run.run_id,
            user_id=run.user_id,
            for_nobody=run.user_id is None,
        )


async def end_runs(store: Store, unit: Unit, run_ids: Collection[UUID]) -> None:
    """End and announce those of some locked runs of which every item has an outcome."""
    endings = await store.runs.ended(run_ids) if run_ids else []
    if not endings:
        return
    await store.runs.close(endings, unit.now)
    for ending in endings:
        unit.publish(
            _completed(ending),
            run_id=ending.run.run_id,
            user_id=ending.run.user_id,
            for_nobody=ending.run.user_id is None,
        )
        log.info(
            "run_ended",
            ended_run=str(ending.run.run_id),
            job=ending.run.job,
            status=ending.tally.end_status,
            items=ending.tally.total,
            failed=ending.tally.failed,
        )


def _completed(ending: Ending) -> RunCompleted:
    return RunCompleted(
        job=ending.run.job,
        as_of=ending.run.as_of,
        status=ending.tally.end_status,
        portfolio_ids=ending.portfolio_ids,
        calculated=ending.tally.calculated,
        failed=ending.tally.failed,
        superseded=ending.tally.superseded,
    )

"""One portfolio's owner asks for its results, and how far they are."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from common.errors import ServiceError
from common.events.scheduler import RunJob
from common.http import Transaction
from common.identity import Caller, OwnedPortfolio
from common.refusals import may_refuse
from common.unit_of_work import UnitOfWork
from scheduler.api.portfolios import BookOfRecord, OwnPortfolio
from scheduler.domain import Code, Portfolio, Progress
from scheduler.handlers.commands import Started, start
from scheduler.repository import Store
from scheduler.schemas import BatchStatus, CalculationStarted, Preprocessing

router = APIRouter(tags=["calculations"])

CALCULATE = "Calculate a portfolio now"
STATUS = "Where a portfolio stands in a run"


@router.post("/api/v1/portfolio/{portfolio_id}/calculate", status_code=202, summary=CALCULATE)
@router.post(
    "/api/v1/analytics/portfolio/{portfolio_id}/calculate", status_code=202, summary=CALCULATE
)
@may_refuse(Code.ERR_BATCH_001)
async def calculate(
    portfolio: OwnPortfolio,
    caller: Caller,
    unit: Transaction,
    force: Annotated[
        bool, Query(description="Open a new run even though one is under way.")
    ] = False,
) -> CalculationStarted:
    """Bring the portfolio's results up to date for the last closed session.

    When an import or a nightly run is about to calculate it, the answer names that run.
    ERR_BATCH_001 (409) when the same calculation is open already.
    """
    store = Store(unit)
    command = RunJob(
        job="calculate",
        portfolio_ids=(portfolio.portfolio_id,),
        force=force,
        requested_by=caller.email or str(caller.user_id),
    )
    started = await start(command, store, unit, also_known=[portfolio])
    refuse_repeat(started)
    coverage = await store.items.last_coverage(portfolio.portfolio_id)
    return CalculationStarted(
        batch_run_id=started.run_id,
        portfolio_id=portfolio.portfolio_id,
        preprocessing=Preprocessing.of(coverage),
        message=_sentence(started),
        poll_url=f"/api/v1/portfolio/{portfolio.portfolio_id}/batch-status/{started.run_id}",
    )


@router.get("/api/v1/portfolio/{portfolio_id}/batch-status/{run_id}", summary=STATUS)
@router.get("/api/v1/analytics/portfolio/{portfolio_id}/batch-status/{run_id}", summary=STATUS)
@may_refuse(Code.ERR_BATCH_002)
async def batch_status(
    portfolio_id: OwnedPortfolio, run_id: UUID, request: Request, onboarding: BookOfRecord
) -> BatchStatus:
    """Tell where the portfolio stands in a run. ERR_BATCH_002 (404) for a run without it.

    Right after an upload the run may not have been heard of here. That can be told apart from a
    wrong id: then onboarding has a newer revision than any event has brought, and the answer is
    `running`, stage `queued`.
    """
    unit_of_work: UnitOfWork = request.app.state.unit_of_work
    async with unit_of_work.begin() as unit:
        # In this order: the message that brings a revision opens its run in the same transaction,
        # so a revision that has been heard of cannot have a run that has not.
        heard = await Store(unit).portfolios.find(portfolio_id)
        progress = await _progress(Store(unit), run_id, portfolio_id)
    if progress is not None:
        return BatchStatus.of(progress, portfolio_id, unit.now)
    recorded = await onboarding.portfolio(portfolio_id)
    if recorded is None or not _is_news(recorded, heard):
        raise ServiceError(
            Code.ERR_BATCH_002, f"No run with the id {run_id} includes portfolio {portfolio_id}."
        )
    return BatchStatus.queued(run_id, portfolio_id)


def refuse_repeat(started: Started) -> None:
    """Raise ERR_BATCH_001 when the run was open already."""
    if started.how == "repeated":
        raise ServiceError(
            Code.ERR_BATCH_001,
            f"This calculation is under way already, as run {started.run_id}.",
            details={"batch_run_id": started.run_id},
        )


async def _progress(store: Store, run_id: UUID, portfolio_id: UUID) -> Progress | None:
    run = await store.runs.find(run_id)
    return None if run is None else await store.items.progress(run, portfolio_id)


def _is_news(recorded: Portfolio, heard: Portfolio | None) -> bool:
    return heard is None or recorded.revision > heard.revision


def _sentence(started: Started) -> str:
    if started.how == "joined":
        return f"The run under way for the session of {started.as_of} calculates it."
    return f"The calculation for the session of {started.as_of} has started."

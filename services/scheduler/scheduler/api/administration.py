"""An administrator runs jobs and looks at runs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from common.errors import CommonCode, ServiceError
from common.events.scheduler import RunJob
from common.http import Transaction
from common.identity import Administrator
from common.refusals import may_refuse
from scheduler.api.calculations import refuse_repeat
from scheduler.api.portfolios import find_portfolio
from scheduler.domain import EVERYTHING, Code, Portfolio
from scheduler.handlers.commands import start
from scheduler.repository import Store
from scheduler.schemas import (
    CurrentRun,
    JobRequest,
    JobStarted,
    NoCurrentRun,
    PastRun,
    RunHistory,
)

router = APIRouter(prefix="/api/v1/admin/batch", tags=["administration"])

CURRENT_RUN = "/api/v1/admin/batch/run/current"


@may_refuse(CommonCode.ERR_PORTFOLIO_404)
async def named_portfolio(
    request: Request,
    portfolio_id: Annotated[UUID | None, Query(description="Only this portfolio.")] = None,
) -> Portfolio | None:
    """Return the portfolio that the query names; ERR_PORTFOLIO_404 when there is none."""
    return None if portfolio_id is None else await find_portfolio(portfolio_id, request)


NamedPortfolio = Annotated[Portfolio | None, Depends(named_portfolio)]


@router.post("/run", summary="Run a job")
@may_refuse(Code.ERR_BATCH_001, Code.ERR_BATCH_003, Code.ERR_BATCH_004)
async def run_batch(
    administrator: Administrator,
    portfolio: NamedPortfolio,
    unit: Transaction,
    force: Annotated[
        bool, Query(description="Open a new run even though the same one is open.")
    ] = False,
    body: JobRequest | None = None,
) -> JobStarted:
    """Run a job for one portfolio, for some, or for all.

    ERR_BATCH_001 (409) when the same run is open already; a portfolio nobody knows is a failed
    item of the run.
    """
    asked = body or JobRequest()
    portfolio_ids = _portfolio_ids(portfolio, asked)
    command = RunJob(
        job=asked.job or ("nightly" if portfolio_ids is None else "calculate"),
        as_of=asked.as_of,
        portfolio_ids=portfolio_ids,
        force=force,
        requested_by=administrator.email or str(administrator.user_id),
    )
    started = await start(
        command, Store(unit), unit, also_known=[] if portfolio is None else [portfolio]
    )
    refuse_repeat(started)
    return JobStarted(
        batch_run_id=started.run_id,
        portfolio_id=_label(portfolio_ids),
        triggered_by=command.requested_by,
        timestamp=unit.now,
        poll_url=CURRENT_RUN,
    )


@router.get("/run/current", summary="The open run")
async def current_run(
    _administrator: Administrator, unit: Transaction
) -> CurrentRun | NoCurrentRun:
    """Show the open run: the last one opened, an import only when there is no other."""
    current = await Store(unit).runs.current()
    return NoCurrentRun() if current is None else CurrentRun.of(*current, unit.now)


@router.get("/runs", summary="Past runs")
async def past_runs(
    _administrator: Administrator,
    unit: Transaction,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> RunHistory:
    """List runs, newest first."""
    runs, total = await Store(unit).runs.page(limit=limit, offset=offset)
    return RunHistory(
        runs=[PastRun.of(run, tally, unit.now) for run, tally in runs],
        total=total,
        has_more=offset + len(runs) < total,
    )


def _portfolio_ids(portfolio: Portfolio | None, asked: JobRequest) -> tuple[UUID, ...] | None:
    if portfolio is not None and asked.portfolio_ids is not None:
        raise ServiceError(
            Code.ERR_BATCH_004, "Name portfolios in the query or in the body, not in both."
        )
    if portfolio is not None:
        return (portfolio.portfolio_id,)
    return None if asked.portfolio_ids is None else tuple(asked.portfolio_ids)


def _label(portfolio_ids: tuple[UUID, ...] | None) -> str | None:
    if portfolio_ids is None:
        return EVERYTHING
    return str(portfolio_ids[0]) if len(portfolio_ids) == 1 else None

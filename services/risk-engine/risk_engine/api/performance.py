"""An account's past: a row for each session."""

from datetime import date
from typing import Annotated

from fastapi import Query, Response

from common.http import Transaction, rendered
from common.identity import OwnedPortfolio
from risk_engine import schemas
from risk_engine.api.reading import of_portfolio
from risk_engine.repository import Store

router = of_portfolio()

SESSIONS_IN_ANSWER = 2_600
"""Ten years."""


@router.get(
    "/snapshots",
    summary="A portfolio session by session",
    response_model=schemas.SnapshotHistory,
)
async def read_snapshots(
    portfolio_id: OwnedPortfolio,
    unit: Transaction,
    start: Annotated[date, Query(alias="from", description="First session")] = date.min,
    end: Annotated[date, Query(alias="to", description="Last session")] = date.max,
    limit: Annotated[int, Query(ge=1, le=SESSIONS_IN_ANSWER)] = SESSIONS_IN_ANSWER,
) -> Response:
    """Return value, cash, exposures and the session's gain, oldest first, the latest `limit`.

    Without sessions in the span the answer is `available: false`, and `reason` says why.
    """
    found = await Store(unit).histories.snapshots(portfolio_id, limit + 1, start=start, end=end)
    return await rendered(
        lambda: schemas.snapshot_history(portfolio_id, found, limit, start=start, end=end)
    )

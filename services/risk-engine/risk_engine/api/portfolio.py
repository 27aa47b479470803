"""A portfolio as a whole: the report, the overview, and what other services ask for."""

from fastapi import APIRouter, Depends, Response

from common.http import Transaction, rendered
from common.identity import OwnedPortfolio, internal
from risk_engine import schemas
from risk_engine.api.reading import Everything, Exposed, of_portfolio
from risk_engine.repository import Store

router = APIRouter()
reads = of_portfolio()

SNAPSHOTS_IN_REPORT = 30


@reads.get(
    "/report",
    summary="Everything known of a portfolio",
    response_model=schemas.Report,
)
async def read_report(
    portfolio_id: OwnedPortfolio, known: Everything, unit: Transaction
) -> Response:
    """Return every engine's result by name, what failed and why, and the last 30 sessions.

    A portfolio without results answers `available: false` and the reason.
    """
    snapshots = await Store(unit).histories.snapshots(portfolio_id, SNAPSHOTS_IN_REPORT)
    return await rendered(lambda: schemas.report(portfolio_id, known, snapshots))


@reads.get(
    "/overview",
    summary="A portfolio at a glance",
    response_model=schemas.Overview,
)
async def read_overview(portfolio_id: OwnedPortfolio, known: Exposed) -> Response:
    """Return value, cash, exposures by market value and profit; what is not known is null."""
    return await rendered(lambda: schemas.overview(portfolio_id, known))


@router.post("/internal/valuations", dependencies=[Depends(internal)], include_in_schema=False)
async def read_valuations(body: schemas.ValuationsRequest, unit: Transaction) -> Response:
    """Return the newest valuation of each portfolio, with its positions if they are wanted."""
    known = await Store(unit).knowledge.of(body.portfolio_ids, ["valuation"])
    return await rendered(
        lambda: schemas.valuations(body.portfolio_ids, known, positions=body.positions)
    )


router.include_router(reads)

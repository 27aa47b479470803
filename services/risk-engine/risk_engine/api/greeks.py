"""The Greeks of a portfolio."""

from fastapi import APIRouter, Response

from common.http import Transaction, rendered
from common.identity import OwnedPortfolio
from risk_engine import schemas
from risk_engine.repository import Store

router = APIRouter()


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/greeks",
    tags=["analytics"],
    summary="How a portfolio and its options react",
    response_model=schemas.GreeksAnswer,
)
async def read_greeks(portfolio_id: OwnedPortfolio, unit: Transaction) -> Response:
    """Return Greeks per share, per position, by underlying and in total, with units and sources.

    A portfolio without them answers `available: false` and why.
    """
    known = await Store(unit).results.known([portfolio_id], ["valuation", "greeks"])
    return await rendered(lambda: schemas.greeks(portfolio_id, known.get(portfolio_id)))

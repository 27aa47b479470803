"""How much a portfolio varies."""

from fastapi import APIRouter

from common.http import Transaction
from common.identity import OwnedPortfolio
from risk_engine.repository import Store
from risk_engine.schemas.volatility import Volatility, volatility

router = APIRouter()


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/volatility",
    tags=["analytics"],
    summary="Volatility now, expected, and where it is heading",
)
async def read_volatility(portfolio_id: OwnedPortfolio, unit: Transaction) -> Volatility:
    """Return annual volatility of what is held now; `available: false` where it is not known."""
    known = await Store(unit).results.known([portfolio_id], ["volatility"])
    return volatility(portfolio_id, known.get(portfolio_id))

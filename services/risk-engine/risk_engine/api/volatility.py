"""How much a portfolio varies."""

from fastapi import Response

from common.http import rendered
from common.identity import OwnedPortfolio
from risk_engine.api.reading import Volatile, of_portfolio
from risk_engine.schemas.volatility import Volatility, volatility

router = of_portfolio()


@router.get(
    "/volatility",
    summary="Volatility now, expected, and where it is heading",
    response_model=Volatility,
)
async def read_volatility(portfolio_id: OwnedPortfolio, known: Volatile) -> Response:
    """Return annual volatility of what is held now; `available: false` where it is not known."""
    return await rendered(lambda: volatility(portfolio_id, known))

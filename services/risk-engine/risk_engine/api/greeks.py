"""The Greeks of a portfolio."""

from fastapi import Response

from common.http import rendered
from common.identity import OwnedPortfolio
from risk_engine import schemas
from risk_engine.api.reading import Greeks, of_portfolio

router = of_portfolio()


@router.get(
    "/greeks",
    summary="How a portfolio and its options react",
    response_model=schemas.GreeksAnswer,
)
async def read_greeks(portfolio_id: OwnedPortfolio, known: Greeks) -> Response:
    """Return Greeks per share, per position, by underlying and in total, with units and sources.

    A portfolio without them answers `available: false` and why.
    """
    return await rendered(lambda: schemas.greeks(portfolio_id, known))

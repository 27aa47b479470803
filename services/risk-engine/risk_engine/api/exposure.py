"""What a portfolio is exposed to: everything, its sectors, its concentration."""

from fastapi import Response

from common.http import rendered
from common.identity import OwnedPortfolio
from risk_engine import schemas
from risk_engine.api.reading import Exposed, of_portfolio

router = of_portfolio()


@router.get(
    "/exposure",
    summary="What a portfolio is exposed to",
    response_model=schemas.Exposure,
)
async def read_exposure(portfolio_id: OwnedPortfolio, known: Exposed) -> Response:
    """Return exposures, convexity, sectors, concentration and liquidity, and on what they rest."""
    return await rendered(lambda: schemas.exposure(portfolio_id, known))


@router.get(
    "/sector-exposure",
    summary="A portfolio's sectors beside its benchmark's",
    response_model=schemas.SectorExposure,
)
async def read_sector_exposure(portfolio_id: OwnedPortfolio, known: Exposed) -> Response:
    """Return sector weights on delta-adjusted exposure, funds looked through.

    Without positions or a positive net asset value it answers `available: false`.
    """
    return await rendered(lambda: schemas.sector_exposure(portfolio_id, known))


@router.get(
    "/concentration",
    summary="How concentrated a portfolio is",
    response_model=schemas.ConcentrationMetrics,
)
async def read_concentration(portfolio_id: OwnedPortfolio, known: Exposed) -> Response:
    """Return concentration of gross delta-adjusted exposure, each underlying netted."""
    return await rendered(lambda: schemas.concentration_metrics(portfolio_id, known))

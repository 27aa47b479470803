"""What a portfolio is exposed to: everything, its sectors, its concentration."""

from fastapi import APIRouter, Response

from common.http import Transaction, rendered
from common.identity import OwnedPortfolio
from risk_engine import schemas
from risk_engine.domain import EngineName
from risk_engine.repository import Store

router = APIRouter()

_READ: tuple[EngineName, ...] = ("valuation", "exposure")


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/exposure",
    tags=["analytics"],
    summary="What a portfolio is exposed to",
    response_model=schemas.Exposure,
)
async def read_exposure(portfolio_id: OwnedPortfolio, unit: Transaction) -> Response:
    """Return exposures, convexity, sectors, concentration and liquidity, and on what they rest."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    return await rendered(lambda: schemas.exposure(portfolio_id, known.get(portfolio_id)))


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/sector-exposure",
    tags=["analytics"],
    summary="A portfolio's sectors beside its benchmark's",
)
async def read_sector_exposure(
    portfolio_id: OwnedPortfolio, unit: Transaction
) -> schemas.SectorExposure:
    """Return sector weights on delta-adjusted exposure, funds looked through.

    Without positions or a positive net asset value it answers `available: false`.
    """
    known = await Store(unit).results.known([portfolio_id], _READ)
    return schemas.sector_exposure(portfolio_id, known.get(portfolio_id))


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/concentration",
    tags=["analytics"],
    summary="How concentrated a portfolio is",
)
async def read_concentration(
    portfolio_id: OwnedPortfolio, unit: Transaction
) -> schemas.ConcentrationMetrics:
    """Return concentration of gross delta-adjusted exposure, each underlying netted."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    return schemas.concentration_metrics(portfolio_id, known.get(portfolio_id))

"""Which forces move a portfolio: factors, spreads, and betas by position."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from common.http import Transaction, rendered
from common.identity import OwnedPortfolio
from common.unit_of_work import UnitOfWork
from risk_engine import schemas
from risk_engine.domain import EngineName
from risk_engine.repository import Store

router = APIRouter()

_READ: tuple[EngineName, ...] = ("valuation", "factors")
_PORTFOLIO = "/api/v1/analytics/portfolio/{portfolio_id}"


def page_in(
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
    symbols: Annotated[str, Query(description="Symbols, separated by commas")] = "",
) -> schemas.Page:
    """Return which positions a client asks for."""
    wanted = (symbol.strip().upper() for symbol in symbols.split(","))
    return schemas.Page(limit, offset, frozenset(symbol for symbol in wanted if symbol))


AskedPage = Annotated[schemas.Page, Depends(page_in)]


@router.get(
    f"{_PORTFOLIO}/factors",
    tags=["analytics"],
    summary="Everything known of a portfolio's factors",
    response_model=schemas.Factors,
)
async def read_factors(portfolio_id: OwnedPortfolio, unit: Transaction) -> Response:
    """Return exposures, betas, durations and risk by factor and position, and on what they rest."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    return await rendered(lambda: schemas.factors(portfolio_id, known.get(portfolio_id)))


@router.get(
    f"{_PORTFOLIO}/factor-exposures",
    tags=["analytics"],
    summary="What a portfolio's factors are",
)
async def read_factor_exposures(
    portfolio_id: OwnedPortfolio, unit: Transaction, request: Request
) -> schemas.FactorExposures:
    """Return exposures under the names existing clients know; one that is null is not listed."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    now = _unit_of_work(request).clock()
    return schemas.factor_exposures(portfolio_id, known.get(portfolio_id), now)


@router.get(
    f"{_PORTFOLIO}/positions/factor-exposures",
    tags=["analytics"],
    summary="What each position's factors are",
    response_model=schemas.PositionsFactorExposures,
)
async def read_positions_factor_exposures(
    portfolio_id: OwnedPortfolio, unit: Transaction, request: Request, page: AskedPage
) -> Response:
    """Return a page of the positions that have loadings, by symbol and id."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    now = _unit_of_work(request).clock()
    return await rendered(
        lambda: schemas.positions_factor_exposures(portfolio_id, known.get(portfolio_id), now, page)
    )


@router.get(
    f"{_PORTFOLIO}/spread-factors",
    tags=["analytics"],
    summary="What a portfolio leans to",
)
async def read_spread_factors(
    portfolio_id: OwnedPortfolio, unit: Transaction
) -> schemas.SpreadFactors:
    """Return growth against value, momentum, size and quality, each freed of the market."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    return schemas.spread_factors(portfolio_id, known.get(portfolio_id))


@router.get(
    f"{_PORTFOLIO}/beta-comparison",
    tags=["analytics"],
    summary="A data vendor's betas beside calculated ones",
    response_model=schemas.BetaComparison,
)
async def read_beta_comparison(portfolio_id: OwnedPortfolio, unit: Transaction) -> Response:
    """Return both betas of every position, closed ones included."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    return await rendered(lambda: schemas.beta_comparison(portfolio_id, known.get(portfolio_id)))


@router.get(
    f"{_PORTFOLIO}/market-beta",
    tags=["analytics"],
    summary="A portfolio's market beta, under its oldest names",
    deprecated=True,
)
async def read_market_beta(
    portfolio_id: OwnedPortfolio, unit: Transaction
) -> schemas.MarketBetaAnswer:
    """Return what `beta-calculated-90d` returns, as older clients read it."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    return schemas.market_beta(portfolio_id, known.get(portfolio_id))


@router.get(
    f"{_PORTFOLIO}/beta-calculated-90d",
    tags=["analytics"],
    summary="A portfolio's market beta",
)
async def read_calculated_beta(
    portfolio_id: OwnedPortfolio, unit: Transaction
) -> schemas.CalculatedBetaAnswer:
    """Return the beta of what is held, over 252 sessions; the path keeps its old name."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    return schemas.calculated_beta(portfolio_id, known.get(portfolio_id))


@router.get(
    f"{_PORTFOLIO}/beta-provider-1y",
    tags=["analytics"],
    summary="A portfolio's market beta by a data vendor",
)
async def read_provider_beta(
    portfolio_id: OwnedPortfolio, unit: Transaction
) -> schemas.ProviderBetaAnswer:
    """Return the beta of the vendor's betas, of listed positions that are no options."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    return schemas.provider_beta(portfolio_id, known.get(portfolio_id))


def _unit_of_work(request: Request) -> UnitOfWork:
    unit_of_work: UnitOfWork = request.app.state.unit_of_work
    return unit_of_work

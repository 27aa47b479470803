"""Which forces move a portfolio: factors, spreads, and betas by position."""

from typing import Annotated

from fastapi import Depends, Query, Response

from common.http import Transaction, rendered
from common.identity import OwnedPortfolio
from risk_engine import schemas
from risk_engine.api.reading import Factored, of_portfolio

router = of_portfolio()


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
    "/factors",
    summary="Everything known of a portfolio's factors",
    response_model=schemas.Factors,
)
async def read_factors(portfolio_id: OwnedPortfolio, known: Factored) -> Response:
    """Return exposures, betas, durations and risk by factor and position, and on what they rest."""
    return await rendered(lambda: schemas.factors(portfolio_id, known))


@router.get(
    "/factor-exposures",
    summary="What a portfolio's factors are",
    response_model=schemas.FactorExposures,
)
async def read_factor_exposures(
    portfolio_id: OwnedPortfolio, known: Factored, unit: Transaction
) -> Response:
    """Return exposures under the names existing clients know; one that is null is not listed."""
    return await rendered(lambda: schemas.factor_exposures(portfolio_id, known, unit.now))


@router.get(
    "/positions/factor-exposures",
    summary="What each position's factors are",
    response_model=schemas.PositionsFactorExposures,
)
async def read_positions_factor_exposures(
    portfolio_id: OwnedPortfolio, known: Factored, unit: Transaction, page: AskedPage
) -> Response:
    """Return a page of the positions that have loadings, by symbol and id."""
    return await rendered(
        lambda: schemas.positions_factor_exposures(portfolio_id, known, unit.now, page)
    )


@router.get(
    "/spread-factors",
    summary="What a portfolio leans to",
    response_model=schemas.SpreadFactors,
)
async def read_spread_factors(portfolio_id: OwnedPortfolio, known: Factored) -> Response:
    """Return growth against value, momentum, size and quality, each freed of the market."""
    return await rendered(lambda: schemas.spread_factors(portfolio_id, known))


@router.get(
    "/beta-comparison",
    summary="A data vendor's betas beside calculated ones",
    response_model=schemas.BetaComparison,
)
async def read_beta_comparison(portfolio_id: OwnedPortfolio, known: Factored) -> Response:
    """Return both betas of every position, closed ones included."""
    return await rendered(lambda: schemas.beta_comparison(portfolio_id, known))


@router.get(
    "/market-beta",
    summary="A portfolio's market beta, under its oldest names",
    deprecated=True,
    response_model=schemas.MarketBetaAnswer,
)
async def read_market_beta(portfolio_id: OwnedPortfolio, known: Factored) -> Response:
    """Return what `beta-calculated-90d` returns, as older clients read it."""
    return await rendered(lambda: schemas.market_beta(portfolio_id, known))


@router.get(
    "/beta-calculated-90d",
    summary="A portfolio's market beta",
    response_model=schemas.CalculatedBetaAnswer,
)
async def read_calculated_beta(portfolio_id: OwnedPortfolio, known: Factored) -> Response:
    """Return the beta of what is held, over 252 sessions; the path keeps its old name."""
    return await rendered(lambda: schemas.calculated_beta(portfolio_id, known))


@router.get(
    "/beta-provider-1y",
    summary="A portfolio's market beta by a data vendor",
    response_model=schemas.ProviderBetaAnswer,
)
async def read_provider_beta(portfolio_id: OwnedPortfolio, known: Factored) -> Response:
    """Return the beta of the vendor's betas, of listed positions that are no options."""
    return await rendered(lambda: schemas.provider_beta(portfolio_id, known))

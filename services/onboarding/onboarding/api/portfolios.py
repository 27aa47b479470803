"""Portfolios as their owners read them."""

from fastapi import APIRouter

from common.errors import CommonCode, ServiceError
from common.identity import Caller, OwnedPortfolio
from onboarding.api.context import Units, Valuations
from onboarding.clients import Valuation
from onboarding.domain.books import ImportRecord, Portfolio
from onboarding.repository import Store
from onboarding.schemas import (
    Counts,
    ImportedFrom,
    PortfolioDetail,
    PortfolioSummary,
    ValuationState,
)

router = APIRouter(prefix="/api/v1/data/portfolios", tags=["portfolios"])


@router.get("", summary="The caller's portfolios")
async def portfolios(
    caller: Caller, units: Units, risk_engine: Valuations
) -> list[PortfolioSummary]:
    """Return the caller's portfolios with what they are worth; empty when there is none."""
    async with units.begin() as unit:
        found = await Store(unit).portfolios_of(caller.user_id)
    known = await risk_engine.valuations([portfolio.id for portfolio in found])
    return [_summary(portfolio, known[portfolio.id]) for portfolio in found]


@router.get("/{portfolio_id}", summary="A portfolio whole")
async def portfolio(
    portfolio_id: OwnedPortfolio, units: Units, risk_engine: Valuations
) -> PortfolioDetail:
    """Return a portfolio whole: details, counts, worth, and the import it came from."""
    async with units.begin() as unit:
        store = Store(unit)
        found = await store.portfolio(portfolio_id)
        record = await store.last_import(portfolio_id)
    if found is None:
        raise ServiceError(CommonCode.ERR_PORTFOLIO_404)
    known = await risk_engine.valuations([portfolio_id])
    return _detail(found, record, known[portfolio_id])


def state_of(valuation: Valuation) -> ValuationState:
    """Return what a reader must know about where the figures come from."""
    return ValuationState.model_validate(valuation, from_attributes=True)


def _summary(portfolio: Portfolio, known: Valuation) -> PortfolioSummary:
    valuation = known.of_revision(portfolio.revision)
    totals = valuation.totals
    return PortfolioSummary(
        id=portfolio.id,
        name=portfolio.name,
        total_value=totals and totals.net_asset_value,
        total_market_value=totals and totals.net_market_value,
        equity_balance=portfolio.equity_balance,
        currency=portfolio.currency,
        revision=portfolio.revision,
        position_count=portfolio.counts.open,
        created_at=portfolio.created_at,
        updated_at=portfolio.updated_at,
        valuation=state_of(valuation),
    )


def _detail(portfolio: Portfolio, record: ImportRecord | None, known: Valuation) -> PortfolioDetail:
    return PortfolioDetail(
        **dict(_summary(portfolio, known)),
        description=portfolio.description,
        opening_session=portfolio.opening_session,
        counts=Counts.model_validate(portfolio.counts, from_attributes=True),
        imported_from=record and ImportedFrom.model_validate(record, from_attributes=True),
    )

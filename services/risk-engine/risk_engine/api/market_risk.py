"""What a portfolio may lose."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from common.http import Transaction, rendered
from common.identity import OwnedPortfolio
from risk_engine import schemas
from risk_engine.repository import Store

router = APIRouter()


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/market-risk",
    tags=["analytics"],
    summary="What a portfolio may lose, why, and whether such forecasts held",
    response_model=schemas.MarketRisk,
)
async def read_market_risk(portfolio_id: OwnedPortfolio, unit: Transaction) -> Response:
    """Return value at risk and expected shortfall by method, components and a backtest.

    Losses are positive. `available: false` where they have not been calculated.
    """
    known = await Store(unit).results.known([portfolio_id], ["valuation", "market_risk"])
    return await rendered(lambda: schemas.market_risk(portfolio_id, known.get(portfolio_id)))


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/risk-metrics",
    tags=["analytics"],
    summary="Beta, volatility and drawdown",
    deprecated=True,
)
async def read_risk_metrics(
    portfolio_id: OwnedPortfolio,
    unit: Transaction,
    lookback_days: Annotated[int, Query(ge=30, le=252, description="Sessions")] = 90,
) -> schemas.RiskMetrics:
    """Return three numbers that existing clients know; `market-risk` and others say more."""
    store = Store(unit)
    known = await store.results.known([portfolio_id], ["exposure"])
    snapshots = await store.histories.snapshots(portfolio_id, lookback_days)
    return schemas.risk_metrics(portfolio_id, known.get(portfolio_id), snapshots, lookback_days)

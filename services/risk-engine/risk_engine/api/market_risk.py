"""What a portfolio may lose."""

from typing import Annotated

from fastapi import Query, Response

from common.http import Transaction, rendered
from common.identity import OwnedPortfolio
from risk_engine import schemas
from risk_engine.api.reading import AtRisk, Exposed, of_portfolio
from risk_engine.repository import Store

router = of_portfolio()


@router.get(
    "/market-risk",
    summary="What a portfolio may lose, why, and whether such forecasts held",
    response_model=schemas.MarketRisk,
)
async def read_market_risk(portfolio_id: OwnedPortfolio, known: AtRisk) -> Response:
    """Return value at risk and expected shortfall by method, components and a backtest.

    Losses are positive. `available: false` where they have not been calculated.
    """
    return await rendered(lambda: schemas.market_risk(portfolio_id, known))


@router.get(
    "/risk-metrics",
    summary="Beta, volatility and drawdown",
    deprecated=True,
    response_model=schemas.RiskMetrics,
)
async def read_risk_metrics(
    portfolio_id: OwnedPortfolio,
    known: Exposed,
    unit: Transaction,
    lookback_days: Annotated[int, Query(ge=30, le=252, description="Sessions")] = 90,
) -> Response:
    """Return three numbers that existing clients know; `market-risk` and others say more."""
    snapshots = await Store(unit).histories.snapshots(portfolio_id, lookback_days)
    return await rendered(
        lambda: schemas.risk_metrics(portfolio_id, known, snapshots, lookback_days)
    )

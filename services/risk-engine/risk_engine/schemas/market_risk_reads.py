"""What is read of market risk: all of it, and the three numbers that existing clients know."""

from collections.abc import Sequence
from datetime import date
from typing import Literal
from uuid import UUID

import numpy as np
from pydantic import Field

from risk_engine.quant.performance import MIN_SESSIONS, drawdown
from risk_engine.quant.volatility import SESSIONS_PER_YEAR
from risk_engine.repository import Known, Snapshot
from risk_engine.schemas.base import Answer, Number
from risk_engine.schemas.exposure import ExposureOut
from risk_engine.schemas.market_risk import MarketRiskOut
from risk_engine.schemas.summary import Summary, read, summary, valuation_of

MetricWarning = Literal["few_snapshots", "no_returns", "beta_unavailable"]


class MarketRisk(Summary):
    """The newest market risk of a portfolio."""

    portfolio_id: UUID
    data: MarketRiskOut | None


class RiskMetricsData(Answer):
    """Three numbers of a portfolio; null where too little is known."""

    portfolio_beta: Number | None = Field(
        description="To the market: sum of dollar deltas times betas, over net asset value"
    )
    annualized_volatility: Number | None = Field(
        description="Of time-weighted returns, 252 sessions a year, a fraction"
    )
    max_drawdown: Number | None = Field(description="Of the time-weighted index, at most 0")


class DateRange(Answer):
    """The sessions that were looked at."""

    start: date
    end: date


class RiskMetricsMetadata(Answer):
    """What the numbers rest on."""

    lookback_days: int = Field(description="Sessions")
    date_range: DateRange | None = None
    observations: int = Field(description="Known daily returns")
    beta_source: Literal["factor_exposure", "unavailable"]
    beta_calculation_date: date | None = None
    warnings: list[MetricWarning]
    reason: Literal["no_snapshots"] | None = None


class RiskMetrics(Answer):
    """Beta, volatility and drawdown under the names existing clients know."""

    available: bool
    portfolio_id: UUID
    risk_metrics: RiskMetricsData | None
    metadata: RiskMetricsMetadata


def market_risk(portfolio_id: UUID, known: Known | None) -> MarketRisk:
    """Read the newest result; None is a portfolio not heard of."""
    result = None if known is None else read("market_risk", known, MarketRiskOut)
    fields = summary(known, valuation_of(known), "market_risk")
    if result is None:
        fields |= {"available": False, "stale": False}
        if fields["reason"] is None:
            fields |= {
                "reason": "not_calculated_yet",
                "message": "Market risk has not been calculated yet.",
            }
    return MarketRisk(**fields, portfolio_id=portfolio_id, data=result)


def risk_metrics(
    portfolio_id: UUID, known: Known | None, snapshots: Sequence[Snapshot], lookback: int
) -> RiskMetrics:
    """Measure the last sessions of an account, of returns that leave its flows out."""
    exposure = None if known is None else read("exposure", known, ExposureOut)
    beta = None if exposure is None else exposure.beta_adjusted_net_share
    returns = np.array(
        [np.nan if one.daily_return is None else one.daily_return for one in snapshots], np.float64
    )
    observed = returns[np.isfinite(returns)]
    enough = len(observed) >= MIN_SESSIONS
    warnings: list[MetricWarning] = []
    if not enough:
        warnings.append("few_snapshots" if observed.size else "no_returns")
    if beta is None:
        warnings.append("beta_unavailable")
    return RiskMetrics(
        available=bool(snapshots),
        portfolio_id=portfolio_id,
        risk_metrics=RiskMetricsData(
            portfolio_beta=beta,
            annualized_volatility=float(np.std(observed, ddof=1) * SESSIONS_PER_YEAR**0.5)
            if enough
            else None,
            max_drawdown=float(drawdown(returns[:, None]).max_drawdown[0]) if enough else None,
        )
        if snapshots
        else None,
        metadata=RiskMetricsMetadata(
            lookback_days=lookback,
            date_range=DateRange(start=snapshots[0].session, end=snapshots[-1].session)
            if snapshots
            else None,
            observations=len(observed),
            beta_source="unavailable" if beta is None else "factor_exposure",
            beta_calculation_date=None if exposure is None else exposure.as_of,
            warnings=warnings,
            reason=None if snapshots else "no_snapshots",
        ),
    )

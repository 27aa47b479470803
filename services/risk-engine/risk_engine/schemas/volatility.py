"""The payload of the engine `volatility`, and what existing clients read of it."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from risk_engine.repository import Known
from risk_engine.schemas.base import Answer, Engine, Money, Number
from risk_engine.schemas.exposure import Quality
from risk_engine.schemas.summary import Summary, read, summary, valuation_of
from risk_engine.schemas.valuation import NoteOut

Direction = Literal["increasing", "decreasing", "stable"]
Source = Literal["own", "proxied", "unmodelled"]


class Window(Answer):
    """Close-to-close volatility over the last sessions, per year, with its 95 % interval."""

    sessions: int
    volatility: Number | None = Field(description="Per year, as a fraction of what varies")
    low: Number | None = Field(description="Lower end of the 95 % interval")
    high: Number | None = Field(description="Upper end of the 95 % interval")
    observations: int = Field(description="Known returns in the window")


class DollarWindow(Window):
    """The same of profits: fractions are of net asset value."""

    dollars_per_session: Money | None = Field(description="One standard deviation, money")


class Measures(Answer):
    """What all series are measured by; volatilities are per year."""

    ewma: Number | None = Field(description="By age, decay 0.94")
    ewma_slow: Number | None = Field(description="By age, decay 0.97")
    downside: Number | None = Field(description="Root mean square of losses, 252 sessions")
    kurtosis: Number | None = Field(description="Of 252 sessions; 3 is Gaussian")


class Coefficient(Answer):
    """A term of the regression, in logs, with its Newey-West standard error."""

    term: Literal["constant", "day", "week", "month"]
    value: Number | None
    standard_error: Number | None
    regressor: Number | None = Field(
        None,
        description="What the coefficient multiplies: 1, and the logs of the mean variance of the "
        "last session, week and month over that of the history",
    )


class Forecast(Answer):
    """Volatility expected over the next sessions, per year."""

    horizon_sessions: int
    volatility: Number | None
    low: Number | None = Field(description="Lower end of the 95 % band of what will be realised")
    high: Number | None = Field(description="Upper end of that band")
    dollars_per_session: Money | None = Field(description="One standard deviation, money")
    model: str | None = Field(description="har_ewma_0.94, or ewma_0.97 for a short history")
    har_volatility: Number | None = Field(
        None, description="The regression's, within 0.3 to 3 times that of 63 sessions"
    )
    mean_volatility: Number | None = Field(
        None, description="Root mean square of the whole history: the regression's unit"
    )
    residual_deviation: Number | None = Field(None, description="Of the regression, in logs")
    loss: Number | None = Field(description="Mean QLIKE of the model on sessions not fitted to")
    ewma_loss: Number | None = Field(description="The same of EWMA 0.94 alone")
    rows: int = Field(description="Rows of the regression")
    coefficients: list[Coefficient]


class Trend(Answer):
    """Volatility of the last 21 sessions against that of the last 126."""

    direction: Direction | None
    log_ratio: Number | None = Field(description="ln(s21 / s126)")
    standard_error: Number | None
    statistic: Number | None = Field(description="Beyond +-1.64 there is a trend")
    sessions: list[int]


class Holdings(Measures):
    """What is held now, through the past: of net asset value."""

    windows: list[DollarWindow]
    forecast: Forecast
    trend: Trend
    percentile: Number | None = Field(
        description="Where 21-session volatility stands among that of two years, 0 to 1"
    )


class WithoutProxies(Measures):
    """What is held now and has a price history of its own: of net asset value."""

    windows: list[DollarWindow]


class Realised(Measures):
    """What the account went through: returns of its stored net asset values."""

    windows: list[Window]


class UnderlyingVolatility(Answer):
    """An underlying that is held, its volatility per year."""

    symbol: str
    subtype: str | None = Field(description="Of a private asset")
    dollar_delta: Money = Field(description="Signed, options at their delta")
    weight: Number | None = Field(
        description="dollar_delta / net asset value; of options on the VIX what their future moves"
    )
    volatility_21d: Number | None
    volatility_63d: Number | None
    volatility_252d: Number | None
    ewma: Number | None
    forecast: Number | None
    forecast_model: str | None
    observations: int
    source: Source


class VolatilityOut(Engine):
    """How much a portfolio varies."""

    engine: Literal["volatility"]
    net_asset_value: Money
    holdings: Holdings
    without_proxies: WithoutProxies
    realised: Realised
    underlyings: list[UnderlyingVolatility] = Field(description="By |dollar_delta|, largest first")
    quality: Quality
    notes: list[NoteOut]


class VolatilityData(Answer):
    """Annual volatility as existing clients read it, of what is held now; fractions of NAV."""

    realized_volatility_21d: Number | None
    realized_volatility_63d: Number | None
    expected_volatility_21d: Number | None
    volatility_trend: Direction | None
    volatility_percentile: Number | None


class Volatility(Summary):
    """A portfolio's volatility, under the names existing clients know."""

    portfolio_id: UUID
    calculation_date: date | None
    data: VolatilityData | None
    metadata: Mapping[str, Any]


def volatility(portfolio_id: UUID, known: Known | None) -> Volatility:
    """Read the newest result; None is a portfolio not heard of."""
    result = None if known is None else read("volatility", known, VolatilityOut)
    told = None if result is None or result.status == "insufficient" else result
    return Volatility(
        **{**summary(known, valuation_of(known), "volatility"), "available": told is not None},
        portfolio_id=portfolio_id,
        calculation_date=None if result is None else result.as_of,
        data=None if told is None else _data(told),
        metadata={"error": _why(known, result)} if told is None else _metadata(told),
    )


def _data(result: VolatilityOut) -> VolatilityData:
    held = result.holdings
    by_sessions = {window.sessions: window.volatility for window in held.windows}
    return VolatilityData(
        realized_volatility_21d=by_sessions[21],
        realized_volatility_63d=by_sessions[63],
        expected_volatility_21d=held.forecast.volatility,
        volatility_trend=held.trend.direction,
        volatility_percentile=held.percentile,
    )


def _metadata(result: VolatilityOut) -> dict[str, Any]:
    model = result.holdings.forecast.model
    return {
        "forecast_model": "EWMA" if model == "ewma_0.97" else "HAR",
        "trading_day_windows": "21d, 63d",
        "basis": "holdings",
        "status": result.status,
        "quality": result.quality.model_dump(),
        "notes": [note.message for note in result.notes],
    }


def _why(known: Known | None, result: VolatilityOut | None) -> str:
    if result is not None:
        return " ".join(note.message for note in result.notes)
    failure = None if known is None else known.failures.get("volatility")
    if failure is not None:
        return failure.message
    return "Volatility has not been calculated yet."

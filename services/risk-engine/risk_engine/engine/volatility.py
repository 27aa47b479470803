"""The engine `volatility`: how much a book varies, as it is held now and as it was lived with."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from risk_engine.domain import Status
from risk_engine.engine.amounts import Amounts, amounts_of, profits
from risk_engine.engine.frame import Frame
from risk_engine.engine.histories import MINIMUM, SOURCES
from risk_engine.engine.memo import Columns
from risk_engine.engine.performance import returns_of
from risk_engine.engine.results import Answer, EngineResult, table
from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.quant import har
from risk_engine.quant.panel import NO_COLUMN, FloatArray, IntArray
from risk_engine.quant.ranges import Bars, realised_variance
from risk_engine.quant.returns import log_returns
from risk_engine.quant.volatility import (
    EWMA_DECAY,
    EWMA_SLOW_DECAY,
    SESSIONS_PER_YEAR,
    TREND_STATISTIC,
    TREND_WINDOWS,
    Trend,
    confidence_band,
    downside_volatility,
    ewma_volatility,
    kurtosis,
    per_year,
    rolling_volatility,
    volatility_percentile,
    volatility_trend,
)

MODEL_VERSION: Final = "volatility-3"
WINDOWS: Final = {21: 17, 63: 51, 252: MINIMUM}
"""Sessions, and how many returns of them must be known."""
RANKED: Final = 21
"""The window whose volatility is ranked among its own past."""
SENTENCES: Final = {
    "nothing_modelled": "Nothing that is held has a history or a proxy to tell volatility from.",
    "unmodelled": "What has no history and no proxy, or is an option without Greeks, is left out.",
    "proxied": "Private assets and short histories are told from factors.",
    "stale_prices": "The last close of some holdings is of an earlier session.",
    "short_history": "The history is too short for some windows: they are null.",
    "no_realised_history": "The account's own history is too short for its realised volatility.",
    "net_asset_value_not_positive": "Net asset value is not positive: only dollars are stated.",
}


@dataclass(frozen=True, eq=False)
class Measured:
    """Volatilities of series in their own unit per year, (windows, series) or (series,)."""

    volatility: FloatArray
    low: FloatArray
    high: FloatArray
    observations: IntArray
    fast: FloatArray
    slow: FloatArray
    downside: FloatArray
    kurtosis: FloatArray


@dataclass(frozen=True, eq=False)
class _Findings:
    """Of all accounts. `held` and `priced` are of profits in dollars, `realised` of returns."""

    held: Measured
    priced: Measured
    realised: Measured
    forecast: har.Forecast
    rows: har.Rows
    fit: har.Fit
    trend: Trend
    percentile: FloatArray


def calculate(frame: Frame) -> list[Answer]:
    """Measure every book of a frame; the answers are in their order.

    `holdings` is what is held now, options at their dollar delta, through the past: risk.
    `realised` is what the account went through, from its net asset values: performance.
    """
    histories = frame.return_histories
    amounts = amounts_of(frame, histories)
    held = profits(frame, histories, amounts)
    ranked = rolling_volatility(held, RANKED)
    # What never varies has no place among its own past.
    ranked = np.where(ranked > 0, ranked, np.nan)
    rows = har.regression_rows(held**2)
    findings = _Findings(
        held=measure(held),
        priced=measure(profits(frame, histories, amounts, proxied=False)),
        realised=measure(returns_of(frame)),
        forecast=har.forecast_volatility(held**2),
        rows=rows,
        fit=har.fit(rows),
        trend=volatility_trend(held),
        percentile=volatility_percentile(ranked),
    )
    underlyings = _underlyings(frame)
    return [
        _answer(frame, account, findings, amounts, _held(frame, account, underlyings))
        for account in range(len(frame.books))
    ]


def measure(series: FloatArray) -> Measured:
    """Measure series, (sessions, series), by all windows and ages."""
    tails = kurtosis(series[-SESSIONS_PER_YEAR:])
    volatility = np.array(
        [rolling_volatility(series[-w:], w, minimum=least)[-1] for w, least in WINDOWS.items()]
    )
    observations = np.array([np.isfinite(series[-w:]).sum(axis=0) for w in WINDOWS])
    band = confidence_band(volatility, observations, tails)
    return Measured(
        volatility=volatility,
        low=band.low,
        high=band.high,
        observations=observations,
        fast=per_year(ewma_volatility(series, EWMA_DECAY)[-1]),
        slow=per_year(ewma_volatility(series, EWMA_SLOW_DECAY)[-1]),
        downside=downside_volatility(series[-SESSIONS_PER_YEAR:], minimum=MINIMUM),
        kurtosis=tails,
    )


def _answer(
    frame: Frame,
    account: int,
    findings: _Findings,
    amounts: Amounts,
    underlyings: dict[str, Any],
) -> Answer:
    nav = float(frame.net_asset_value[account])
    unit = nav if nav >= LEAST_AMOUNT else np.nan
    codes = _codes(findings, amounts, account, nav)
    payload = {
        "net_asset_value": nav,
        "holdings": _measures(findings.held, account, unit, in_dollars=True)
        | {
            "forecast": _forecast(findings, account, unit),
            "trend": _trend(findings.trend, account),
            "percentile": float(findings.percentile[account]),
        },
        "without_proxies": _measures(findings.priced, account, unit, in_dollars=True),
        "realised": _measures(findings.realised, account, 1.0, in_dollars=False),
        "underlyings": underlyings,
        "quality": amounts.quality(account, nav),
        "notes": [{"code": code, "message": SENTENCES[code]} for code in codes],
    }
    return EngineResult(_status(codes), payload)


def _codes(findings: _Findings, amounts: Amounts, account: int, nav: float) -> list[str]:
    volatility = findings.held.volatility[:, account]
    empty = amounts.told[account] + amounts.proxied[account] == 0
    nothing = (empty and amounts.unmodelled[account] > 0) or np.isnan(volatility).all()
    found = {
        "nothing_modelled": nothing,
        "unmodelled": amounts.unmodelled[account] > 0,
        "proxied": amounts.proxied[account] > 0,
        "stale_prices": amounts.stale[account] > 0,
        "short_history": not nothing and np.isnan(volatility).any(),
        "no_realised_history": np.isnan(findings.realised.volatility[0, account]),
        "net_asset_value_not_positive": nav < LEAST_AMOUNT,
    }
    return [code for code, applies in found.items() if applies]


def _status(codes: list[str]) -> Status:
    if "nothing_modelled" in codes:
        return "insufficient"
    if "unmodelled" in codes or "short_history" in codes:
        return "partial"
    return "stale" if "stale_prices" in codes else "ok"


def _measures(measured: Measured, one: int, unit: float, *, in_dollars: bool) -> dict[str, Any]:
    volatility = measured.volatility[:, one]
    windows: dict[str, Any] = {
        "sessions": np.array(list(WINDOWS)),
        "volatility": volatility / unit,
        "low": measured.low[:, one] / unit,
        "high": measured.high[:, one] / unit,
        "observations": measured.observations[:, one],
    }
    if in_dollars:
        windows["dollars_per_session"] = volatility / np.sqrt(SESSIONS_PER_YEAR)
    return {
        "windows": table(**windows),
        "ewma": float(measured.fast[one] / unit),
        "ewma_slow": float(measured.slow[one] / unit),
        "downside": float(measured.downside[one] / unit),
        "kurtosis": float(measured.kurtosis[one]),
    }


def _forecast(findings: _Findings, account: int, unit: float) -> dict[str, Any]:
    forecast, fit, rows = findings.forecast, findings.fit, findings.rows
    volatility = float(forecast.volatility[account])
    return {
        "horizon_sessions": har.HORIZON,
        "volatility": volatility / unit,
        "low": float(forecast.low[account]) / unit,
        "high": float(forecast.high[account]) / unit,
        "dollars_per_session": volatility / np.sqrt(SESSIONS_PER_YEAR),
        "model": har.MODELS[int(forecast.model[account])],
        "har_volatility": float(forecast.regressed[account]) / unit,
        "mean_volatility": float(per_year(np.sqrt(rows.scale[account]))) / unit,
        "residual_deviation": float(fit.deviation[account]),
        "loss": float(forecast.loss[account]),
        "ewma_loss": float(forecast.ewma_loss[account]),
        "rows": int(fit.rows[account]),
        "coefficients": table(
            term=list(har.TERMS),
            value=fit.coefficients[account],
            standard_error=np.sqrt(np.diag(fit.covariance[account])),
            regressor=rows.x[-1, account],
        ),
    }


def _trend(trend: Trend, account: int) -> dict[str, Any]:
    statistic = float(trend.statistic[account])
    direction = "increasing" if statistic > TREND_STATISTIC else "stable"
    if statistic < -TREND_STATISTIC:
        direction = "decreasing"
    return {
        "direction": None if np.isnan(statistic) else direction,
        "log_ratio": float(trend.log_ratio[account]),
        "standard_error": float(trend.standard_error[account]),
        "statistic": statistic,
        "sessions": list(TREND_WINDOWS),
    }


def _underlyings(frame: Frame) -> Columns:
    """Measure each underlying, (underlyings, ...): what `_held` lists of them."""
    column = np.where(frame.factor_model.is_cash, NO_COLUMN, frame.underlyings.column)
    # As contiguous rows, of which each is digested by itself.
    returns = np.ascontiguousarray(frame.return_histories.returns.T)
    digests = [
        hashlib.sha256(bars + row.tobytes()).digest()
        for bars, row in zip(frame.digests.underlyings, returns, strict=True)
    ]

    def measured(rows: IntArray) -> Columns:
        simple = returns[rows].T
        # Ranges are logs of prices: what closes add to them, and stand in for, is in logs too.
        logs = log_returns(np.where(simple > -1, simple, np.nan))
        variance = _ranges(frame, logs, column[rows])
        variance = np.where(np.isfinite(variance), variance, logs**2)
        found, forecast = measure(simple), har.forecast_volatility(variance)
        return {
            "volatility": found.volatility.T,
            "ewma": found.fast,
            "forecast": forecast.volatility,
            "model": forecast.model,
        }

    return frame.memo.rows("volatility", b"", digests, measured)


def _ranges(frame: Frame, logs: FloatArray, column: IntArray) -> FloatArray:
    # Variances from opening, high and low where there are such.
    variance = np.full(logs.shape, np.nan)
    prices = frame.market.prices
    if prices.open is None or prices.high is None or prices.low is None:
        return variance
    priced = np.flatnonzero(column != NO_COLUMN)
    rows = slice(1, None)
    bars = Bars(
        open=prices.open[rows, column[priced]],
        high=prices.high[rows, column[priced]],
        low=prices.low[rows, column[priced]],
        close=prices.close[rows, column[priced]],
        log_return=logs[:, priced],
    )
    variance[:, priced] = realised_variance(bars)
    return variance


def _held(frame: Frame, account: int, found: Columns) -> dict[str, Any]:
    amounts, nav = frame.sensitivities[account], float(frame.net_asset_value[account])
    histories = frame.return_histories
    held = np.flatnonzero(amounts)
    held = held[np.argsort(-np.abs(amounts[held]), kind="stable")]
    keys = [frame.underlyings.keys[row] for row in held]
    volatility = found["volatility"][held].T
    return table(
        symbol=[key.symbol for key in keys],
        subtype=[key.subtype for key in keys],
        dollar_delta=frame.dollar_deltas[account, held],
        weight=amounts[held] / (nav if nav >= LEAST_AMOUNT else np.nan),
        **{f"volatility_{window}d": volatility[place] for place, window in enumerate(WINDOWS)},
        ewma=found["ewma"][held],
        forecast=found["forecast"][held],
        forecast_model=[har.MODELS[model] for model in found["model"][held]],
        observations=histories.observations[held],
        source=[SOURCES[source] for source in histories.source[held]],
    )

"""Measure how much returns vary: by window, by age, with what the measurement is worth.

Axes: returns are (sessions, series), a series being a symbol or a portfolio. Windows are in
sessions and end with the row they stand in. Volatilities are decimals per year (root of 252 times
the variance per session) unless called daily. A NaN return is not known: it is left out, and what
has fewer returns than `minimum` is NaN.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from risk_engine.quant.covariance import ewma_variances
from risk_engine.quant.panel import FloatArray, IntArray
from risk_engine.quant.rolling import column_sum, deviations, rolling_mean, rolling_variance

SESSIONS_PER_YEAR = 252
EWMA_DECAY = 0.94
EWMA_SLOW_DECAY = 0.97
EWMA_MINIMUM = 20
"""Returns before an average by age says anything: a few would be their own size."""
KURTOSIS_RANGE = (3.0, 12.0)
"""A sample's kurtosis is taken for no less than a Gaussian's and no more than can be estimated."""
TREND_WINDOWS = (21, 126)
TREND_STATISTIC = 1.64
"""Beyond it, up or down, volatility has a trend: one of twenty on each side by chance."""
PERCENTILE_WINDOW, PERCENTILE_MINIMUM = 504, 252


@dataclass(frozen=True, eq=False)
class Band:
    """A confidence interval around an estimate, of the same shape."""

    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class Trend:
    """Volatility of the last month against that of the last half-year, (series,).

    `log_ratio` is ln(s21 / s126), `standard_error` its own without a change of volatility, and
    `statistic` what is to be compared with a standard normal.
    """

    log_ratio: FloatArray
    standard_error: FloatArray
    statistic: FloatArray


def rolling_volatility(
    returns: FloatArray, window: int, *, zero_mean: bool = False, minimum: int | None = None
) -> FloatArray:
    """Return close-to-close volatility of every window, (sessions, series), per year.

    The sample deviation with n - 1, or the root mean square with `zero_mean` (Hull, ch. 15.4 and
    23.1). NaN where fewer returns than `minimum` (default: four of five) are known in the window.
    """
    if zero_mean:
        variance = rolling_mean(returns**2, window, minimum=minimum)
    else:
        variance = rolling_variance(returns, window, minimum=minimum)
    return per_year(np.sqrt(variance))


def downside_volatility(returns: FloatArray, *, minimum: int, target: float = 0.0) -> FloatArray:
    """Return the root mean square shortfall of returns below a daily target, (series,), per year.

    Over all rows given, those without a shortfall counted as zero (Sortino and van der Meer, 1991).
    NaN with fewer than `minimum` returns.
    """
    known = np.isfinite(returns)
    short = np.where(known, np.minimum(returns - target, 0.0), 0.0)
    count = known.sum(axis=0)
    mean = column_sum(short**2) / np.maximum(count, 1)
    return per_year(np.where(count >= max(minimum, 1), np.sqrt(mean), np.nan))


def ewma_volatility(
    returns: FloatArray, decay: float = EWMA_DECAY, *, minimum: int = EWMA_MINIMUM
) -> FloatArray:
    """Return volatility per session by age, (sessions + 1, series), as decimals per session.

    Row t is made of the returns before row t, so that r_t / s_t looks at nothing it should not; the
    last row is the forecast for the next session (and any after it). Each squared return weighs
    decay**age, weights adding up to one (RiskMetrics Technical Document, 1996, ch. 5; Hull,
    ch. 23.2), ages in sessions whether or not a return is known. NaN before `minimum` returns.
    """
    variances = ewma_variances(returns, decay)
    enough = np.cumsum(np.isfinite(returns), axis=0) >= minimum
    variances[1:][~enough] = np.nan
    return np.asarray(np.sqrt(variances))


def per_year(daily: FloatArray) -> FloatArray:
    """Return volatility per year from volatility per session."""
    return np.asarray(daily * np.sqrt(SESSIONS_PER_YEAR))


def kurtosis(returns: FloatArray) -> FloatArray:
    """Return the sample kurtosis of each series over all rows given, (series,): 3 when Gaussian.

    m4 / m2**2 with n. NaN where nothing varies or fewer than four returns are known.
    """
    count = np.isfinite(returns).sum(axis=0)
    moved = deviations(returns)
    second = column_sum(moved**2) / np.maximum(count, 1)
    fourth = column_sum((moved**2) ** 2) / np.maximum(count, 1)
    varies = (count >= 4) & (second > 0)
    return np.where(varies, fourth / np.where(varies, second, 1.0) ** 2, np.nan)


def standard_error(volatility: FloatArray, count: FloatArray | IntArray) -> FloatArray:
    """Return the standard error of a volatility of Gaussian returns: s / sqrt(2 n) (Hull, 15.4)."""
    return np.asarray(volatility / np.sqrt(2 * np.asarray(count, dtype=np.float64)))


def confidence_band(
    volatility: FloatArray,
    count: FloatArray | IntArray,
    kurtosis: FloatArray | float = 3.0,
    *,
    confidence: float = 0.95,
) -> Band:
    """Return the interval that holds the true volatility with a given confidence.

    With a kurtosis of 3 it is the chi-square interval with n - 1 degrees of freedom. Fatter tails
    leave as many degrees as give the sample variance its true error, s^4 (k - (n-3)/(n-1)) / n
    (Kendall and Stuart, vol. 1, ch. 10). `kurtosis` is clipped to KURTOSIS_RANGE; NaN counts as 3.
    """
    number = np.asarray(count, dtype=np.float64)
    degrees = _degrees_of_freedom(number, np.asarray(kurtosis, dtype=np.float64))
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        low = volatility * np.sqrt(degrees / _chi_square_quantile(1 - tail, degrees))
        high = volatility * np.sqrt(degrees / _chi_square_quantile(tail, degrees))
    return Band(np.asarray(low), np.asarray(high))


def volatility_trend(returns: FloatArray) -> Trend:
    """Compare the volatility of the last 21 sessions with that of the last 126, (series,).

    The standard error of the log ratio is sqrt((k - 1) / 4 * (1/21 - 1/126)): the month is part of
    the half-year, and k the kurtosis of the half-year, clipped. The log of a sample deviation is
    too small by a term of the order of its variance: half-year and month together by the square
    of this error, which the statistic gives back, so that calm and storm are found equally often.
    NaN where either volatility is.
    """
    short, long = TREND_WINDOWS
    recent = returns[-long:]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(rolling_volatility(recent, short)[-1] / rolling_volatility(recent, long)[-1])
    ratio = np.where(np.isfinite(ratio), ratio, np.nan)
    clipped = np.clip(kurtosis(recent), *KURTOSIS_RANGE)
    error = np.sqrt((clipped - 1) / 4 * (1 / short - 1 / long))
    return Trend(ratio, np.where(np.isnan(ratio), np.nan, error), (ratio + error**2) / error)


def volatility_percentile(
    history: FloatArray, *, window: int = PERCENTILE_WINDOW, minimum: int = PERCENTILE_MINIMUM
) -> FloatArray:
    """Return where the last value stands among those of the last `window` sessions, (series,).

    (rank - 1/2) / n of the known ones, ties sharing their mean rank: between 0 and 1, a half for
    what never changes. NaN where the last is not known or fewer than `minimum` are.
    """
    recent = history[-window:]
    count = np.isfinite(recent).sum(axis=0)
    below, level = (recent < recent[-1]).sum(axis=0), (recent == recent[-1]).sum(axis=0)
    rank = below + (level + 1) / 2
    usable = (count >= max(minimum, 1)) & np.isfinite(recent[-1])
    return np.where(usable, (rank - 0.5) / np.maximum(count, 1), np.nan)


def _chi_square_quantile(probability: float, degrees: FloatArray) -> FloatArray:
    return np.asarray(2 * gammaincinv(degrees / 2, probability))


def _degrees_of_freedom(count: FloatArray, kurtosis: FloatArray) -> FloatArray:
    fat = np.where(np.isnan(kurtosis), KURTOSIS_RANGE[0], np.clip(kurtosis, *KURTOSIS_RANGE))
    with np.errstate(invalid="ignore", divide="ignore"):
        degrees = 2 * count / (fat - (count - 3) / (count - 1))
    return np.where(count >= 2, degrees, np.nan)

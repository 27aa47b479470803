"""Forecast the volatility of the next month by what the last day, week and month were like.

The heterogeneous autoregression of Corsi (2009) in logs, fitted to each series by itself:
    ln mean(RV_{t+1..t+h}) = c + b_d ln RV_t + b_w ln RV_t^(5) + b_m ln RV_t^(22) + e
with RV a session's variance and RV^(n) its mean over n sessions. What is forecast is the geometric
mean of its variance and that of an average by age (EWMA, .94): such an average of two forecasts
errs less than either, and less than the one that did better so far (Bates and Granger, 1969), as it
does on 33 years of 20 stocks. Axes: variances are (sessions, series), per session, not below zero,
NaN where not known; answers are (series,) unless said otherwise, volatilities decimals per year.
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.rolling import column_mean, rolling_mean
from risk_engine.quant.volatility import EWMA_DECAY, EWMA_SLOW_DECAY, ewma_volatility, per_year

HORIZON = 21
SPANS = (1, 5, 22)
TERMS = ("constant", "day", "week", "month")
LEAST_ROWS = 500
"""Rows that a fit needs: some 543 sessions."""
LEAST_TRAINING = 250
"""Rows that a fit needs to be judged by what comes after them."""
LEAST_SESSIONS = 60
LEAST_ERRORS = 60
"""Past errors from which the size of the next is told."""
FLOOR = 0.01
"""Of the month's mean: a close that did not move says little of its session, and ln 0 nothing."""
CLIP = (0.3, 3.0)
CLIP_WINDOW = 63
BAND = 1.96
LEAST_SIZE, LEAST_DETERMINANT = 1e-6, 1e-10
"""Of a term, in logs, and of the scaled normal equations: below them terms do not differ."""

HAR, EWMA, NONE = 0, 1, 2
MODELS = ("har_ewma_0.94", "ewma_0.97", None)
"""Names of the values of `Forecast.model`."""


@dataclass(frozen=True, eq=False)
class Rows:
    """A regression's rows, by the session they end on: NaN in both where any term is not known.

    `x` is (sessions, series, terms); `y` is (sessions, series), NaN too where the horizon has not
    passed. Logs of variances over the mean of their series, `scale`.
    """

    x: FloatArray
    y: FloatArray
    scale: FloatArray


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit of each series.

    `coefficients` are (series, terms); `covariance` theirs, (series, terms, terms), by Newey and
    West (1987); `deviation` is that of the residuals, in logs; `rows` how many there were.
    """

    coefficients: FloatArray
    covariance: FloatArray
    deviation: FloatArray
    rows: IntArray


@dataclass(frozen=True, eq=False)
class Forecast:
    """Volatility over the next HORIZON sessions, (series,), per year, and where it comes from.

    `low` and `high` hold the volatility that will be realised with 95 %. `regressed` is that of the
    autoregression alone, NaN where it is not used. `model` is an index into MODELS. `loss` is the
    mean QLIKE of the same model on sessions it was not fitted to, and `ewma_loss` that of the
    average by age (.94) alone, on the same; NaN where nothing could be judged.
    """

    volatility: FloatArray
    low: FloatArray
    high: FloatArray
    regressed: FloatArray
    model: IntArray
    loss: FloatArray
    ewma_loss: FloatArray


def components(variance: FloatArray) -> tuple[FloatArray, ...]:
    """Return the mean variance of the last day, week and month, each (sessions, series).

    NaN where fewer than four of five sessions are known. Day and week are no less than FLOOR of the
    month.
    """
    month = rolling_mean(variance, SPANS[-1])
    month[: SPANS[-1] - 1] = np.nan
    shorter = (rolling_mean(variance, span) for span in SPANS[:-1])
    return (*(np.maximum(mean, FLOOR * month) for mean in shorter), month)


def regression_rows(variance: FloatArray, horizon: int = HORIZON) -> Rows:
    """Lay out the regression's rows."""
    scale = _positive(column_mean(variance))
    terms = [np.log(_positive(term / scale)) for term in components(variance)]
    ahead = np.full(variance.shape, np.nan)
    ahead[:-horizon] = rolling_mean(variance, horizon)[horizon:]
    x = np.stack([np.ones(variance.shape), *terms], axis=-1)
    x[np.isnan(x).any(axis=-1)] = np.nan
    y = np.log(_positive(ahead / scale))
    y[np.isnan(x[..., 0])] = np.nan
    return Rows(x, y, scale)


def fit(rows: Rows, horizon: int = HORIZON) -> Fit:
    """Fit each series by least squares, errors robust to overlap up to lag `horizon`.

    Bartlett weights, without a correction for the sample's size. NaN where there are no more rows
    than terms or the terms are the same.
    """
    table, known = _table(rows)
    coefficients, deviation, inverse = _solve(_products(table))
    x, y = table[..., :-1], table[..., -1]
    residuals = y - np.einsum("tsk,sk->ts", x, coefficients)
    spread = inverse @ _overlapping(x * residuals[..., np.newaxis], horizon) @ inverse
    return Fit(coefficients, spread, deviation, known.sum(axis=0).astype(np.int64))


def past_forecasts(rows: Rows, horizon: int = HORIZON) -> FloatArray:
    """Return what was forecast of each session's horizon, (sessions, series), as variance.

    By fits to what was known before its block of `horizon` sessions began. NaN where that was fewer
    than LEAST_TRAINING rows.
    """
    return _by_blocks(rows, _moments_until(rows, horizon), horizon)


def forecast_volatility(variance: FloatArray, horizon: int = HORIZON) -> Forecast:
    """Forecast each series: by both models, or by EWMA (.97) with fewer than LEAST_ROWS rows.

    HAR's variance is exp(fitted + s^2 / 2), its volatility clipped to CLIP times that of the last
    63 sessions. The band is that of a lognormal as wide as the model's past errors, those of HAR on
    sessions it was not fitted to. NaN, and model NONE, with fewer than LEAST_SESSIONS known
    sessions; the band is NaN with fewer past errors than LEAST_ERRORS.
    """
    rows = regression_rows(variance, horizon)
    fast, slow = (_by_age(variance, decay) for decay in (EWMA_DECAY, EWMA_SLOW_DECAY))
    moments = _moments_until(rows, horizon)
    har = _by_blocks(rows, moments, horizon)
    coefficients, deviation, _ = _solve(moments[-1])
    har[-1] = rows.scale * _expected(rows.x[-1], coefficients, deviation)
    regressed = np.clip(har, *_bounds(variance))
    both = np.sqrt(fast * regressed)
    usable = (moments[-1, :, 0, 0] >= LEAST_ROWS) & np.isfinite(both[-1])
    forecast = np.where(usable, both, slow)
    outcome = rows.scale * np.exp(rows.y)
    judged = np.isfinite(outcome) & np.isfinite(forecast)
    outcome[~judged] = np.nan
    spread = np.sqrt(column_mean(np.log(outcome / forecast) ** 2))
    spread[judged.sum(axis=0) < LEAST_ERRORS] = np.nan
    volatility = per_year(np.sqrt(forecast[-1]))
    return Forecast(
        volatility=volatility,
        low=volatility * np.exp(-BAND / 2 * spread),
        high=volatility * np.exp(BAND / 2 * spread),
        regressed=np.where(usable, per_year(np.sqrt(regressed[-1])), np.nan),
        model=np.where(usable, HAR, np.where(np.isfinite(volatility), EWMA, NONE)),
        loss=column_mean(qlike(outcome, forecast)),
        ewma_loss=column_mean(qlike(outcome, fast)),
    )


def qlike(realised: FloatArray, forecast: FloatArray) -> FloatArray:
    """Return the loss of a variance forecast: RV/F - ln(RV/F) - 1, 0 when right.

    Its mean ranks forecasts rightly though RV is a noisy measure of variance (Patton, 2011).
    """
    ratio = realised / forecast
    return np.asarray(ratio - np.log(ratio) - 1)


def _by_age(variance: FloatArray, decay: float) -> FloatArray:
    # Forecasts of the sessions after each row. Of no variance at all, nothing is forecast.
    averaged = ewma_volatility(np.sqrt(variance), decay, minimum=LEAST_SESSIONS)[1:] ** 2
    return _positive(averaged)


def _bounds(variance: FloatArray) -> FloatArray:
    return np.multiply.outer(np.square(CLIP), rolling_mean(variance, CLIP_WINDOW))


def _expected(x: FloatArray, coefficients: FloatArray, deviation: FloatArray) -> FloatArray:
    # The mean of a lognormal.
    fitted = np.einsum("...sk,...sk->...s", x, coefficients)
    return np.asarray(np.exp(fitted + deviation**2 / 2))


def _table(rows: Rows) -> tuple[FloatArray, BoolArray]:
    # x and y side by side, rows that are not known all zero: they add nothing to any product.
    known = np.isfinite(rows.y)
    beside = np.concatenate((rows.x, rows.y[..., np.newaxis]), axis=-1)
    return np.where(known[..., np.newaxis], beside, 0.0), known


def _in_blocks(table: FloatArray, horizon: int, filler: float) -> FloatArray:
    # (blocks, horizon, ...): blocks end with the last session, the first one is filled up.
    blocks = -(-len(table) // horizon)
    before = np.full((blocks * horizon - len(table), *table.shape[1:]), filler)
    return np.concatenate((before, table)).reshape(blocks, horizon, *table.shape[1:])


def _moments_until(rows: Rows, horizon: int) -> FloatArray:
    # Products of (x, y) up to the end of each block, (blocks, series, terms + 1, terms + 1).
    table, _ = _table(rows)
    return np.cumsum([_products(one) for one in _in_blocks(table, horizon, 0.0)], axis=0)


def _by_blocks(rows: Rows, moments: FloatArray, horizon: int) -> FloatArray:
    # The block before one that is forecast is left out of its fit: its outcomes lie inside it.
    x = _in_blocks(rows.x, horizon, np.nan)
    expected = np.full(x.shape[:-1], np.nan)
    coefficients, deviation, _ = _solve(moments[:-2])
    deviation[moments[:-2, :, 0, 0] < LEAST_TRAINING] = np.nan
    expected[2:] = _expected(x[2:], coefficients[:, np.newaxis], deviation[:, np.newaxis])
    whole = expected.reshape(x.shape[0] * horizon, x.shape[2])
    return np.asarray(rows.scale * whole[-len(rows.y) :])


def _products(table: FloatArray) -> FloatArray:
    # (sessions, series, k) to (series, k, k). Contiguous by series, so that each is added up alike.
    by_series = np.ascontiguousarray(table.transpose(1, 0, 2))
    return np.asarray(by_series.transpose(0, 2, 1) @ by_series)


def _solve(moments: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    # Products of (x, y) to coefficients, residual deviation and the inverse of x'x.
    squares, count = moments[..., :-1, :-1], moments[..., 0, 0]
    size = np.sqrt(np.einsum("...kk->...k", squares))
    both = size[..., :, np.newaxis] * size[..., np.newaxis, :]
    scaled = np.divide(squares, both, out=np.zeros_like(squares), where=both > 0)
    varies = (size > LEAST_SIZE * size[..., :1]).all(axis=-1) & (count > len(TERMS))
    sound = varies & (np.linalg.det(scaled) > LEAST_DETERMINANT)
    sound = sound[..., np.newaxis, np.newaxis]
    scaled = np.where(sound, scaled, np.eye(len(TERMS)))
    inverse = np.where(sound, np.linalg.inv(scaled), np.nan) / np.where(sound, both, 1.0)
    coefficients = np.einsum("...jk,...k->...j", inverse, moments[..., :-1, -1])
    explained = np.einsum("...k,...k->...", coefficients, moments[..., :-1, -1])
    unexplained = np.maximum(moments[..., -1, -1] - explained, 0.0)
    return coefficients, np.sqrt(unexplained / np.maximum(count - len(TERMS), 1)), inverse


def _overlapping(scores: FloatArray, lag: int) -> FloatArray:
    # Bartlett's weighted sum of all autocovariances up to the lag: products of sums over lag + 1.
    padded = np.pad(scores, ((lag, lag), (0, 0), (0, 0)))
    total = np.cumsum(np.pad(padded, ((1, 0), (0, 0), (0, 0))), axis=0)
    return _products(total[lag + 1 :] - total[: -lag - 1]) / (lag + 1)


def _positive(values: FloatArray) -> FloatArray:
    return np.where(values > 0, values, np.nan)

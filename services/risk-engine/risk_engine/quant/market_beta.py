"""Estimate how securities move with the market: robustly, and by lags where they trade thinly.

Axes: (sessions, securities), (securities,). Returns are simple excess returns as decimals; beta is
a return per return. Sources: Dimson 1979 (Risk measurement when shares are subject to infrequent
trading); Newey and West 1987; Greene, Econometric Analysis, ch. 20.
"""

from dataclasses import dataclass, fields

import numpy as np

from risk_engine.quant.covariance import exponential_weights
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.regression import (
    clip_residuals,
    combination,
    least_squares,
    moments,
    newey_west_covariance,
    newey_west_lag,
)

WINDOW = 252
HALF_LIFE = 126.0
MIN_OBSERVATIONS = 60


@dataclass(frozen=True, eq=False)
class MarketBetas:
    """Slopes on the market, (securities,); NaN where fewer than MIN_OBSERVATIONS sessions tell.

    `error` is Newey and West's. `r_squared` is of the regression, in the sample.
    """

    beta: FloatArray
    error: FloatArray
    r_squared: FloatArray
    observations: IntArray


def market_betas(excess: FloatArray, market: FloatArray, thin: BoolArray) -> MarketBetas:
    """Regress the last WINDOW sessions of each security on the market's, (sessions,).

    Weights halve every HALF_LIFE sessions; residuals beyond five robust deviations are cut to those
    before the fit that counts. Where `thin`, the beta is Dimson's: the sum of the slopes on the
    market's return of the session before, the session, and the one after.
    """
    excess, market = excess[-WINDOW:], market[-WINDOW:]
    same = _fit(excess, np.column_stack((np.ones_like(market), market)))
    if not thin.any():
        return same
    before, after = np.full_like(market, np.nan), np.full_like(market, np.nan)
    before[1:], after[:-1] = market[:-1], market[1:]
    lagged = _fit(excess[:, thin], np.column_stack((np.ones_like(market), before, market, after)))
    for field in fields(MarketBetas):
        getattr(same, field.name)[thin] = getattr(lagged, field.name)
    return same


def _fit(excess: FloatArray, x: FloatArray) -> MarketBetas:
    weights = exponential_weights(len(x), HALF_LIFE)
    data = moments(x, excess, weights)
    robust = clip_residuals(excess, least_squares(x, excess, data))
    data = moments(x, robust, weights)
    fit = least_squares(x, robust, data)
    covariance = newey_west_covariance(x, data, fit, newey_west_lag(len(x)))
    slopes = np.ones(x.shape[1])
    slopes[0] = 0.0
    beta, error = combination(fit.coefficients, covariance, slopes)
    enough = data.observations >= MIN_OBSERVATIONS
    beta, error, r_squared = (
        np.where(enough, values, np.nan) for values in (beta, error, fit.r_squared)
    )
    return MarketBetas(beta, error, r_squared, data.observations)

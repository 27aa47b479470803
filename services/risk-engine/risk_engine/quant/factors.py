"""Build the factors' returns from funds and rates, and estimate what securities load on them.

Axes: (sessions, factors), (sessions, securities), (securities, factors). Returns are simple, as
decimals per session; RATES is the change of the 10-year yield as a decimal, so that a loading on it
is minus a duration in years. Sources: Grinold and Kahn, Active Portfolio Management, ch. 3;
Menchero, Orr and Wang 2011 (The Barra US equity model, methodology notes); Fama and French 1993
(spreads and bond factors).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from risk_engine.quant.covariance import exponential_weights
from risk_engine.quant.panel import FloatArray, IntArray
from risk_engine.quant.regression import (
    least_squares,
    long_run_covariance,
    moments,
    newey_west_lag,
    predict,
)
from risk_engine.quant.shrinkage import Prior, out_of_sample_errors, ridge, robust_covariance

FACTORS: Final = ("MKT", "RATES", "SIZE", "VALUE", "MOM", "QUAL", "LOWVOL", "CREDIT")
FUNDS: Final = ("SPY", "IWM", "VTV", "VUG", "MTUM", "QUAL", "USMV", "HYG", "IEF")

RESIDUAL_WINDOW = 252
LEAST_RESIDUAL_WINDOW = 126
WINDOW = 504
HALF_LIFE = 126.0
MIN_OBSERVATIONS = 90
SPECIFIC_HALF_LIFE = 63.0

MARKET_DEVIATION, RATES_DEVIATION, STYLE_DEVIATION = 0.4, 5.0, 0.5
PRIOR_DEVIATIONS: Final = (
    MARKET_DEVIATION,
    RATES_DEVIATION,
    *(STYLE_DEVIATION for _ in FACTORS[2:]),
)
"""How far true loadings lie from what is believed of them, in the order of FACTORS."""
STYLE_CANDIDATES: Final = tuple(STYLE_DEVIATION * 2 ** (step / 2) for step in range(-2, 3))
RATES_CANDIDATES: Final = tuple(RATES_DEVIATION * 2.0**step for step in range(-3, 2))
"""Deviations of shares' loadings that validation chooses between. Large companies alone would say
0.15 of styles, and intervals of small ones would hold the truth in three of four cases: half of
what is believed without data is the least."""


@dataclass(frozen=True, eq=False)
class Loadings:
    """What securities load on factors, and what is left; NaN where nothing was estimated.

    `errors` are the posterior standard errors, robust to variances that change and to short memory.
    `specific_variance` is per session. `r_squared` is out of the sample: of five blocks of time,
    each predicted by the others; not known where all of a security's history is in one of them.
    `residuals` are (sessions of the window, securities).
    """

    loadings: FloatArray
    errors: FloatArray
    specific_variance: FloatArray
    r_squared: FloatArray
    observations: IntArray
    residuals: FloatArray


def factor_returns(
    funds: FloatArray, risk_free: FloatArray, yield_change: FloatArray, duration_ratio: float
) -> FloatArray:
    """Return the factors' returns, (sessions, FACTORS).

    `funds` are total returns in the order of FUNDS; `duration_ratio` is HYG's over IEF's duration,
    which takes the rates out of CREDIT. Spreads are between funds, or over cash, and residual to
    the market: s_t - b MKT_t with b of the RESIDUAL_WINDOW sessions to t - 1, so that nothing looks
    ahead. NaN where an input is, and while too little is known to take the market out.
    """
    spy, iwm, vtv, vug, mtum, qual, usmv, hyg, ief = funds.T
    market = spy - risk_free
    spreads = np.column_stack(
        (
            iwm - spy,
            vtv - vug,
            mtum - spy,
            qual - spy,
            usmv - risk_free,
            (hyg - risk_free) - duration_ratio * (ief - risk_free),
        )
    )
    return np.column_stack((market, yield_change, residual(spreads, market)))


def residual(spreads: FloatArray, market: FloatArray) -> FloatArray:
    """Return spreads less what they had in common with the market until the session before."""
    slope = np.full(spreads.shape, np.nan)
    if len(market) > RESIDUAL_WINDOW:
        slope[RESIDUAL_WINDOW:] = _rolling_slopes(spreads[:-1], market[:-1])
    return np.asarray(spreads - slope * market[:, np.newaxis])


def market_slope(spread: FloatArray, market: FloatArray) -> float:
    """Return the least-squares slope of a spread on the market, both (sessions,).

    Over the sessions in which both are known; NaN with fewer than LEAST_RESIDUAL_WINDOW of them, or
    where the market stands still.
    """
    known = np.isfinite(spread) & np.isfinite(market)
    away = market[known] - market[known].mean() if known.any() else market[known]
    square = float(away @ away)
    if len(away) < LEAST_RESIDUAL_WINDOW or square == 0:
        return float("nan")
    return float(away @ spread[known]) / square


def estimate_loadings(
    factors: FloatArray, excess: FloatArray, prior: Prior, least_variance: FloatArray
) -> Loadings:
    """Estimate loadings jointly over the last WINDOW sessions, pulled towards a prior.

    `prior` is of the loadings (the intercept is free); `least_variance` is (securities,), per
    session: what a residual variance is taken for at least. A security with fewer than
    MIN_OBSERVATIONS sessions is not estimated.
    """
    excess = excess[-WINDOW:]
    x = np.column_stack((np.ones(len(excess)), factors[-WINDOW:]))
    weights = exponential_weights(len(x), HALF_LIFE)
    data = moments(x, excess, weights)
    enough = data.observations >= MIN_OBSERVATIONS
    first = least_squares(x, excess, data)
    variance = np.maximum(np.where(enough, np.nan_to_num(first.variance), 1.0), least_variance)
    variance = np.where(variance > 0, variance, 1.0)
    full = Prior(
        np.column_stack((np.zeros(len(prior.mean)), prior.mean)),
        np.column_stack(
            (np.full(len(prior.mean), np.inf), np.broadcast_to(prior.deviation, prior.mean.shape))
        ),
    )
    posterior = ridge(data, variance, full)
    scores = long_run_covariance(x, data, first, newey_west_lag(len(x)))
    errors = np.sqrt(
        np.diagonal(robust_covariance(posterior, variance, full, scores), axis1=1, axis2=2)
    )
    residuals = excess - predict(x, posterior.coefficients)
    left, spread = out_of_sample_errors(x, excess, weights, variance, full)
    with np.errstate(invalid="ignore", divide="ignore"):
        r_squared = np.where(enough & (spread > 0), 1 - left / spread, np.nan)
    shown = np.where(enough, 1.0, np.nan)[:, np.newaxis]
    return Loadings(
        loadings=posterior.coefficients[:, 1:] * shown,
        errors=errors[:, 1:] * shown,
        specific_variance=specific_variance(residuals, least_variance) * shown[:, 0],
        r_squared=r_squared,
        observations=data.observations,
        residuals=residuals,
    )


def specific_variance(residuals: FloatArray, least: FloatArray) -> FloatArray:
    """Return the variance of what is left, per session, (securities,).

    Three parts of the exponentially weighted mean square with SPECIFIC_HALF_LIFE, one part of the
    same with HALF_LIFE: today's is uncertain and returns to where it has been. At least `least`;
    NaN for a security without residuals.
    """
    fast = _mean_square(residuals, SPECIFIC_HALF_LIFE)
    slow = _mean_square(residuals, HALF_LIFE)
    return np.asarray(np.maximum(0.75 * fast + 0.25 * slow, least))


def _mean_square(residuals: FloatArray, half_life: float) -> FloatArray:
    weights = exponential_weights(len(residuals), half_life)
    known = np.isfinite(residuals)
    total = weights @ known
    square = weights @ np.where(known, residuals, 0.0) ** 2
    mean = np.full(total.shape, np.nan)
    np.divide(square, total, out=mean, where=total > 0)
    return mean


def _rolling_slopes(spreads: FloatArray, market: FloatArray) -> FloatArray:
    # By windows and not by running sums: a session's slope depends on its window alone.
    windows = np.lib.stride_tricks.sliding_window_view
    ahead = windows(market, RESIDUAL_WINDOW)
    slopes = np.full((len(ahead), spreads.shape[1]), np.nan)
    for column, spread in enumerate(spreads.T):
        own = windows(spread, RESIDUAL_WINDOW)
        known = np.isfinite(own) & np.isfinite(ahead)
        count = known.sum(axis=1)
        x, y = np.where(known, ahead, 0.0), np.where(known, own, 0.0)
        mean = x.sum(axis=1) / np.maximum(count, 1)
        away = np.where(known, x - mean[:, np.newaxis], 0.0)
        square = (away**2).sum(axis=1)
        usable = (count >= LEAST_RESIDUAL_WINDOW) & (square > 0)
        np.divide((away * y).sum(axis=1), square, out=slopes[:, column], where=usable)
    return slopes

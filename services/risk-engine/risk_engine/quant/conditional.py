"""Say what shocks to some risk factors imply for the others, and how likely they are.

Axes: factor returns are (sessions, factors), shocks (scenarios, factors). Returns and shocks are
decimals, a move of a yield is in decimals too (0.01 is 100 basis points). In `shocks` NaN stands
for a factor the scenario leaves free, a stated 0 for one it holds still. Elsewhere NaN is "not
known".

Sources: Kupiec (1998), Stress testing in a value at risk framework, Journal of Derivatives 6(1)
(conditional scenarios, a covariance of stressed days); Johnson and Wichern, Applied Multivariate
Statistical Analysis, ch. 4 (conditional normal distributions) and 5 (distances); Kotz and
Nadarajah, Multivariate t Distributions, ch. 1 (the F law of a Student distance).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc, stdtr

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray

LEAST_SESSIONS = 1260
"""Five years: a covariance of fewer sessions has seen no stress."""
VOLATILITY_WINDOW = 21
STRESSED_DECILE = 0.10
STRESSED_WEIGHT = 0.40
RIDGE = 1e-6
"""Of each variance: an absolute ridge of 1e-6 would exceed that of a yield's daily move, 4e-7."""
FREEDOM = 5.0
"""Of Student's t: with normal tails a fall of 20 % in a month would never be plausible."""


@dataclass(frozen=True, eq=False)
class Plausibility:
    """How likely each scenario's stated shocks are, (scenarios,).

    `distance` is their Mahalanobis distance in standard deviations of the horizon; `stated` counts
    them; `probability` is the chance of shocks at least as far. NaN where nothing is stated or the
    covariance of a stated factor is not known.
    """

    distance: FloatArray
    stated: IntArray
    probability: FloatArray


def stress_covariance(factor_returns: FloatArray, market: int) -> FloatArray:
    """Return the daily covariance that holds when markets are stressed, (factors, factors).

    It is 60 % second moments of all sessions and 40 % those of the tenth of them with the highest
    volatility of `market` over the 21 sessions that end there, both about zero: demeaned, the worst
    days would lose the very moves that make them so. Only sessions on which every factor is known
    are used. A factor known on fewer than LEAST_SESSIONS is NaN in its row and column; all is NaN
    where the market is such a factor or fewer sessions than that are complete.
    """
    known = np.isfinite(factor_returns)
    enough = known.sum(axis=0) >= LEAST_SESSIONS
    complete = known[:, enough].all(axis=1)
    size = factor_returns.shape[1]
    covariance = np.full((size, size), np.nan)
    if not enough[market] or complete.sum() < LEAST_SESSIONS:
        return covariance
    volatility = _trailing_volatility(factor_returns[:, market])[complete]
    sample = factor_returns[complete][:, enough]
    # A comparison with NaN is false: sessions without a volatility are not stressed ones.
    stressed = sample[volatility >= np.nanquantile(volatility, 1 - STRESSED_DECILE)]
    moments = (1 - STRESSED_WEIGHT) * _second_moments(sample)
    moments += STRESSED_WEIGHT * _second_moments(stressed)
    covariance[np.ix_(enough, enough)] = moments
    return covariance


def spread_shocks(
    leg_returns: FloatArray, legs: FloatArray, market_slope: FloatArray, market: int
) -> FloatArray:
    """Return the factor shocks that total returns of the factors' ETFs amount to.

    `leg_returns` are (scenarios, etfs), NaN where a scenario says nothing of an ETF; `legs` are
    (factors, etfs), the long and short weights of each factor's spread; `market_slope` are
    (factors,), what of the market's return the factor's definition takes out (0 for the market).
    A factor is free (NaN) unless all of its legs are stated and, where its slope is not 0, the
    market's too. Answers are (scenarios, factors).
    """
    stated = np.isfinite(leg_returns)
    filled = np.where(stated, leg_returns, 0.0)
    missing = (~stated).astype(np.float64) @ (legs != 0).astype(np.float64).T
    spread = np.where(missing == 0, filled @ legs.T, np.nan)
    taken_out = np.where(market_slope == 0, 0.0, market_slope * spread[:, [market]])
    return np.asarray(spread - taken_out)


def conditional_shocks(shocks: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the shocks of all factors: stated ones as they are, free ones as expected given them.

    f_U = S_UA S_AA^-1 s, a regression of the free factors on the stated ones, (scenarios, factors).
    All are 0 in a scenario that states nothing. A free factor is NaN where its covariance, or that
    of a stated factor, is not known.
    """
    expected = shocks.copy()
    for stated, rows in _by_stated(shocks):
        free = ~stated
        weights = _solved(covariance, stated, shocks[np.ix_(rows, stated)])
        expected[np.ix_(rows, free)] = _times(weights, covariance[np.ix_(stated, free)])
    return expected


def isolated_shocks(shocks: FloatArray) -> FloatArray:
    """Return the shocks of all factors when the free ones stay where they are: 0."""
    return np.where(np.isnan(shocks), 0.0, shocks)


def plausibility(shocks: FloatArray, covariance: FloatArray, horizon: FloatArray) -> Plausibility:
    """Return how likely each scenario's stated shocks are over its `horizon` in sessions.

    d^2 = s' S_AA^-1 s / horizon, and (d^2/|A|) nu/(nu-2) follows F(|A|, nu) when factors follow a
    Student distribution of nu = 5 degrees of freedom with that covariance.
    """
    squared = np.full(len(shocks), np.nan)
    count = np.isfinite(shocks).sum(axis=1)
    for stated, rows in _by_stated(shocks):
        if stated.any():
            given = shocks[np.ix_(rows, stated)]
            squared[rows] = (given * _solved(covariance, stated, given)).sum(axis=-1)
    squared = np.maximum(squared, 0.0) / horizon
    ratio = squared / np.maximum(count, 1) * FREEDOM / (FREEDOM - 2)
    return Plausibility(
        distance=np.sqrt(squared),
        stated=count,
        probability=np.asarray(fdtrc(np.maximum(count, 1), FREEDOM, ratio)),
    )


def one_sided_probability(distance: FloatArray) -> FloatArray:
    """Return the chance that factors move at least `distance` in one direction, any shape.

    Along any one direction the multivariate Student law of `plausibility` is Student's t of nu = 5
    degrees of freedom scaled to variance 1: P(t > d sqrt(nu/(nu-2))). Its half is at 0. NaN in, NaN
    out. Kotz and Nadarajah, Multivariate t Distributions, ch. 1 (linear combinations).
    """
    return np.asarray(stdtr(FREEDOM, -distance * np.sqrt(FREEDOM / (FREEDOM - 2))))


def _by_stated(shocks: FloatArray) -> list[tuple[BoolArray, IntArray]]:
    # Scenarios that state the same factors share one system of equations.
    masks, group = np.unique(np.isfinite(shocks), axis=0, return_inverse=True)
    return [(mask, np.flatnonzero(group == number)) for number, mask in enumerate(masks)]


def _solved(covariance: FloatArray, stated: BoolArray, given: FloatArray) -> FloatArray:
    # S_AA^-1 s, (scenarios, stated); NaN where the covariance says nothing of a stated factor.
    inner = covariance[np.ix_(stated, stated)]
    variance = np.diag(inner)
    if not (np.isfinite(inner).all() and (variance > 0).all()):
        return np.full(given.shape, np.nan)
    inverse: FloatArray = np.linalg.inv(inner + np.diag(RIDGE * variance)).astype(np.float64)
    return _times(given, inverse)


def _times(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    # Each row times the matrix. BLAS would round a row differently in other company, and so would
    # sums over another axis than the last.
    return np.asarray((rows[:, None, :] * matrix.T).sum(axis=-1))


def _trailing_volatility(returns: FloatArray) -> FloatArray:
    # Root mean square of the window that ends at each session; NaN before the first or over a gap.
    volatility = np.full(returns.shape, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(returns**2, VOLATILITY_WINDOW)
    volatility[VOLATILITY_WINDOW - 1 :] = np.sqrt(windows.mean(axis=1))
    return volatility


def _second_moments(sample: FloatArray) -> FloatArray:
    return np.asarray(sample.T @ sample / len(sample))

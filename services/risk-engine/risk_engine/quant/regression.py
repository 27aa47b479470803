"""Fit many series on the same regressors at once: weighted least squares and its errors.

Axes: regressors are (sessions, regressors), an intercept being one of them; what is explained is
(sessions, series), sessions ascending. A session counts for a series where it and every regressor
are known. Coefficients are (series, regressors), their covariances (series, regressors,
regressors); NaN for a series whose sessions do not determine them. Sources: Greene,
Econometric Analysis, ch. 4, 9 and 20; Newey and West 1987 and 1994 (the lag); MacKinnon and White
1985 (HC3); Belsley, Kuh and Welsch, Regression Diagnostics, ch. 3; Kish, Survey Sampling, ch. 11.
"""

from dataclasses import dataclass
from functools import cached_property
from math import floor

import numpy as np

from risk_engine.quant.panel import FloatArray, IntArray

SINGULAR = 1e-14
"""Smallest over largest eigenvalue of scaled moments below which regressors determine nothing."""
LEAST_FREEDOM = 0.1
"""A session that decides the fit alone has a leverage of 1, and an error of anything."""
TO_DEVIATION = 1.4826
"""Median absolute deviation to standard deviation, of a normal distribution."""


@dataclass(frozen=True, eq=False)
class Moments:
    """What a fit needs of the data.

    `weights` are (sessions, series), 0 where a session does not count; `gram` is X'WX and `cross`
    X'Wy. `observations` counts sessions, `effective` is the sum of each series' weights.
    """

    weights: FloatArray
    gram: FloatArray
    cross: FloatArray
    observations: IntArray
    effective: FloatArray

    @cached_property
    def inverse(self) -> FloatArray:
        """Return (X'WX)^-1, (series, regressors, regressors); NaN where it is singular."""
        return invert(self.gram)


@dataclass(frozen=True, eq=False)
class Fit:
    """Coefficients and what they leave.

    `residuals` are (sessions, series), NaN where a session does not count. `variance` of them is
    weighted, over the effective observations less the regressors; `r_squared` is about the weighted
    mean, NaN for a series that does not vary.
    """

    coefficients: FloatArray
    residuals: FloatArray
    variance: FloatArray
    r_squared: FloatArray


def newey_west_lag(sessions: int) -> int:
    """Return the lag of Newey and West: floor(4 (T / 100)^(2/9))."""
    return floor(4 * float((sessions / 100) ** (2 / 9)))


def moments(x: FloatArray, y: FloatArray, weights: FloatArray) -> Moments:
    """Return the moments of each series with the sessions it has.

    `weights` are (sessions,), of any size: each series' are scaled after Kish, so that their sum is
    the number of equally weighted observations that would tell as much, (sum w)^2 / sum w^2.
    """
    complete = np.asarray(np.isfinite(x).all(axis=1))
    known = np.isfinite(y) & complete[:, np.newaxis]
    weighted = np.where(known, weights[:, np.newaxis], 0.0)
    total, squares = weighted.sum(axis=0), (weighted**2).sum(axis=0)
    weighted *= np.divide(total, squares, out=np.zeros_like(total), where=squares > 0)
    rows = np.where(complete[:, np.newaxis], x, 0.0)
    count = rows.shape[1]
    return Moments(
        weights=weighted,
        gram=(weighted.T @ _products(rows, rows)).reshape(-1, count, count),
        cross=(weighted * np.where(known, y, 0.0)).T @ rows,
        observations=known.sum(axis=0).astype(np.int64),
        effective=weighted.sum(axis=0),
    )


def least_squares(x: FloatArray, y: FloatArray, data: Moments) -> Fit:
    """Return the weighted least squares fit of each series."""
    coefficients = apply(data.inverse, data.cross)
    # Once more on what is left: the moments square the condition of the data, this undoes it.
    left = np.where(data.weights > 0, y - predict(x, coefficients), 0.0)
    coefficients += apply(data.inverse, (data.weights * left).T @ np.nan_to_num(x))
    return fit_of(x, y, data, coefficients)


def fit_of(x: FloatArray, y: FloatArray, data: Moments, coefficients: FloatArray) -> Fit:
    """Return what given coefficients leave of each series."""
    residuals = np.where(data.weights > 0, y - predict(x, coefficients), np.nan)
    left = np.nansum(data.weights * residuals**2, axis=0)
    freedom = data.effective - x.shape[1]
    safe = np.maximum(data.effective, 1e-300)
    mean = np.nansum(data.weights * y, axis=0) / safe
    spread = np.nansum(data.weights * (y - mean) ** 2, axis=0)
    unknown = np.isnan(coefficients).any(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.where((freedom > 0) & ~unknown, left / freedom, np.nan)
        r_squared = np.where((spread > 0) & ~unknown, 1 - left / spread, np.nan)
    return Fit(coefficients, residuals, variance, r_squared)


def predict(x: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Return the fitted values, (sessions, series); NaN where a regressor is."""
    return np.asarray(x @ coefficients.T)


def homoskedastic_covariance(data: Moments, variance: FloatArray) -> FloatArray:
    """Return the coefficients' covariance if errors are alike and unrelated: s^2 (X'WX)^-1."""
    return np.asarray(variance[:, np.newaxis, np.newaxis] * data.inverse)


def newey_west_covariance(x: FloatArray, data: Moments, fit: Fit, lag: int) -> FloatArray:
    """Return the coefficients' covariance whatever the errors' variances and short memory.

    Newey and West with Bartlett's weights up to `lag`, on residuals corrected for leverage: without
    a lag it is MacKinnon and White's HC3.
    """
    return np.asarray(data.inverse @ long_run_covariance(x, data, fit, lag) @ data.inverse)


def long_run_covariance(x: FloatArray, data: Moments, fit: Fit, lag: int) -> FloatArray:
    """Return the covariance of X'We by Newey and West, (series, regressors, regressors).

    Each residual is divided by 1 less its leverage (MacKinnon and White 1985): regressors have
    heavy tails, and the sessions that tell most are the ones a fit follows most closely.
    """
    count = x.shape[1]
    known = np.nan_to_num(x)
    distance = _products(known, known) @ np.nan_to_num(data.inverse).reshape(-1, count**2).T
    freedom = np.maximum(1 - data.weights * distance, LEAST_FREEDOM)
    errors = data.weights * np.nan_to_num(fit.residuals) / freedom
    # Of scores e_t x_t: for each lag one product of all series with the regressors' own products,
    # so that no array has an axis for series, sessions and regressors.
    total = (errors * errors).T @ _products(known, known)
    for back in range(1, min(lag, len(x) - 1) + 1):
        later, earlier = slice(back, None), slice(None, -back)
        crossed = _products(known[later], known[earlier])
        weight = 2 * (1 - back / (lag + 1))
        total += weight * ((errors[later] * errors[earlier]).T @ crossed)
    both = total.reshape(-1, count, count)
    return np.asarray((both + np.swapaxes(both, 1, 2)) / 2)


def clip_residuals(y: FloatArray, fit: Fit, multiple: float = 5.0) -> FloatArray:
    """Return the series with each residual cut to `multiple` robust deviations from the fit.

    A deviation is 1.4826 times the median absolute residual; NaN stays NaN, and a series whose
    deviation is zero or that has no fit stays as it is.
    """
    known = np.isfinite(fit.residuals)
    size = np.sort(np.where(known, np.abs(fit.residuals), np.inf), axis=0)
    count = known.sum(axis=0)
    column = np.arange(y.shape[1])
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, len(y) - 1)
    median = np.where(count > 0, (size[low, column] + size[high, column]) / 2, 0.0)
    bound = np.where(median > 0, multiple * TO_DEVIATION * median, np.inf)
    cut = np.clip(fit.residuals, -bound, bound)
    return np.asarray(np.where(known, y - fit.residuals + cut, y))


def combination(
    coefficients: FloatArray, covariance: FloatArray, factors: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return a sum of coefficients times `factors`, (regressors,), and its standard error.

    Dimson's beta of thin trading is the sum over the market's returns of yesterday, today and
    tomorrow (Dimson 1979).
    """
    variance = np.einsum("k,ukl,l->u", factors, covariance, factors)
    return coefficients @ factors, np.sqrt(np.maximum(variance, 0.0))


def errors_of(covariance: FloatArray) -> FloatArray:
    """Return standard errors, (series, regressors): the roots of the diagonals."""
    return np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0.0))


def variance_inflation(x: FloatArray) -> FloatArray:
    """Return each regressor's 1 / (1 - R^2) on the others and an intercept, (regressors,).

    `x` is without the intercept and of complete sessions. Infinite for one that the others
    determine, NaN for one that does not vary.
    """
    away = x - x.mean(axis=0)
    length = np.sqrt((away**2).sum(axis=0))
    varies = length > 0
    inflation = np.full(x.shape[1], np.nan)
    # By orthogonalisation: inverting a correlation matrix would square the condition.
    triangle = np.linalg.qr(away[:, varies] / length[varies], mode="r")
    if np.abs(np.diag(triangle)).min(initial=1.0) < np.sqrt(SINGULAR):
        inflation[varies] = np.inf
        return inflation
    inverse = np.linalg.inv(triangle)
    inflation[varies] = (inverse**2).sum(axis=1)
    return inflation


def condition_number(x: FloatArray) -> float:
    """Return the largest over the smallest singular value, every column scaled to length 1."""
    length = np.sqrt((x**2).sum(axis=0))
    if (length == 0).any():
        return float("inf")
    return float(np.linalg.cond(x / length))


def _products(one: FloatArray, other: FloatArray) -> FloatArray:
    # (sessions, regressors * regressors): each regressor of one times each of the other.
    return (one[:, :, np.newaxis] * other[:, np.newaxis, :]).reshape(len(one), one.shape[1] ** 2)


def invert(gram: FloatArray) -> FloatArray:
    """Return the inverse of each positive matrix, (series, regressors, regressors).

    NaN for one that is singular. Columns are scaled first, so that units do not matter.
    """
    diagonal = np.diagonal(gram, axis1=1, axis2=2)
    scale = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    both = scale[:, :, np.newaxis] * scale[:, np.newaxis, :]
    values, vectors = np.linalg.eigh(np.nan_to_num(gram * both))
    sound = values[:, 0] > SINGULAR * np.maximum(values[:, -1], 1e-300)
    inverse = (
        vectors / np.where(sound[:, np.newaxis], values, 1.0)[:, np.newaxis, :]
    ) @ np.swapaxes(vectors, 1, 2)
    return np.where(sound[:, np.newaxis, np.newaxis], inverse * both, np.nan)


def apply(matrices: FloatArray, vectors: FloatArray) -> FloatArray:
    """Return the product of each matrix with its vector, (series, regressors)."""
    return np.asarray((matrices @ vectors[:, :, np.newaxis])[:, :, 0])

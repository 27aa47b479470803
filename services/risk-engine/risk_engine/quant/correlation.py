"""Measure how returns move together, and how far that can be told from what is there.

Axes: returns are (sessions, series), log returns per session, NaN where not known; matrices are
(series, series), symmetric. Exposures are (series,), signed fractions of NAV or dollars: a short
that moves with a long is a hedge, and counts as one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtr

from risk_engine.quant.covariance import (
    TOLERANCE,
    ledoit_wolf_constant_correlation,
    nearest_correlation,
)
from risk_engine.quant.panel import FloatArray
from risk_engine.quant.rolling import deviations

WINDOW = 252
MIN_OVERLAP = 120
HALF_LIFE = 126.0
"""Sessions, where recent ones are to weigh more."""


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A correlation matrix fit for risk: positive semidefinite, pulled towards its own mean.

    `intensity` is how far, 0 (the sample) to 1 (all correlations equal `mean`, that of the sample's
    pairs). `repaired` tells whether gaps had left it indefinite.
    """

    matrix: FloatArray
    intensity: float
    mean: float
    repaired: bool


def pairwise_correlation(
    returns: FloatArray, weights: FloatArray | None = None, *, minimum: int = MIN_OVERLAP
) -> tuple[FloatArray, FloatArray]:
    """Return Pearson's correlation over what each pair has in common, and how many sessions it is.

    With `weights` (sessions,) means and moments are weighted, and the second matrix is Kish's
    number of equally weighted sessions. NaN for a pair with fewer common sessions than `minimum`
    or a series that does not vary in them. The matrix need not be positive semidefinite unless all
    returns are known.
    """
    known = np.isfinite(returns).astype(np.float64)
    # About each series' own mean first: what is subtracted below is then next to nothing.
    moved = deviations(returns)
    weighted = np.ones(len(returns)) if weights is None else weights
    by_weight, by_moved = weighted[:, np.newaxis] * known, weighted[:, np.newaxis] * moved
    total = known.T @ by_weight
    with np.errstate(invalid="ignore", divide="ignore"):
        # Row i, column j: the mean of i over the sessions it has in common with j.
        mean = by_moved.T @ known / total
        covariance = moved.T @ by_moved / total - mean * mean.T
        variance = (by_moved * moved).T @ known / total - mean**2
        correlation = covariance / np.sqrt(variance * variance.T)
        common = total**2 / (known.T @ (weighted[:, np.newaxis] ** 2 * known))
    # The mean's square rounds: a series that stands still has a variance next to none.
    still = variance <= 1e-12 * np.diag(variance)[:, np.newaxis]
    unknown = (known.T @ known < max(minimum, 2)) | still | still.T
    correlation = np.where(unknown, np.nan, np.clip(correlation, -1.0, 1.0))
    varies = np.isfinite(np.diag(correlation))
    np.fill_diagonal(correlation, np.where(varies, 1.0, np.nan))
    return np.asarray(correlation), np.asarray(common)


def shrunk_correlation(returns: FloatArray, correlation: FloatArray) -> Shrunk:
    """Pull a correlation matrix of `returns` towards its mean, as far as its noise asks for.

    The intensity is that of Ledoit and Wolf (2004b) on standardised returns, an unknown one put at
    its mean: a pair known in a share f of the sessions then counts with f times as many, or fewer.
    A matrix that gaps have left indefinite is first replaced by the nearest correlation matrix
    (Higham, 2002).

    Raises:
        ValueError: the correlation matrix has NaN.
    """
    if np.isnan(correlation).any():
        raise ValueError("a correlation that is not known cannot be shrunk")
    moved = deviations(returns)
    deviation = np.sqrt((moved**2).sum(axis=0) / np.isfinite(returns).sum(axis=0))
    _, intensity = ledoit_wolf_constant_correlation(moved / deviation)
    repaired = bool(np.isnan(returns).any()) and not _is_semidefinite(correlation)
    sound = nearest_correlation(correlation) if repaired else correlation
    mean = mean_correlation(sound)
    matrix = (1 - intensity) * sound + intensity * mean
    np.fill_diagonal(matrix, 1.0)
    return Shrunk(np.asarray(matrix), intensity, mean, repaired)


def fisher_interval(
    correlation: FloatArray, count: FloatArray, *, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the interval tanh(atanh r -+ z / sqrt(n - 3)) (Fisher, 1921)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = ndtri((1 + confidence) / 2) / np.sqrt(np.where(count > 3, count - 3, np.nan))
        middle = np.arctanh(correlation)
        return np.asarray(np.tanh(middle - reach)), np.asarray(np.tanh(middle + reach))


def p_values(correlation: FloatArray, count: FloatArray) -> FloatArray:
    """Return how likely a correlation so far from 0 would be of unrelated Gaussian series.

    Two-sided, by Student's t with n - 2 degrees of freedom.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(correlation) * np.sqrt((count - 2) / (1 - correlation**2))
    return np.asarray(2 * stdtr(count - 2, -statistic))


def false_discovery_rates(p: FloatArray) -> FloatArray:
    """Return the share of false finds among all as good as each (Benjamini and Hochberg, 1995).

    (tests,): below 0.05, at most one in twenty of those below it is expected to be chance. NaN is
    no test.
    """
    adjusted = np.full(p.shape, np.nan)
    order = np.flatnonzero(np.isfinite(p))
    order = order[np.argsort(p[order])]
    scaled = p[order] * (order.size / np.arange(1, order.size + 1))
    # The best of all cuts that include a test counts for it.
    least = np.minimum.accumulate(scaled[::-1])[::-1]
    adjusted[order] = np.minimum(least, 1.0)
    return adjusted


def mean_correlation(correlation: FloatArray) -> float:
    """Return the mean of the pairs that are known; NaN where none is."""
    pairs = pack_upper(correlation, np.float64)
    known = pairs[np.isfinite(pairs)]
    return float(known.mean()) if known.size else float("nan")


def implied_correlation(exposures: FloatArray, covariance: FloatArray) -> float:
    """Return the one correlation of all pairs that would give the portfolio its variance.

    (s_p^2 - sum h_i^2 s_i^2) / sum_{i!=j} |h_i h_j| s_i s_j: between -1 and 1, above zero where
    holdings add to each other's risk and below it where they offset it. NaN with fewer than two
    holdings at risk.
    """
    own = np.abs(exposures) * np.sqrt(np.diag(covariance))
    together = own.sum() ** 2 - (own**2).sum()
    if np.count_nonzero(own) < 2:
        return float("nan")
    return float((exposures @ covariance @ exposures - (own**2).sum()) / together)


def absolute_correlation(exposures: FloatArray, covariance: FloatArray) -> float:
    """Return the mean of |correlation|, each pair by the product of its own risks |h| s, 0 to 1.

    Whoever is long or short: how much of one thing the holdings are, hedges of it included. NaN
    with fewer than two holdings at risk.
    """
    own = np.abs(exposures) * np.sqrt(np.diag(covariance))
    if np.count_nonzero(own) < 2:
        return float("nan")
    weighted = np.abs(covariance) * np.abs(np.outer(exposures, exposures))
    pairs = weighted[~np.eye(len(own), dtype=np.bool_)].sum()
    # Of perfect correlations rounding makes a little more than one.
    return float(min(pairs / (own.sum() ** 2 - (own**2).sum()), 1.0))


def effective_bets(exposures: FloatArray, covariance: FloatArray) -> float:
    """Return how many independent risks the holdings are bets on, hedges counting for nothing.

    1 / sum_ij w_i w_j |rho_ij| with w the shares of |h| s: as many equal and uncorrelated bets are
    as far from one another. From 1, all in one thing whichever side of it, to the number of
    holdings. With all correlations and sides alike it is the square of the diversification ratio
    (Choueifaty, Froidure and Reynier, Properties of the Most Diversified Portfolio, 2013). NaN
    where nothing is at risk.
    """
    own = np.abs(exposures) * np.sqrt(np.diag(covariance))
    together = float((np.abs(covariance) * np.abs(np.outer(exposures, exposures))).sum())
    if together <= 0:
        return float("nan")
    # Of perfect correlations rounding leaves a little less than one bet.
    return max(float(own.sum()) ** 2 / together, 1.0)


def pack_upper(matrix: FloatArray, dtype: type[np.floating] = np.float32) -> np.ndarray:
    """Return what stands above the diagonal, row by row, (series * (series - 1) / 2,)."""
    return np.asarray(matrix[np.triu_indices(len(matrix), 1)], dtype=dtype)


def unpack_upper(packed: np.ndarray, series: int) -> FloatArray:
    """Return the symmetric matrix with a diagonal of 1 that `pack_upper` packed."""
    matrix = np.eye(series)
    above = np.triu_indices(series, 1)
    matrix[above] = packed
    matrix.T[above] = packed
    return matrix


def _is_semidefinite(matrix: FloatArray) -> bool:
    return bool(np.linalg.eigvalsh(matrix)[0] >= -TOLERANCE)

"""Find groups of series that move together, and the risk that stands in each.

Axes: correlations are (series, series) without NaN; labels are (series,), a number per group.
"""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from risk_engine.quant.panel import FloatArray, IntArray

CUT = 0.7
"""Correlation from which groups are one."""
FLAT = 1e-7
"""Of the gross: a volatility below it is what rounding leaves of a perfect hedge."""


@dataclass(frozen=True, eq=False)
class ClusterRisk:
    """Risk of each group, (groups,), in the unit of the exposures' volatility.

    `net` is the volatility of the group by itself, hedges within it offset; `gross` the sum of its
    members' own; `share` its part of the portfolio's variance: below zero for a hedge of the rest,
    adding up to 1, NaN where the portfolio has none: a volatility below FLAT of its `gross` is what
    rounding leaves.
    """

    net: FloatArray
    gross: FloatArray
    share: FloatArray


def correlation_distance(correlation: FloatArray) -> FloatArray:
    """Return sqrt((1 - rho) / 2): 0 for what moves as one, 1 for opposites (Mantegna, 1999)."""
    return np.asarray(np.sqrt((1 - np.clip(correlation, -1.0, 1.0)) / 2))


def cluster(correlation: FloatArray, cut: float = CUT) -> IntArray:
    """Return each series' group, (series,), numbered from 0 in the order of their first members.

    Average linkage: two groups join while the mean distance of their members is no more than that
    of the correlation `cut`, so that no chain of neighbours makes one group of strangers.
    """
    if len(correlation) < 2:
        return np.zeros(len(correlation), dtype=np.int64)
    distance = correlation_distance(correlation)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average")
    found = fcluster(tree, correlation_distance(np.array(cut)), criterion="distance")
    _, first, member = np.unique(found, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[member], dtype=np.int64)


def silhouettes(correlation: FloatArray, labels: IntArray) -> FloatArray:
    """Return how much nearer each series is to its own group than to the next, (series,).

    (b - a) / max(a, b) with a the mean distance to the others of its group and b the least mean
    distance to another (Rousseeuw, 1987): 1 is clear, below 0 misplaced, 0 for a group of one. NaN
    where all are one group.
    """
    distance = correlation_distance(correlation)
    np.fill_diagonal(distance, 0.0)
    member = _members(labels)
    size = member.sum(axis=0)
    if len(size) < 2:
        return np.full(len(labels), np.nan)
    total = distance @ member
    own = np.take_along_axis(total, labels[:, np.newaxis], axis=1)[:, 0]
    own = own / np.maximum(size[labels] - 1, 1)
    other = np.where(member > 0, np.inf, total / size).min(axis=1)
    farther = np.maximum(own, other)
    apart = np.divide(other - own, farther, out=np.zeros_like(own), where=farther > 0)
    return np.where(size[labels] > 1, apart, 0.0)


def cluster_risk(exposures: FloatArray, covariance: FloatArray, labels: IntArray) -> ClusterRisk:
    """Return the risk that stands in each group; `exposures` are (series,) and signed."""
    member = _members(labels)
    held = exposures[:, np.newaxis] * member
    variance = np.einsum("ig,ij,jg->g", held, covariance, held, optimize=True)
    whole = float(exposures @ covariance @ exposures)
    contribution = held.T @ (covariance @ exposures)
    gross = member.T @ (np.abs(exposures) * np.sqrt(np.diag(covariance)))
    varies = whole > (FLAT * gross.sum()) ** 2
    return ClusterRisk(
        net=np.sqrt(np.maximum(variance, 0.0)),
        gross=gross,
        share=contribution / whole if varies else np.full(len(contribution), np.nan),
    )


def _members(labels: IntArray) -> FloatArray:
    groups = np.arange(labels.max(initial=-1) + 1)
    return np.asarray(labels[:, np.newaxis] == groups, dtype=np.float64)

"""Say which positions a portfolio's risk comes from: marginal, component and incremental risk.

Axes: a holding is a position of one portfolio; `book` (holdings,) is the row of its owner, in
ascending order. P&L is per session, a loss negative; risk is positive where a holding adds to it
and negative where it hedges. Components add up to the whole: value at risk and expected shortfall
are homogeneous of degree one (Euler; Tasche, Capital Allocation to Business Units, 2008; Jorion,
Value at Risk, ch. 7; McNeil, Frey and Embrechts, Quantitative Risk Management, ch. 8.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from risk_engine.quant.factor_risk import Decomposition
from risk_engine.quant.panel import FloatArray, IntArray
from risk_engine.quant.value_at_risk import (
    CONFIDENCES,
    TailRisk,
    historical_risk,
    quantile_rank,
    shortfall_weights,
)

KERNEL_RANKS = 10
"""How far from the quantile a scenario still says something about it, in ranks."""
_BLOCK = 1024
"""Holdings revalued at once: 1024 times 504 scenarios are 4 MB."""


@dataclass(frozen=True, eq=False)
class NormalComponents:
    """Risk of a normal distribution by holding.

    `volatility` is (books,); `marginal` and `component` are (holdings, confidences): VaR per dollar
    more of the holding, and its part of the VaR.
    """

    volatility: FloatArray
    marginal: FloatArray
    component: FloatArray


def normal_components(
    parts: Decomposition,
    exposure: FloatArray,
    book: IntArray,
    confidences: Sequence[float] = CONFIDENCES,
) -> NormalComponents:
    """Return Euler components of normal VaR from `factor_risk.decompose` of dollar exposures.

    Component z s times the share of variance, marginal that per dollar of `exposure` (holdings,).
    NaN where a book has no variance; a marginal also where its exposure is 0.
    """
    volatility = np.sqrt(parts.variance)
    scale = volatility[book, None] * ndtri(np.asarray(confidences))
    component = parts.position_contributions[:, None] * scale
    with np.errstate(divide="ignore", invalid="ignore"):
        marginal = component / np.where(exposure == 0, np.nan, exposure)[:, None]
    return NormalComponents(volatility, marginal, component)


def component_depth(scenarios: int, confidences: Sequence[float] = CONFIDENCES) -> int:
    """Return how many of the worst scenarios `tail_components` wants."""
    ranks = [quantile_rank(scenarios, one) for one in confidences]
    return min(scenarios, max(rank + min(rank - 1, KERNEL_RANKS) for rank in ranks) + 1)


def tail_components(
    worst: FloatArray,
    book: IntArray,
    risk: TailRisk,
    scenarios: int,
    confidences: Sequence[float] = CONFIDENCES,
) -> TailRisk:
    """Return the components of historical VaR and ES, (holdings, confidences) each.

    `worst` (holdings, depth) is what each holding made in its book's worst scenarios, worst first
    (`component_depth` of them); `risk` (books, confidences) is the books' own. ES is the mean over
    the tail, exactly. VaR is a triangular kernel over the ranks around the quantile (Epperlein and
    Smillie, Cracking VaR with Kernels, 2006), rescaled so that a book's components add up to its
    VaR; NaN where the kernel finds no loss to share out.
    """
    depth = worst.shape[1]
    shortfall = _ranked(worst, shortfall_weights(scenarios, confidences, depth))
    kernel = _ranked(worst, _kernel_weights(scenarios, confidences, depth))
    found = np.zeros_like(risk.value_at_risk)
    np.add.at(found, book, kernel)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = risk.value_at_risk / found
    scale = np.where(np.isfinite(scale) & (scale > 0), scale, np.nan)
    known = np.isfinite(risk.expected_shortfall[book])
    return TailRisk(kernel * scale[book], np.where(known, shortfall, np.nan))


def incremental_risk(
    pnl: FloatArray,
    holding_pnl: FloatArray,
    book: IntArray,
    confidences: Sequence[float] = CONFIDENCES,
) -> TailRisk:
    """Return what a book's historical VaR and ES lose without each holding, revalued in full.

    `pnl` is (books, scenarios), `holding_pnl` (holdings, scenarios); (holdings, confidences) each,
    negative where the book would be riskier without it.
    """
    whole = historical_risk(pnl, confidences)
    value_at_risk = np.empty((len(book), len(confidences)))
    expected_shortfall = np.empty_like(value_at_risk)
    for first in range(0, len(book), _BLOCK):
        some = slice(first, first + _BLOCK)
        owner = book[some]
        without = historical_risk(pnl[owner] - holding_pnl[some], confidences)
        value_at_risk[some] = whole.value_at_risk[owner] - without.value_at_risk
        expected_shortfall[some] = whole.expected_shortfall[owner] - without.expected_shortfall
    return TailRisk(value_at_risk, expected_shortfall)


def _ranked(worst: FloatArray, weights: FloatArray) -> FloatArray:
    # A sum along the row, not a matrix product: a row's last digit is the same in any company.
    return np.stack([-(worst * one).sum(axis=1) for one in weights], axis=1)


def _kernel_weights(scenarios: int, confidences: Sequence[float], depth: int) -> FloatArray:
    rank = np.arange(1, depth + 1)
    weights = np.empty((len(confidences), depth))
    for row, confidence in enumerate(confidences):
        middle = quantile_rank(scenarios, confidence)
        width = min(middle - 1, KERNEL_RANKS) + 1
        weights[row] = np.maximum(1 - np.abs(rank - middle) / width, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))

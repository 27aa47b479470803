"""Read value at risk and expected shortfall off profit-and-loss scenarios, all portfolios at once.

Axes: P&L is (portfolios, scenarios), money or a fraction of NAV per session, a loss negative;
answers are (portfolios, confidences) in the same unit, **a loss positive**, so a value at risk
below zero is a gain in all but the stated share of scenarios. A portfolio with a NaN scenario has
NaN answers: a sum with an unknown part is not known. Confidence is 0.99 for "one day in a hundred
is worse". Expected shortfall is what others call conditional value at risk.

Rules: McNeil, Frey and Embrechts, Quantitative Risk Management, ch. 2 and 9; Hull, Options, Futures
and Other Derivatives, ch. 22.2 and 22.8 (age weights: Boudoukh, Richardson and Whitelaw, 1998).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import FloatArray, IntArray

CONFIDENCES = (0.95, 0.975, 0.99)
LEAST_TAIL = 2.5
"""Scenarios expected beyond the value at risk, or it is not known: 250 in all at 99 %."""
AGE_DECAY = 0.995
_ROUNDING = 1e-9
"""What n(1 - confidence) may miss a whole number by: 10 * (1 - 0.9) is not quite 1."""


@dataclass(frozen=True, eq=False)
class TailRisk:
    """Value at risk and expected shortfall, (portfolios, confidences), losses positive."""

    value_at_risk: FloatArray
    expected_shortfall: FloatArray

    def over(self, sessions: float) -> "TailRisk":
        """Return both over a longer horizon by the root of time; a label must say so."""
        grown = np.sqrt(sessions)
        return TailRisk(self.value_at_risk * grown, self.expected_shortfall * grown)


def historical_risk(pnl: FloatArray, confidences: Sequence[float] = CONFIDENCES) -> TailRisk:
    """Return VaR and ES of equally likely scenarios, (portfolios, confidences).

    VaR is the k-th worst loss, k = max(1, floor(n(1 - confidence))); ES the mean of the worst
    n(1 - confidence) losses, the last of which counts with the fraction that is left. NaN where n
    is too small for the confidence (LEAST_TAIL). Where that is no whole number, VaR is rounded to
    the worse loss, so that a tail of nearly equal losses may have an ES a little below its VaR.
    """
    scenarios = pnl.shape[1]
    return tail_risk(worst_losses(pnl, tail_depth(scenarios, confidences)), scenarios, confidences)


def tail_risk(
    losses: FloatArray, scenarios: int, confidences: Sequence[float] = CONFIDENCES
) -> TailRisk:
    """Return `historical_risk` from the worst losses of so many scenarios.

    `losses` is (portfolios, depth), the worst first, as deep as `tail_depth` or deeper.
    """
    ranks = [quantile_rank(scenarios, one) - 1 for one in confidences]
    value_at_risk = losses[:, ranks]
    # A sum along the row, not a matrix product: a row's last digit is the same in any company.
    weights = shortfall_weights(scenarios, confidences, losses.shape[1])
    expected_shortfall = np.stack([(losses * one).sum(axis=1) for one in weights], axis=1)
    return TailRisk(*_unless_too_few(scenarios, confidences, value_at_risk, expected_shortfall))


def age_weighted_risk(
    pnl: FloatArray, confidences: Sequence[float] = CONFIDENCES, *, decay: float = AGE_DECAY
) -> TailRisk:
    """Return VaR and ES where the last scenario weighs most, (portfolios, confidences).

    A scenario weighs `decay` to the power of its age, all of them one. VaR is the first loss, from
    the worst on, at which the weights reach 1 - confidence; ES is their weighted mean up to there,
    the last loss with what is missing. NaN as in `historical_risk`.
    """
    scenarios = pnl.shape[1]
    order = worst_scenarios(pnl, scenarios)
    losses = -np.take_along_axis(pnl, order, axis=1)
    reached = np.cumsum(age_weights(scenarios, decay)[order], axis=1)
    before = np.concatenate((np.zeros((len(pnl), 1)), reached[:, :-1]), axis=1)
    value_at_risk = np.empty((len(pnl), len(confidences)))
    expected_shortfall = np.empty_like(value_at_risk)
    for place, confidence in enumerate(confidences):
        tail = 1 - confidence
        last = (reached >= tail - _ROUNDING).argmax(axis=1)
        value_at_risk[:, place] = losses[np.arange(len(pnl)), last]
        counted = np.minimum(reached, tail) - np.minimum(before, tail)
        expected_shortfall[:, place] = (counted * losses).sum(axis=1) / tail
    unknown = np.isnan(pnl).any(axis=1)
    value_at_risk[unknown] = expected_shortfall[unknown] = np.nan
    return TailRisk(*_unless_too_few(scenarios, confidences, value_at_risk, expected_shortfall))


def age_weights(scenarios: int, decay: float = AGE_DECAY) -> FloatArray:
    """Return what each scenario weighs, (scenarios,), the oldest first, adding up to one."""
    weights = decay ** np.arange(scenarios - 1, -1, -1, dtype=np.float64)
    return np.asarray(weights / weights.sum())


def worst_losses(pnl: FloatArray, depth: int) -> FloatArray:
    """Return the largest losses, (portfolios, depth), the worst first; NaN with a NaN scenario."""
    # NaN sorts last, so that a partition would lose it: it is put back where the loss stands.
    losses = -np.sort(np.partition(pnl, depth - 1, axis=1)[:, :depth], axis=1)
    losses[np.isnan(pnl).any(axis=1)] = np.nan
    return losses


def worst_scenarios(pnl: FloatArray, count: int) -> IntArray:
    """Return the scenarios of the largest losses, (portfolios, count), the worst first.

    Equal losses stand in the order of their scenarios.
    """
    return np.argsort(pnl, axis=1, kind="stable")[:, :count].astype(np.int64)


def tail_depth(scenarios: int, confidences: Sequence[float] = CONFIDENCES) -> int:
    """Return how many of the worst scenarios VaR and ES are made of, at most all of them."""
    most = max(_tail_size(scenarios, confidence) for confidence in confidences)
    return min(scenarios, max(1, int(np.ceil(most))))


def shortfall_weights(scenarios: int, confidences: Sequence[float], depth: int) -> FloatArray:
    """Return what each rank counts in ES, (confidences, depth), the worst first, adding up to 1."""
    sizes = np.array([[_tail_size(scenarios, confidence)] for confidence in confidences])
    return np.asarray(np.clip(sizes - np.arange(depth), 0.0, 1.0) / sizes)


def quantile_rank(scenarios: int, confidence: float) -> int:
    """Return which of the worst losses VaR is, counted from 1."""
    return max(1, int(_tail_size(scenarios, confidence)))


def _tail_size(scenarios: int, confidence: float) -> float:
    size = scenarios * (1 - confidence)
    nearest = round(size)
    return float(nearest) if abs(size - nearest) < _ROUNDING * max(scenarios, 1) else size


def _unless_too_few(
    scenarios: int, confidences: Sequence[float], *answers: FloatArray
) -> tuple[FloatArray, ...]:
    known = np.array([_tail_size(scenarios, one) >= LEAST_TAIL for one in confidences])
    return tuple(np.where(known, answer, np.nan) for answer in answers)

"""Ask of each portfolio which event would cost it a given part of its net asset value."""

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from risk_engine.engine.stress_inputs import StressInputs
from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.quant.conditional import one_sided_probability, plausibility
from risk_engine.quant.panel import BoolArray, FloatArray, sum_by
from risk_engine.quant.reverse_stress import Book, profit_gradient, reverse_stress

LOSSES: Final = (0.10, 0.20)
"""Of net asset value."""
HORIZON: Final = 21
"""Sessions over which plausibility is judged."""

ReverseReason = Literal[
    "net_asset_value_not_positive", "covariance_not_known", "depends_on_no_factor", "not_reached"
]


@dataclass(frozen=True, eq=False)
class ReverseRuns:
    """The most likely shocks that cost each portfolio each of LOSSES.

    `shocks` are (portfolios, losses, factors), the rest (portfolios, losses); `asked` and `loss`
    are money. NaN where there is none, and then a reason, by portfolio and loss. `probability` is
    the chance of a loss as large over HORIZON sessions, gains and losses being linear in the
    factors: one-sided, along the shocks.
    """

    asked: FloatArray
    shocks: FloatArray
    volatility: FloatArray
    loss: FloatArray
    distance: FloatArray
    probability: FloatArray
    reasons: tuple[tuple[ReverseReason | None, ...], ...]


def run_reverse(inputs: StressInputs) -> ReverseRuns:
    """Run reverse stress over a chunk."""
    return _run(inputs, inputs.book, inputs.frame.net_asset_value)


def run_reverse_without_proxies(inputs: StressInputs) -> ReverseRuns:
    """Run reverse stress on what does not stand in for something else.

    Only for accounts that hold something that does; the others' answers are NaN.
    """
    held = inputs.book.positions
    listed = replace(held, units=np.where(inputs.is_proxied, 0.0, held.units))
    mixed = sum_by(held.portfolio, 1.0 * inputs.is_proxied, inputs.book.portfolios) > 0
    worth = np.where(mixed, inputs.frame.net_asset_value, np.nan)
    return _run(inputs, replace(inputs.book, positions=listed), worth)


def _run(inputs: StressInputs, book: Book, worth: FloatArray) -> ReverseRuns:
    usable = np.isfinite(np.diag(inputs.covariance)) & inputs.known
    covariance = np.where(usable[:, None] & usable, inputs.covariance, 0.0)
    asked = np.where(worth >= LEAST_AMOUNT, worth, np.nan)[:, None] * np.array(LOSSES)
    found = [reverse_stress(book, covariance, amount) for amount in asked.T]
    distance = np.stack([_distance(one.shocks, usable, inputs.covariance) for one in found], axis=1)
    shocks = np.stack([one.shocks for one in found], axis=1)
    loss = np.stack([one.loss for one in found], axis=1)
    moved = (profit_gradient(book)[:, usable] != 0).any(axis=1)
    return ReverseRuns(
        asked=asked,
        shocks=np.where(usable, shocks, np.nan),
        volatility=np.stack([one.volatility for one in found], axis=1),
        loss=loss,
        distance=distance,
        probability=one_sided_probability(distance),
        reasons=tuple(
            tuple(
                _reason(worth[account], bool(usable.any()), bool(moved[account]), amount)
                for amount in row
            )
            for account, row in enumerate(loss.tolist())
        ),
    )


def _distance(shocks: FloatArray, usable: BoolArray, covariance: FloatArray) -> FloatArray:
    stated = np.where(usable, shocks, np.nan)
    return plausibility(stated, covariance, np.full(len(shocks), float(HORIZON))).distance


def _reason(worth: float, usable: bool, moved: bool, loss: float) -> ReverseReason | None:  # noqa: FBT001 - facts, not switches
    if not worth >= LEAST_AMOUNT:
        return "net_asset_value_not_positive"
    if not usable:
        return "covariance_not_known"
    if not moved:
        return "depends_on_no_factor"
    return None if np.isfinite(loss) else "not_reached"

"""Attribute each session's change of net asset value to the holdings that made it.

Axes: values are (sessions, holdings), sessions ascending and without a gap; what comes back is of
each session but the first, which has none before it. Money; profit is positive, short or long.
Formula, per holding, with q units held at the close before, m the multiplier, k the session's split
ratio, P closes, D its dividend per unit before the split, dq the units traded, at p:

    pnl = m [q (k P_t - P_{t-1}) + dq (P_t - p)] + m q D

which is the change of the value held, and the money that trades and dividends brought. So computed,
the price of the session cancels out of what was sold in it, and need not be known. A short pays its
dividends. Fees and borrowing costs are not in the books.
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray
from risk_engine.quant.valuation import HoldingValues


@dataclass(frozen=True, eq=False)
class DailyPnl:
    """What a session changed, (sessions - 1, holdings); summed over the holdings of an account.

    NAV_t - NAV_{t-1} = pnl + repricing, and pnl = unrealized_change + realized + income - restated.

    `realized` is exit minus entry of what was sold; `income` the dividends. `repricing` is what net
    asset value changed because a holding went from being carried at cost to a price, or back: no
    gain of the session, and no return. `restated` is that, and what was set right at the opening
    when an option got its first price. NaN for a session before the account opened, and on it.
    """

    pnl: FloatArray
    unrealized_change: FloatArray
    realized: FloatArray
    income: FloatArray
    repricing: FloatArray
    restated: FloatArray


def daily_pnl(
    values: HoldingValues, expects_price: BoolArray, has_opened: BoolArray, is_known: BoolArray
) -> DailyPnl:
    """Attribute changes of value to sessions; see `DailyPnl`.

    `values` are (sessions, holdings), as `value_holdings` gives them of each session. So are
    `has_opened`, whether the account had opened, and `is_known`, whether the holding could be
    valued: one that could on one side only was repriced. `expects_price`, (holdings,), is of
    `Holdings`.
    """
    is_open = ~values.pending & ~values.closed

    def change(amount: FloatArray, counts: BoolArray = is_known) -> FloatArray:
        counted = np.where(counts, amount, 0.0)
        return counted[1:] - counted[:-1]

    income = change(values.dividend_income)
    opening = change(values.opening_value)
    changed = change(values.value) + change(values.trade_flow) - opening
    repricing = np.where(_is_repriced(values, expects_price, is_known), changed, 0.0)

    def since_opening(amount: FloatArray) -> FloatArray:
        return np.where(has_opened[:-1], amount, np.nan)

    return DailyPnl(
        pnl=since_opening(changed - repricing + income),
        unrealized_change=since_opening(
            change(values.value - values.cost_basis, is_known & is_open)
        ),
        realized=since_opening(change(values.realized_pnl, is_known & values.closed)),
        income=since_opening(income),
        repricing=since_opening(repricing),
        restated=since_opening(opening + repricing),
    )


def _is_repriced(values: HoldingValues, expects_price: BoolArray, is_known: BoolArray) -> BoolArray:
    # A private asset is worth what is stated until it is sold: that is a gain, and of that day.
    was_open = ~(values.pending | values.closed)[:-1]
    at_cost = values.at_cost & expects_price
    other_basis = was_open & (at_cost[:-1] != at_cost[1:])
    return np.asarray(other_basis | (is_known[:-1] != is_known[1:]), dtype=np.bool_)

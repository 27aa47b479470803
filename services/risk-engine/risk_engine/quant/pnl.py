"""Attribute each session's change of net asset value to the holdings that made it.

Axes: values are (rows,), of holdings on sessions; what comes back is (pairs,), of a holding between
two sessions that follow each other. Money; profit is positive, short or long.
Formula, per holding, with q units held at the close before, m the multiplier, k the session's split
ratio, P closes, D its dividend per unit before the split, dq the units traded, at p:

    pnl = m [q (k P_t - P_{t-1}) + dq (P_t - p)] + m q D

which is the change of the value held, and the money that trades and dividends brought. So computed,
the price of the session cancels out of what was sold in it, and need not be known. A short pays its
dividends. Fees and borrowing costs are not in the books.
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.valuation import HoldingValues


@dataclass(frozen=True, eq=False)
class DailyPnl:
    """What a session changed, (pairs,).

    Summed over the holdings of an account, NAV_t - NAV_{t-1} = pnl + repricing, and
    pnl = unrealized_change + realized + income - restated.

    `realized` is exit minus entry of what was sold; `income` the dividends. `repricing` is what net
    asset value changed because a holding went from being carried at cost to a price, or back: no
    gain of the session, and no return. `restated` is that, and what was set right at the opening
    when an option got its first price.
    """

    pnl: FloatArray
    unrealized_change: FloatArray
    realized: FloatArray
    income: FloatArray
    repricing: FloatArray
    restated: FloatArray


def daily_pnl(
    values: HoldingValues,
    expects_price: BoolArray,
    is_known: BoolArray,
    before: IntArray,
    after: IntArray,
) -> DailyPnl:
    """Attribute changes of value to sessions; see `DailyPnl`.

    `values` are as `value_holdings` gives them; `before` and `after` are the pairs' rows.
    `is_known` tells where a holding could be valued: one that could on one side only was repriced.
    Like `expects_price`, of `Holdings`, it is (rows,).
    """
    is_open = ~values.pending & ~values.closed

    def change(amount: FloatArray, counts: BoolArray = is_known) -> FloatArray:
        counted = np.where(counts, amount, 0.0)
        return counted[after] - counted[before]

    income = change(values.dividend_income)
    opening = change(values.opening_value)
    changed = change(values.value) + change(values.trade_flow) - opening
    # A private asset is worth what is stated until it is sold: that is a gain, and of that day.
    at_cost = values.at_cost & expects_price
    is_repriced = is_open[before] & (at_cost[before] != at_cost[after])
    is_repriced |= is_known[before] != is_known[after]
    repricing = np.where(is_repriced, changed, 0.0)
    return DailyPnl(
        pnl=changed - repricing + income,
        unrealized_change=change(values.value - values.cost_basis, is_known & is_open),
        realized=change(values.realized_pnl, is_known & values.closed),
        income=income,
        repricing=repricing,
        restated=opening + repricing,
    )

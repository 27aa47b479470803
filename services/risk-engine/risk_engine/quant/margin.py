"""Estimate what a broker would want to see in an account, (portfolios, scenarios), in money.

FINRA Rule 4210, maintenance: (c) for shares, (f)(2) for short options, without the reduction for
being out of the money and without offsets between positions, so on the high side.
"""

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray, sum_by

LONG, SHORT = 0.25, 0.30
"""Of the value of shares."""
SHORT_OPTION = 0.20
"""Of what the option is on, beside its own value."""


def maintenance_margin(
    portfolio: IntArray,
    value: FloatArray,
    notional: FloatArray,
    *,
    is_option: BoolArray,
    is_private: BoolArray,
    portfolios: int,
) -> FloatArray:
    """Return the maintenance margin of each portfolio, (portfolios, scenarios).

    `value` is signed and `notional` the value of what an option is on, not negative, both
    (positions, scenarios); the marks are (positions,). A long option and a private asset count in
    full, as neither can be borrowed against. A NaN counts as nothing.
    """
    size = np.abs(value)
    shares = np.where(value < 0, SHORT * size, LONG * size)
    options = np.where(value < 0, size + SHORT_OPTION * notional, size)
    wanted = np.where(is_option[:, None], options, np.where(is_private[:, None], size, shares))
    margin = np.empty((portfolios, value.shape[1]))
    for scenario, column in enumerate(np.nan_to_num(wanted).T):
        margin[:, scenario] = sum_by(portfolio, column, portfolios)
    return margin

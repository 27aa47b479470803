"""Estimate what net asset value a broker would want to see in an account, (portfolios, scenarios).

Maintenance of FINRA Rule 4210: (c) for shares, (f)(2) for short options, without the reduction for
being out of the money and without offsets between positions, so on the high side. The rule wants a
short option's value and a part of what it is on. Its value is already taken off net asset value, as
the rule's own equity does not, so only the part is wanted of net asset value.
"""

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray, sum_by

LONG, SHORT = 0.25, 0.30
"""Of the value of shares."""
SHORT_OPTION = 0.20
"""Of what the option is on."""


def maintenance_margin(
    portfolio: IntArray,
    value: FloatArray,
    notional: FloatArray,
    *,
    is_short: BoolArray,
    is_option: BoolArray,
    is_private: BoolArray,
    is_cash: BoolArray,
    portfolios: int,
) -> FloatArray:
    """Return the maintenance margin of each portfolio, to be compared with its net asset value.

    `value` is signed and `notional` the value of what an option is on, not negative, both
    (positions, scenarios); the marks are (positions,). A long option and a private asset count in
    full, as neither can be borrowed against; cash and money funds want nothing. NaN where what one
    of the others wants is not known: nothing would be too little.
    """
    size, short = np.abs(value), is_short[:, None]
    shares = np.where(short, SHORT * size, LONG * size)
    options = np.where(short, SHORT_OPTION * notional, size)
    wanted = np.where(is_option[:, None], options, np.where(is_private[:, None], size, shares))
    wanted[is_cash] = 0.0
    margin = np.empty((portfolios, value.shape[1]))
    for scenario, column in enumerate(wanted.T):
        margin[:, scenario] = sum_by(portfolio, column, portfolios)
    return margin

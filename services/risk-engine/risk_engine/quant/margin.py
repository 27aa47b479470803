"""Estimate what net asset value a broker would want to see in an account, (portfolios, scenarios).

Maintenance of FINRA Rule 4210: (c) for shares, (f)(2) for short options (Cboe Rule 10.3 is alike).
A short option wants a fifth of what it is on less what it is out of the money, and at least a tenth
of that (a call) or of the strike (a put). Offsets between positions are left out (a covered call
wants both legs), and an index wants as much as a share, so the answer is on the high side. The rule
wants the option's value besides. That is already taken off net asset value, as it is not off the
rule's own equity, so only the rest is wanted of net asset value.
"""

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray, sum_by

LONG, SHORT = 0.25, 0.30
"""Of the value of shares."""
SHORT_OPTION, LEAST_OF_SHORT_OPTION = 0.20, 0.10
"""Of what the option is on; the least is of the strike for a put."""


def maintenance_margin(
    portfolio: IntArray,
    value: FloatArray,
    notional: FloatArray,
    at_strike: FloatArray,
    *,
    is_call: BoolArray,
    is_short: BoolArray,
    is_option: BoolArray,
    is_private: BoolArray,
    is_cash: BoolArray,
    portfolios: int,
) -> FloatArray:
    """Return the maintenance margin of each portfolio, to be compared with its net asset value.

    `value` is signed and `notional` the value of what an option is on, not negative, both
    (positions, scenarios); `at_strike`, (positions,), is that value if the underlying were at the
    strike, and the marks are (positions,) too; `is_call` is read of options only. A long option and
    a private asset count in full, as neither can be borrowed against; cash and money funds want
    nothing. NaN where what one of the others wants is not known: nothing would be too little.
    """
    size, short = np.abs(value), is_short[:, None]
    shares = np.where(short, SHORT * size, LONG * size)
    options = np.where(short, _short_option(notional, at_strike[:, None], is_call[:, None]), size)
    wanted = np.where(is_option[:, None], options, np.where(is_private[:, None], size, shares))
    wanted[is_cash] = 0.0
    margin = np.empty((portfolios, value.shape[1]))
    for scenario, column in enumerate(wanted.T):
        margin[:, scenario] = sum_by(portfolio, column, portfolios)
    return margin


def _short_option(notional: FloatArray, at_strike: FloatArray, is_call: BoolArray) -> FloatArray:
    away = np.where(is_call, at_strike - notional, notional - at_strike)
    least = LEAST_OF_SHORT_OPTION * np.where(is_call, notional, at_strike)
    return np.maximum(SHORT_OPTION * notional - np.maximum(away, 0.0), least)

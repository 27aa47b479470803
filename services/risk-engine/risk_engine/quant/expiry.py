"""Settle options that have expired: at intrinsic value, in cash.

Axes: everything asked and answered is (options,); the panel is (sessions, symbols).
"""

import numpy as np

from risk_engine.quant.panel import (
    BoolArray,
    FloatArray,
    IntArray,
    Panel,
    actions,
    last_row,
    restated_close,
    split_factor,
)


def settlement(
    panel: Panel,
    column: IntArray,
    since_day: IntArray,
    expiry_day: IntArray,
    is_call: BoolArray,
    strike: FloatArray,
) -> FloatArray:
    """Give what an expired option paid, per share of the underlying as of `since_day`.

    That is max(S - K, 0) of a call and max(K - S, 0) of a put, with S the underlying's last close
    (`column`) up to the expiry, at most three sessions old. Strikes are as of `since_day`; a split
    since then divides the strike and multiplies the shares, so that the payment is of k S against
    K. NaN where the expiry is yet to come or precedes the panel, and where there is no close.
    """
    splits = actions(panel.split_ratio, idle=1.0)
    row = last_row(panel.day, expiry_day)
    shares = split_factor(splits, column, last_row(panel.day, since_day), row)
    close, _ = restated_close(panel, splits, column, row)
    gain = np.where(is_call, 1.0, -1.0) * (shares * close - strike)
    expired = (row >= 0) & (expiry_day <= panel.day[-1]) if panel.day.size else row >= 0
    return np.where(expired, np.where(np.isnan(gain), np.nan, np.maximum(gain, 0.0)), np.nan)

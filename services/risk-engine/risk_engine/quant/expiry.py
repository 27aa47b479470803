"""Settle options that have expired: at intrinsic value, in cash.

Axes: everything asked and answered is (options,); the panel is (sessions, symbols).
"""

from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class Expiries:
    """Options to be settled, (options,): `column` is their underlying's, NO_COLUMN if it has none.

    `strike` is per share of the underlying as of `since_day`.
    """

    column: IntArray
    since_day: IntArray
    expiry_day: IntArray
    is_call: BoolArray
    strike: FloatArray


def settlement(panel: Panel, options: Expiries) -> FloatArray:
    """Give what expired options paid, per share of the underlying as of the expiry.

    That is max(S - K, 0) of a call and max(K - S, 0) of a put, with S the underlying's last close
    up to the expiry, at most three sessions old, and K divided by the splits since `since_day`.
    NaN where the expiry is yet to come or precedes the panel, and where there is no close.
    """
    splits = actions(panel.split_ratio, idle=1.0)
    row = last_row(panel.day, options.expiry_day)
    shares = split_factor(splits, options.column, last_row(panel.day, options.since_day), row)
    close, _ = restated_close(panel, splits, options.column, row)
    gain = np.where(options.is_call, 1.0, -1.0) * (close - options.strike / shares)
    is_past = (row >= 0) & (options.expiry_day <= np.append(panel.day, 0).max())
    # NaN is its own maximum.
    return np.where(is_past, np.maximum(gain, 0.0), np.nan)

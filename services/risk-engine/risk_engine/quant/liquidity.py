"""Say how long positions take to sell, and what that does to their risk.

Axes: the panel is (sessions, symbols), a holding or an instrument (holdings,). Units: shares or
contracts, sessions. A volume that is not known gives no answer: NaN, never a day.

The scale is the standard deviation of the loss on a position that is sold evenly over t sessions,
over that of one session: sqrt(sum_{i=1..t} (i/t)^2) = sqrt((t + 1)(2t + 1) / (6t)); see Jorion,
Value at Risk, ch. 13 (liquidity risk), and Dowd, Measuring Market Risk, ch. 14.
"""

import numpy as np

from risk_engine.quant.exposure import share_of
from risk_engine.quant.panel import FloatArray, IntArray, sum_by

VOLUME_SESSIONS = 20
LEAST_SESSIONS = 16
"""Four fifths of VOLUME_SESSIONS: with fewer volumes known there is no average."""
PARTICIPATION = 0.20
"""Share of a session's volume that a seller can be without moving the price much."""


def average_daily_volume(volume: FloatArray, split_ratio: FloatArray) -> FloatArray:
    """Return the mean volume of the last VOLUME_SESSIONS, (symbols,), in shares of the last one.

    `volume` is in the shares of its own session, `split_ratio` new shares per old share on the
    session it takes effect: a volume before a split is multiplied by it. NaN where fewer than
    LEAST_SESSIONS volumes are known.
    """
    recent, ratio = volume[-VOLUME_SESSIONS:], split_ratio[-VOLUME_SESSIONS:]
    # Shares now per share then: the ratios after each session.
    later = np.ones_like(ratio)
    later[:-1] = np.cumprod(ratio[:0:-1], axis=0)[::-1]
    restated = np.where(recent >= 0, recent * later, np.nan)
    known = np.isfinite(restated)
    count = known.sum(axis=0)
    total = np.where(known, restated, 0.0).sum(axis=0)
    average = np.divide(
        total, count, out=np.full(total.shape, np.nan), where=count >= LEAST_SESSIONS
    )
    return np.asarray(average)


def days_to_liquidate(
    quantity: FloatArray, daily_volume: FloatArray, participation: float = PARTICIPATION
) -> FloatArray:
    """Return |q| / (participation x daily volume), in sessions, not rounded.

    `quantity` is what an account holds of one instrument altogether, in the units of its volume.
    NaN where either is, or where nothing is traded; 0 for a quantity of 0 that has a volume.
    """
    traded = participation * daily_volume
    size = np.abs(quantity)
    return np.asarray(np.divide(size, traded, out=np.full(size.shape, np.nan), where=traded > 0))


def liquidation_scale(days: FloatArray) -> FloatArray:
    """Return what multiplies a one-session loss when the position is sold evenly over `days`.

    sqrt((t + 1)(2t + 1) / (6t)) with t = max(1, days rounded up): 1 up to one day. NaN stays NaN.
    """
    sessions = np.maximum(1.0, np.ceil(days))
    return np.asarray(np.sqrt((sessions + 1) * (2 * sessions + 1) / (6 * sessions)))


def sold_within(
    account: IntArray, value: FloatArray, days: FloatArray, horizon: float, accounts: int
) -> FloatArray:
    """Return the share of gross value that is sold after `horizon` sessions, (accounts,).

    `value` and `days` are of each instrument of an account; instruments sell side by side, each
    evenly over its days. Of the value whose days are known; NaN where there is none.
    """
    known = np.isfinite(days) & np.isfinite(value)
    owner, size = account[known], np.abs(value[known])
    done = np.minimum(1.0, horizon / np.maximum(days[known], horizon))
    gross = sum_by(owner, size, accounts)
    sold = sum_by(owner, size * done, accounts)
    return share_of(sold, gross)

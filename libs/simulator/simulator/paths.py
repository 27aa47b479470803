"""Random paths, arrays in and arrays out. No calendar and no securities in this file."""

from hashlib import blake2b
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Of a day's variance, what happens between the close and the next opening.
OVERNIGHT_SHARE = 0.3
# The columns of the shocks that shape one session, see `session_range` and `session_volume`.
SESSION_SHOCKS = 6


def normals(seed: int, stream: str, days: int, width: int = 1) -> Floats:
    """Return standard normal shocks of shape (days, width), one row a day.

    Row `i` depends on the seed, the stream's name, `width` and `i` alone: asking for more days
    appends rows, and no other stream has a say. Raise ValueError for a seed that is not 64 bits.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"a seed is a whole number below 2**64, not {seed}")
    # blake2b because Python's own hash() of a string differs from process to process.
    stream_key = int.from_bytes(blake2b(stream.encode(), digest_size=8).digest())
    philox = np.random.Philox(key=seed << 64 | stream_key)
    return np.random.Generator(philox).standard_normal((days, width))


def log_levels(log_returns: Floats, reversion: float) -> Floats:
    """Return the log level after each return, relative to a start (and mean) of zero.

    `reversion` is the share of the last level that is given back per step; 0 is a random walk.
    """
    if reversion == 0:
        return np.cumsum(log_returns)
    kept = 1 - reversion
    steps = accumulate(log_returns.tolist(), lambda level, step: kept * level + step)
    return np.fromiter(steps, np.float64, count=len(log_returns))


def session_range(
    log_returns: Floats, volatility: float, shocks: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the log of open, high and low over the previous close.

    The day is a Brownian path pinned to its close-to-close return: the opening is drawn from it,
    and each extreme is that of the bridge from opening to close, so the Rogers-Satchell estimator
    recovers the volatility. `volatility` is per session; `shocks` has `SESSION_SHOCKS` columns, of
    which the first five are used here.
    """
    gap_noise = volatility * np.sqrt(OVERNIGHT_SHARE * (1 - OVERNIGHT_SHARE))
    opening = OVERNIGHT_SHARE * log_returns + gap_noise * shocks[:, 0]
    move = log_returns - opening
    # A bridge's maximum is (move + sqrt(move**2 + 2 v E)) / 2 with v its variance and E standard
    # exponential, here half a sum of two squared normals. High and low are drawn independently.
    variance = (1 - OVERNIGHT_SHARE) * volatility**2
    above = np.sqrt(move**2 + variance * (shocks[:, 1] ** 2 + shocks[:, 2] ** 2))
    below = np.sqrt(move**2 + variance * (shocks[:, 3] ** 2 + shocks[:, 4] ** 2))
    return opening, opening + (move + above) / 2, opening + (move - below) / 2


def session_volume(
    typical: int, log_returns: Floats, volatility: float, shocks: Floats
) -> NDArray[np.int64]:
    """Return shares traded: log-normal around `typical`, and more of them on days of large moves.

    `volatility` is per session and positive; the last column of `shocks` is used.
    """
    usual_move = np.sqrt(2 / np.pi)
    excitement = 0.4 * (np.abs(log_returns) / volatility - usual_move)
    shares: Floats = typical * np.exp(excitement + 0.3 * shocks[:, -1])
    return np.rint(shares).astype(np.int64)

"""One session from its return: opening, high, low and volume. Arrays of any one shape."""

import numpy as np
from numpy.typing import NDArray

from simulator.draws import Floats

OVERNIGHT_SHARE = 0.3
"""Of an ordinary day's variance, what happens between the close and the next opening."""
REPORT_SHARE = 0.85
"""The same on the day a company reports, which it does after the close."""


def session_range(
    moves: Floats, volatility: Floats, overnight: Floats, shocks: tuple[Floats, ...]
) -> tuple[Floats, Floats, Floats]:
    """Return the log of open, high and low over the previous close.

    The day is a Brownian path pinned to its close-to-close log return: the opening is drawn from
    it, and each extreme is that of the bridge from opening to close, so the estimator of Rogers and
    Satchell (1991) recovers the volatility. `volatility` is per session, `overnight` the share of
    variance before the opening; `shocks` are five standard normal ones.
    """
    gap, *rest = shocks
    opening = overnight * moves + volatility * np.sqrt(overnight * (1 - overnight)) * gap
    move = moves - opening
    # A bridge's maximum is (move + sqrt(move**2 + 2 v E)) / 2 with v its variance and E standard
    # exponential, here half a sum of two squared normals. High and low are drawn independently.
    variance = (1 - overnight) * volatility**2
    above = np.sqrt(move**2 + variance * (rest[0] ** 2 + rest[1] ** 2))
    below = np.sqrt(move**2 + variance * (rest[2] ** 2 + rest[3] ** 2))
    return opening, opening + (move + above) / 2, opening + (move - below) / 2


def session_volume(
    typical: Floats | NDArray[np.int64], moves: Floats, volatility: Floats, shocks: Floats
) -> NDArray[np.int64]:
    """Return shares traded: log-normal around `typical`, and more of them on days of large moves.

    `volatility` is the usual one per session, positive.
    """
    excitement = np.minimum(0.35 * (np.abs(moves) / volatility - np.sqrt(2 / np.pi)), 2.0)
    shares: Floats = typical * np.exp(excitement + 0.3 * shocks)
    return np.rint(shares).astype(np.int64)

"""Volatility that clusters: how wild a day is, compared with the mean day. No securities here.

Log volatility is a Gaussian process, as in the stochastic volatility models of Taylor (*Modelling
Financial Time Series*, 1986), at several time scales at once, which makes the autocorrelation of
absolute returns decay as slowly as it does in markets. All multipliers have a mean square of one:
they move variance in time and leave its mean where it was.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator import draws
from simulator.draws import HORIZON, Floats

SCALES = (10, 65, 260)
"""Weekdays between the knots of what varies by itself: two weeks, a quarter, a year."""
SIZES = (0.16, 0.20, 0.24)
"""Standard deviation of log volatility at each scale."""
OWN_VARIANCE = sum(size**2 for size in SIZES)
"""Variance of the log volatility of what varies by itself."""


def _knots(scale: int) -> int:
    return HORIZON // scale + 2


KNOTS = sum(map(_knots, SCALES))
"""Shocks from which one such path is made: over all the market's time."""

_FAST, _SLOW = 0.95, 0.994
"""What is left of the market's two moods a session later: half-lives of 13 and 115 sessions."""
_FAST_SIZE, _SLOW_SIZE = 0.22, 0.24
_LEVERAGE = -0.6
"""Correlation of the fast mood's shock with the market's return of the session before: volatility
rises after a fall."""

CRISIS_ONSET = 1 / 800
CRISIS_END = 1 / 40
"""Chances per session that a crisis begins and that one ends: every three years, for two months."""
CRISIS_HEAT = 2.2
"""How much a crisis multiplies the market's volatility."""


class Dial(NamedTuple):
    """What of it happens at all: switched off, returns are Gaussian with constant variance."""

    clustering: bool = True
    """Whether volatility varies in time, crises included."""
    fat_tails: bool = True
    """Whether single days surprise, beyond what their volatility says, and earnings days too."""


@dataclass(frozen=True, slots=True, eq=False)
class Mood:
    """The market's volatility over the sessions since the epoch, as multipliers of its mean."""

    log_volatility: Floats
    """Gaussian, mean zero, without crises."""
    crisis: NDArray[np.bool_]

    @property
    def variance(self) -> float:
        """Return the variance of log volatility over all times."""
        return _FAST_SIZE**2 + _SLOW_SIZE**2

    def share(self, exponent: float) -> Floats:
        """Return the mood raised to a power, its mean square one: how much of it others feel."""
        heat = CRISIS_HEAT ** (2 * exponent)
        chance = CRISIS_ONSET / (CRISIS_ONSET + CRISIS_END)
        mean_square = np.exp(2 * exponent**2 * self.variance) * (1 + chance * (heat - 1))
        multiplier = np.exp(exponent * self.log_volatility)
        multiplier[self.crisis] *= CRISIS_HEAT**exponent
        return np.asarray(multiplier / np.sqrt(mean_square))


def mood(seed: int, market_shocks: Floats, weekdays: NDArray[np.int64], dial: Dial) -> Mood:
    """Return the market's mood at each session, from its standard normal shocks at those sessions.

    What a session does to the mood shows from the next one on.
    """
    if not dial.clustering:
        return Mood(np.zeros(len(weekdays)), np.zeros(len(weekdays), bool))
    days = int(weekdays[-1]) + 1
    shocks = draws.normals(seed, "mood", days, 2)[weekdays]
    start = draws.normals(seed, "mood/start", 1, 2)[0]
    leaning = _LEVERAGE * market_shocks + np.sqrt(1 - _LEVERAGE**2) * shocks[:, 0]
    fast = _remembering(start[0], leaning, _FAST) * _FAST_SIZE
    slow = _remembering(start[1], shocks[:, 1], _SLOW) * _SLOW_SIZE
    return Mood(fast + slow, _crises(draws.uniforms(seed, "crisis", days)[weekdays]))


def log_weather(knots: Floats, weekdays: NDArray[np.int64]) -> Floats:
    """Return log volatility of shape (paths, sessions), Gaussian with mean zero.

    `knots` has a row of `KNOTS` standard normal shocks per path. Between two knots the path turns
    from the one to the other as cosine and sine do, so its variance is the same everywhere.
    """
    path = np.zeros((len(knots), len(weekdays)))
    first = 0
    for scale, size in zip(SCALES, SIZES, strict=True):
        cell, within = np.divmod(weekdays, scale)
        angle = within * (np.pi / 2 / scale)
        path += size * (
            np.cos(angle) * knots[:, first + cell] + np.sin(angle) * knots[:, first + cell + 1]
        )
        first += _knots(scale)
    return path


def surprise(shocks: Floats, size: float) -> Floats:
    """Return multipliers of single days from standard normal shocks, mean square one.

    A Gaussian return times such a one has fat tails: its kurtosis is 3 exp(4 size**2).
    """
    return np.exp(size * shocks - size**2)


def _remembering(start: float, shocks: Floats, kept: float) -> Floats:
    # Stationary with unit variance: the session's own shock shows from the next session on.
    fresh = np.sqrt(1 - kept**2) * shocks[:-1]
    states = accumulate(fresh.tolist(), lambda state, new: kept * state + new, initial=start)
    return np.fromiter(states, np.float64, count=len(shocks))


def _crises(chances: Floats) -> NDArray[np.bool_]:
    within, states = False, np.empty(len(chances), np.bool_)
    for session, chance in enumerate(chances.tolist()):
        within = chance >= CRISIS_END if within else chance < CRISIS_ONSET
        states[session] = within
    return states

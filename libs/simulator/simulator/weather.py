"""Volatility that clusters: how wild a day is, compared with the mean day. No securities here.

Log volatility is a Gaussian process, as in the stochastic volatility models of Taylor (*Modelling
Financial Time Series*, 1986), at several time scales at once, which makes the autocorrelation of
absolute returns decay as slowly as it does in markets. All multipliers have a mean square of one:
they move variance in time and leave its mean where it was.
"""

from dataclasses import dataclass
from functools import cache
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
_FAST_SIZE, _SLOW_SIZE = 0.30, 0.19
_LEVERAGE = -0.85
"""Correlation of the fast mood's shock with the market's return of the session: volatility is
higher from the close of a fall on."""

CRISIS_ONSET = 1 / 800
CRISIS_END = 1 / 40
"""Chances per session that a crisis begins and that one ends: every three years, for two months."""
CRISIS_HEAT = 2.2
"""How much a crisis that has come all the way multiplies the market's volatility."""
_FALL, _FALL_CHANCE, _FALL_MEAN = -1.5, 0.0668072, -1.9386755
"""A crisis begins with a shock to the market below this one; chance and mean of such shocks."""
_COMING, _GOING = 0.25, 0.08
"""Of the way into a crisis and out of it, which share of the rest each session goes."""


class Dial(NamedTuple):
    """What of it happens at all: switched off, returns are Gaussian with constant variance."""

    clustering: bool = True
    """Whether volatility varies in time, crises included."""
    fat_tails: bool = True
    """Whether single days surprise, beyond what their volatility says, and earnings days too."""


@dataclass(frozen=True, slots=True, eq=False)
class Mood:
    """The market's volatility over the sessions since the epoch, as multipliers of its mean.

    Arrays have one value more than there are sessions: of a session as it began, and the last as
    the last one closed.
    """

    log_volatility: Floats
    """Gaussian, mean zero, without crises."""
    heat: Floats
    """How far a crisis has come, 0 to 1."""
    crisis: NDArray[np.bool_]
    """Whether there is one, per session: a session may be the first after its close alone."""

    def share(self, exponent: float, *, at_close: bool = False) -> Floats:
        """Return the mood raised to a power, its mean square one: how much of it others feel.

        One value per session: as it began, or as the next one will begin.
        """
        sessions = slice(1, None) if at_close else slice(None, -1)
        mood = self.log_volatility[sessions] + np.log(CRISIS_HEAT) * self.heat[sessions]
        return np.asarray(np.exp(exponent * mood) / np.sqrt(_mean_square(exponent)))


def mood(seed: int, market_shocks: Floats, weekdays: NDArray[np.int64], dial: Dial) -> Mood:
    """Return the market's mood at each session, from its standard normal shocks at those sessions.

    What a session does to the mood shows from the next one on, and is known at its close.
    """
    if not dial.clustering:
        count = len(weekdays)
        return Mood(np.zeros(count + 1), np.zeros(count + 1), np.zeros(count, bool))
    days = int(weekdays[-1]) + 1
    shocks = draws.normals(seed, "mood", days, 2)[weekdays]
    start = draws.normals(seed, "mood/start", 1, 2)[0]
    leaning = _LEVERAGE * market_shocks + np.sqrt(1 - _LEVERAGE**2) * shocks[:, 0]
    fast = _remembering(start[0], leaning, _FAST) * _FAST_SIZE
    slow = _remembering(start[1], shocks[:, 1], _SLOW) * _SLOW_SIZE
    crisis = _crises(draws.uniforms(seed, "crisis", days)[weekdays], market_shocks)
    return Mood(fast + slow, _heat(crisis), crisis[:-1])


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
    fresh = np.sqrt(1 - kept**2) * shocks
    states = accumulate(fresh.tolist(), lambda state, new: kept * state + new, initial=start)
    return np.fromiter(states, np.float64, count=len(shocks) + 1)


def _crises(chances: Floats, market_shocks: Floats) -> NDArray[np.bool_]:
    # A session decides about the next one: nothing of a crisis is known before its first fall.
    onset = np.where(market_shocks < _FALL, CRISIS_ONSET / _FALL_CHANCE, 0.0)
    within, states = False, np.zeros(len(chances) + 1, np.bool_)
    for session, (chance, begins) in enumerate(zip(chances.tolist(), onset.tolist(), strict=True)):
        within = chance >= CRISIS_END if within else chance < begins
        states[session + 1] = within
    return states


def _heat(crisis: NDArray[np.bool_]) -> Floats:
    heat, heats = 0.0, np.empty(len(crisis))
    for session, within in enumerate(crisis.tolist()):
        heat += _COMING * (1 - heat) if within else -_GOING * heat
        heats[session] = heat
    return heats


@cache
def _mean_square(exponent: float) -> float:
    """Return the mean square of the mood to a power, over all times.

    By how long a crisis has lasted, and how long it has been over: one that begins before the last
    is forgotten, as one of fifty does, is taken for any other.
    """
    lasted, over = np.arange(1, 401), np.arange(1, 201)
    coming = 1 - np.power(1.0 - _COMING, lasted, dtype=np.float64)
    ends_after = CRISIS_END * (1 - CRISIS_END) ** (lasted - 1)
    going: Floats = np.outer(coming, (1 - _GOING) ** over)
    # The fall that began it has lifted the fast mood, too, and is forgotten at that one's pace.
    lift = _FAST_SIZE * np.sqrt(1 - _FAST**2) * _LEVERAGE * _FALL_MEAN
    age = lasted[:, None] + over

    def added(heat: Floats, sessions: NDArray[np.int64]) -> Floats:
        lifted = np.exp(2 * exponent * lift * _FAST ** (sessions - 1))
        return np.asarray(lifted * np.expm1(2 * exponent * np.log(CRISIS_HEAT) * heat))

    within = (1 - CRISIS_END) ** (lasted - 1) * added(coming, lasted)
    after = ends_after[:, None] * (1 - CRISIS_ONSET) ** (over - 1) * added(going, age)
    # A crisis begins once in so many sessions.
    every = 1 / CRISIS_ONSET + 1 / CRISIS_END
    variance = _FAST_SIZE**2 + _SLOW_SIZE**2
    mean: float = np.exp(2 * exponent**2 * variance) * (1 + (within.sum() + after.sum()) / every)
    return mean

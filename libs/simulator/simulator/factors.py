"""What all securities share: the sessions, the factors' returns, and the Treasury curve."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from common import calendar
from simulator import draws, weather
from simulator.draws import BLOCK, Floats
from simulator.universe import Group, load_universe
from simulator.weather import Dial, Mood

EPOCH = date(2015, 1, 2)
SESSIONS_PER_YEAR = 252

_LAST_BLOCK = (int(np.busday_count(EPOCH, calendar.LAST_DAY)) + 1) // BLOCK - 1
"""The calendar knows all of its sessions, and of no later block."""
_MARKET_SURPRISE = 0.22
_CRISIS_DRIFT = -0.0022
"""Log return of the market per session of a crisis; it is made up for in calm ones."""
_CRISIS_RALLY = -0.0001
"""Change of the level of interest rates per session of a crisis: money flees to safety."""

# The curve reverts slowly to where it has been over the decades. Decimals per year.
_LEVEL_MEAN, _LEVEL_START, _LEVEL_PULL = 0.034, 0.0215, 0.35
_SLOPE_MEAN, _SLOPE_START, _SLOPE_PULL = -0.010, -0.0185, 0.6
_FLOOR, _SOFTNESS = -0.0075, 0.0015
"""Yields from three months to ten years stay above the first; how near to it they feel it."""
_DECAY = 2.0
"""Years, of the Nelson-Siegel slope."""


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """Factors over the sessions since the epoch, through the end of the last one's block.

    Axes: (groups or factors, sessions), in the order of the universe.
    """

    sessions: tuple[date, ...]
    weekdays: NDArray[np.int64]
    """Since the epoch, one per session: the row of each stream's shocks."""
    returns: Floats
    """Log returns of the factors, drift included."""
    ratios: Floats
    """Each group's variance per session over its mean, as the session began."""
    closing_ratios: Floats
    """The same as it closed: what the next session begins with, whether that is known or not."""
    mood: Mood
    level: Floats
    """The ten-year Treasury yield, a decimal per year."""
    slope: Floats
    """The three-month yield minus the ten-year one."""

    def place(self, session: date) -> int:
        """Return where a session is; raise ValueError for a day that is none."""
        at = bisect_left(self.sessions, session)
        if self.sessions[at : at + 1] != (session,):
            raise ValueError(f"{session} is no session of the simulated market")
        return at

    def block(self, number: int) -> slice:
        """Return which sessions lie in a block of weekdays."""
        first, last = np.searchsorted(self.weekdays, (number * BLOCK, (number + 1) * BLOCK))
        return slice(int(first), int(last))

    def yields(self, maturities: Floats) -> Floats:
        """Return Treasury yields of shape (sessions, maturities), for maturities in years.

        Decimals per year, continuously compounded; they may be negative, as they have been.
        """
        curve: Floats = self.level[:, None] + self.slope[:, None] * slope_at(maturities)
        return curve


def slope_at(maturities: Floats) -> Floats:
    """Return how much a yield moves with the slope: 1 at three months, 0 at ten years."""

    def hump(years: Floats) -> Floats:
        ratio = np.asarray(years, np.float64) / _DECAY
        lead: Floats = -np.expm1(-ratio) / ratio
        return lead

    short, long = hump(np.array([0.25, 10.0]))
    weight: Floats = (hump(maturities) - long) / (short - long)
    return weight


def backdrop(seed: int, end: date, dial: Dial) -> Backdrop:
    """Return the market's factors through the block in which a day lies, or through the last."""
    weekday = int(np.busday_count(EPOCH, end)) if end > EPOCH else 0
    return _backdrop(seed, min(weekday // BLOCK, _LAST_BLOCK), dial)


@lru_cache(maxsize=32)
def _backdrop(seed: int, last_block: int, dial: Dial) -> Backdrop:
    end = np.busday_offset(EPOCH, (last_block + 1) * BLOCK - 1).astype(date)
    sessions = calendar.sessions(EPOCH, end)
    # Shocks belong to weekdays, not to positions in the calendar: were the exchange to declare
    # another day of mourning, that day would drop out and nothing before it would change.
    weekdays = np.busday_count(EPOCH, np.array(sessions, "datetime64[D]"))
    shocks = _shocks(seed, weekdays)
    mood = weather.mood(seed, shocks["market"], weekdays, dial)
    universe = load_universe()

    multipliers, closing = (
        {
            group.name: _multiplier(seed, group, mood, weekdays, dial, at_close=at_close)
            for group in universe.groups
        }
        for at_close in (False, True)
    )
    heat = {
        group.name: _surprises(seed, group, weekdays, dial) * multipliers[group.name]
        for group in universe.groups
    }
    moves = {
        factor.name: shocks[factor.name]
        * heat[factor.group]
        * (factor.volatility / np.sqrt(SESSIONS_PER_YEAR))
        for factor in universe.factors
    }
    level = _reverting(
        moves["rates"] + _CRISIS_RALLY * mood.crisis, _LEVEL_START, _LEVEL_MEAN, _LEVEL_PULL
    )
    bill = level + _reverting(moves["slope"], _SLOPE_START, _SLOPE_MEAN, _SLOPE_PULL)
    level, bill = _above_the_floor(level), _above_the_floor(bill)
    slope = bill - level
    moves["rates"], moves["slope"] = -np.diff(level), -np.diff(slope)
    moves["market"] = moves["market"] + _crisis_drift(mood, dial)
    moves["cash"] = bill[:-1] / SESSIONS_PER_YEAR
    returns = np.stack(
        [moves[factor.name] + factor.drift / SESSIONS_PER_YEAR for factor in universe.factors]
    )
    ratios, closing_ratios = (
        np.stack([each[group.name] ** 2 for group in universe.groups])
        for each in (multipliers, closing)
    )
    return Backdrop(sessions, weekdays, returns, ratios, closing_ratios, mood, level[1:], slope[1:])


def _shocks(seed: int, weekdays: NDArray[np.int64]) -> dict[str, Floats]:
    """Return standard normal shocks of each factor, correlated where the universe says so."""
    universe, days = load_universe(), int(weekdays[-1]) + 1
    shared = {
        name: draws.normals(seed, f"shared/{name}", days)[weekdays, 0] for name in universe.shared
    }
    shocks: dict[str, Floats] = {}
    for factor in universe.factors:
        own = draws.normals(seed, f"factor/{factor.name}", days)[weekdays, 0]
        shocks[factor.name] = np.sqrt(1 - sum(c**2 for c in factor.shares.values())) * own
        for name, share in factor.shares.items():
            shocks[factor.name] = shocks[factor.name] + share * shared[name]
    return shocks


def _multiplier(
    seed: int,
    group: Group,
    mood: Mood,
    weekdays: NDArray[np.int64],
    dial: Dial,
    *,
    at_close: bool,
) -> Floats:
    if not dial.clustering:
        return np.ones(len(weekdays))
    common = mood.share(group.mood, at_close=at_close)
    if group.mood == 1:
        return common
    knots = draws.Streams(seed).at(f"weather/{group.name}").standard_normal((1, weather.KNOTS))
    # As of the next weekday, whether or not that is a session: the calendar has no say in it.
    own = weather.log_weather(knots, weekdays + at_close)[0]
    multiplier: Floats = common * np.exp(own - weather.OWN_VARIANCE)
    return multiplier


def _surprises(seed: int, group: Group, weekdays: NDArray[np.int64], dial: Dial) -> Floats:
    if not dial.fat_tails:
        return np.ones(len(weekdays))
    days = int(weekdays[-1]) + 1
    shocks = draws.normals(seed, f"surprise/{group.name}", days)[weekdays, 0]
    return weather.surprise(shocks, _MARKET_SURPRISE)


def _crisis_drift(mood: Mood, dial: Dial) -> Floats:
    if not dial.clustering:
        return np.zeros(len(mood.crisis))
    chance = weather.CRISIS_ONSET / (weather.CRISIS_ONSET + weather.CRISIS_END)
    calm = -_CRISIS_DRIFT * chance / (1 - chance)
    return np.where(mood.crisis, _CRISIS_DRIFT, calm)


def _reverting(moves: Floats, start: float, mean: float, pull: float) -> Floats:
    """Return a level before the first session and after each one; `pull` is per year."""
    kept = 1 - pull / SESSIONS_PER_YEAR
    steps = accumulate(moves.tolist(), lambda away, move: kept * away + move, initial=start - mean)
    return mean + np.fromiter(steps, np.float64, count=len(moves) + 1)


def _above_the_floor(yields: Floats) -> Floats:
    # The softplus function: it moves a yield of one percent by a few thousandths of a basis point.
    away = (yields - _FLOOR) / _SOFTNESS
    return np.asarray(_FLOOR + _SOFTNESS * np.logaddexp(0, away))

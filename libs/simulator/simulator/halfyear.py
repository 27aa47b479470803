"""Half a year of some securities: returns, payouts, reports and halts, relative to its start.

Nothing here knows a price level: that is what `levels` adds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import weather
from simulator.draws import BLOCK, Floats, Streams
from simulator.factors import Backdrop
from simulator.roster import QUARTER, Roster
from simulator.weather import Dial

Rows = NDArray[np.intp]

_MOOD = 0.4
"""The power of the market's volatility that a security's own shares."""
_SURPRISE = 0.3
_REPORT_HEAT = 3.0
"""Four times a year a stock reports: that day its own volatility is this many times the usual."""
_HALT_CHANCE = 0.012
"""Per stock and half-year."""
_LONGEST_HALT = 4
SHOCKS = ("own", "surprise")
SESSION_SHOCKS = 6
"""Further ones that shape a session, see `trading`."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What all securities of a market share."""

    seed: int
    roster: Roster
    scene: Backdrop
    dial: Dial


@dataclass(frozen=True, slots=True, eq=False)
class HalfYear:
    """Some securities over the sessions of one block. Axes: (securities, sessions)."""

    sessions: slice
    """Of the backdrop."""
    moves: Floats
    """Log total returns."""
    path: Floats
    """Log price relative to the close before the block, payouts taken out, splits not."""
    paid: Floats
    """What is paid out, as a fraction of the price before the block; 0 on other sessions."""
    own_multiplier: Floats
    """Of the mean own volatility, single surprises not counted."""
    reports: NDArray[np.bool_]
    """Whether the session opens on the company's figures."""
    halted: NDArray[np.bool_]
    events: Floats
    """Uniform draws that decide about splits, (securities, 3)."""


def half_year(stage: Stage, block: int, rows: Rows, own_knots: Floats) -> tuple[HalfYear, Floats]:
    """Return a block of some securities, and the shocks that shape its sessions.

    The shocks have axes (securities, SESSION_SHOCKS, sessions).
    """
    roster, scene, dial = stage.roster, stage.scene, stage.dial
    sessions = scene.block(block)
    within = scene.weekdays[sessions] - block * BLOCK
    shocks, events = _shocks(stage.seed, block, [roster.symbols[row] for row in rows])
    own, surprise = shocks[:, 0][:, within], shocks[:, 1][:, within]

    reports = _reports(roster, rows, within) if dial.fat_tails else np.zeros(own.shape, bool)
    multiplier = _own_multiplier(scene, sessions, own_knots, reports, dial)
    own = own * multiplier * roster.own_volatility_per_session(rows)
    if dial.fat_tails:
        own *= weather.surprise(surprise, _SURPRISE)
    moves = own + roster.drift[rows, None]
    # One factor after the other: a matrix product may round differently for another subset.
    for factor, returns in enumerate(scene.returns[:, sessions]):
        moves += roster.loadings[rows, factor, None] * returns

    paying = _paying(roster, rows, within)
    path, paid = _paid_out(roster, rows, np.cumsum(moves, axis=1), paying)
    halted = _halted(roster, rows, paid, events)
    return (
        HalfYear(sessions, moves, path, paid, multiplier, reports, halted, events[:, :3]),
        shocks[:, len(SHOCKS) :][:, :, within],
    )


def own_clustering(
    scene: Backdrop, sessions: slice, own_knots: Floats, dial: Dial, *, at_close: bool = False
) -> Floats:
    """Return how wild the securities' own sessions are, reports apart, (securities, sessions).

    Multiples of the mean own volatility, their mean square one: as each session began, or as it
    closed.
    """
    if not dial.clustering:
        return np.ones((len(own_knots), len(scene.weekdays[sessions])))
    own = weather.log_weather(own_knots, scene.weekdays[sessions] + at_close)
    multiplier: Floats = np.exp(own - weather.OWN_VARIANCE)
    return multiplier * scene.mood.share(_MOOD, at_close=at_close)[sessions]


def _shocks(seed: int, block: int, symbols: list[str]) -> tuple[Floats, Floats]:
    shocks = np.empty((len(symbols), len(SHOCKS) + SESSION_SHOCKS, BLOCK))
    events = np.empty((len(symbols), 5))
    streams = Streams(seed)
    for row, symbol in enumerate(symbols):
        generator = streams.at(f"path/{symbol}", block)
        generator.random(out=events[row])
        generator.standard_normal(out=shocks[row])
    return shocks, events


def _own_multiplier(
    scene: Backdrop, sessions: slice, own_knots: Floats, reports: NDArray[np.bool_], dial: Dial
) -> Floats:
    multiplier = own_clustering(scene, sessions, own_knots, dial)
    if dial.fat_tails:
        mean_square = 1 + (_REPORT_HEAT**2 - 1) / QUARTER
        # Only stocks report; what does not keeps its mean square of one without them.
        stocks = reports.any(axis=1, keepdims=True)
        multiplier /= np.where(stocks, np.sqrt(mean_square), 1.0)
        multiplier *= np.where(reports, _REPORT_HEAT, 1.0)
    return multiplier


def _reports(roster: Roster, rows: Rows, within: NDArray[np.int64]) -> NDArray[np.bool_]:
    day = (roster.offset[rows] + QUARTER // 2) % QUARTER
    due = [_first_session_from(within, day + quarter * QUARTER) for quarter in (0, 1)]
    reports = np.zeros((len(rows), len(within)), bool)
    for session in due:
        reports[np.arange(len(rows)), session] = roster.is_stock[rows]
    return reports


def _paying(roster: Roster, rows: Rows, within: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sessions on which each security pays, -1 for none, (securities, payments)."""
    payments, offset = roster.payments[rows], roster.offset[rows]
    paying = np.full((len(rows), int(payments.max(initial=0))), -1)
    for number in range(paying.shape[1]):
        day = offset + number * BLOCK // np.maximum(payments, 1)
        session = _first_session_from(within, day)
        paying[:, number] = np.where(number < payments, session, -1)
    return paying


def _first_session_from(within: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.minimum(np.searchsorted(within, day), len(within) - 1)


def _paid_out(
    roster: Roster, rows: Rows, total: Floats, paying: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return the log path of prices and what is paid, from the log path of total returns."""
    paid = np.zeros_like(total)
    drops = np.zeros_like(total)
    everyone = np.arange(len(rows))
    payout = roster.payout[rows]
    one_dollar = roster.at_one_dollar[rows]
    taken = np.zeros(len(rows))  # log, by the payments so far
    for session in paying.T:
        due = session >= 0
        at = np.where(due, session, 0)
        before = np.exp(total[everyone, at] + taken)
        fraction = np.where(due & ~one_dollar, payout, 0.0)
        # Money-market funds pay what they have earned, and are back at where they were.
        fraction = np.where(due & one_dollar, np.maximum(before - 1, 0), fraction)
        drop = np.log1p(-fraction / before)
        paid[everyone, at] += fraction
        drops[everyone, at] += drop
        taken += drop
    path = total + np.cumsum(drops, axis=1)
    path[one_dollar] = 0
    return path, paid


def _halted(roster: Roster, rows: Rows, paid: Floats, events: Floats) -> NDArray[np.bool_]:
    count = paid.shape[1]
    first = (events[:, 4] * (count - _LONGEST_HALT)).astype(np.int64)
    chance = np.where(roster.is_stock[rows], events[:, 3] / _HALT_CHANCE, 1.0)
    length = np.where(chance < 1, 1 + (chance * _LONGEST_HALT).astype(np.int64), 0)
    place = np.arange(count) - first[:, None]
    halted: NDArray[np.bool_] = (place >= 0) & (place < length[:, None])
    # Nothing is paid or split while trading is halted.
    return halted & ~(halted & (paid > 0)).any(axis=1, keepdims=True)

"""A market whose truth is known: daily bars from one seed, the same for any order of requests."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator import levels, trading
from simulator.draws import BLOCK, Floats
from simulator.factors import EPOCH, Backdrop, backdrop
from simulator.halfyear import HalfYear, Rows, Stage, half_year
from simulator.levels import Levels, Splits, Start
from simulator.roster import Roster, knots, load_roster
from simulator.universe import Profile, load_universe
from simulator.volatility_index import VOLATILITY_INDEX, index_bars
from simulator.weather import Dial

# Raise it with anything that changes a price or a volume, the universe's facts included.
MODEL_VERSION = "3"
# Any seed is a market. This one's index rises over the years, with crises on the way.
DEFAULT_SEED = 3226
# The session on which each price of the universe holds: the demo portfolios' entry dates are near.
ANCHOR = date(2024, 1, 16)

_ANCHOR_WEEKDAY = int(np.busday_count(EPOCH, ANCHOR))
_ANCHOR_BLOCK = _ANCHOR_WEEKDAY // BLOCK
_AT_ONCE = 256
"""Securities whose half-year fits a processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Raw daily bars, axes (sessions, symbols): US dollars per share of that day, to the cent.

    Where a security did not trade (halted, not yet or no longer listed), `traded` is false, prices
    are NaN and the volume is 0.
    """

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: NDArray[np.int64]
    split_ratio: Floats
    """New shares per old one before this session's opening; 1 without a split."""
    dividend: Floats
    """US dollars per share, before this session's opening; 0 without one."""
    traded: NDArray[np.bool_]


class _Act(NamedTuple):
    """A half-year of some securities, from where it starts."""

    half: HalfYear
    shocks: Floats
    start: Start
    splits: Splits


class Market:
    """The simulated market of one seed. It has no clock: the caller says up to which session.

    Its universe, with the true loadings and volatilities, is `simulator.universe.load_universe()`;
    what was true on a day, `simulator.truth`. With parts of `dial` switched off, returns are those
    of textbooks.
    """

    def __init__(self, seed: int = DEFAULT_SEED, dial: Dial = Dial()) -> None:  # noqa: B008
        self.seed = seed
        self.dial = dial
        self._universe = load_universe()
        self._levels = Levels(len(self._universe.securities))
        self._last: tuple[tuple[int, bytes], tuple[HalfYear, Floats]] | None = None

    @property
    def roster(self) -> Roster:
        """Return the universe as arrays; the first time takes a moment."""
        return load_roster()

    def symbols(self) -> tuple[str, ...]:
        """Return every symbol that is ever listed."""
        return tuple(self._universe.securities)

    def profile(self, symbol: str) -> Profile:
        """Return who the symbol is; raise LookupError for one that is never listed."""
        security = self._universe.securities.get(symbol)
        if security is None:
            raise LookupError(f"the simulated market does not list {symbol!r}")
        return security.profile

    def scene(self, end: date) -> Backdrop:
        """Return the factors, rates and mood of the market through a day at least."""
        return backdrop(self.seed, max(end, ANCHOR), self.dial)

    def bars(self, symbols: Iterable[str], start: date, end: date) -> Bars:
        """Return the bars from `start` to `end`, both included, in the order of `symbols`.

        What the market does not have is left out, and the result's own `symbols` and `sessions`
        say so: symbols that are never listed, sessions before the epoch, and those after the last
        half-year that the calendar knows all of.
        """
        asked = tuple(dict.fromkeys(s for s in symbols if s in self._universe.securities))
        scene = self.scene(end)
        window = range(bisect_left(scene.sessions, start), bisect_right(scene.sessions, end))
        bars = _nothing_yet(scene.sessions[window.start : window.stop], asked)
        if not window or not asked:
            return bars
        rows = np.array([self.roster.row[symbol] for symbol in asked])
        for first in range(0, len(rows), _AT_ONCE):
            columns = slice(first, first + _AT_ONCE)
            self._fill(bars, columns, rows[columns], scene, window)
        if VOLATILITY_INDEX in asked:
            _fill_index(bars, asked.index(VOLATILITY_INDEX), index_bars(self.seed, scene), window)
        return bars

    def growth(self, symbols: Sequence[str], session: date) -> Floats:
        """Return what each company is worth at a session's close over the anchor's, (symbols,).

        Splits do not matter to it. NaN where a symbol is not listed on that session; LookupError
        for one that never is, ValueError for a day that is no session of the market. The volatility
        index is no company: its 1 means nothing.
        """
        for symbol in symbols:
            self.profile(symbol)
        scene = self.scene(session)
        at = scene.place(session)
        block = int(scene.weekdays[at]) // BLOCK
        rows = np.array([self.roster.row[symbol] for symbol in symbols], np.intp)
        grown = np.full(len(rows), np.nan)
        for first in range(0, len(rows), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            for act in self._walk(rows[some], range(block, block + 1), scene):
                path = act.half.path[:, at - act.half.sessions.start]
                grown[some] = np.exp(act.start.level + path)
        weekday = scene.weekdays[at]
        listed = (self.roster.listed_from[rows] <= weekday) & (
            weekday <= self.roster.listed_through[rows]
        )
        return np.where(listed, grown, np.nan)

    def _fill(self, bars: Bars, columns: slice, rows: Rows, scene: Backdrop, window: range) -> None:
        blocks = range(
            int(scene.weekdays[window.start]) // BLOCK, int(scene.weekdays[window[-1]]) // BLOCK + 1
        )
        for act in self._walk(rows, blocks, scene):
            block = act.half.sessions
            inside = slice(max(block.start, window.start), min(block.stop, window.stop))
            there = slice(inside.start - window.start, inside.stop - window.start)
            here = slice(inside.start - block.start, inside.stop - block.start)
            for name, values in self._trade(rows, scene, act).items():
                getattr(bars, name)[there, columns] = values[:, here].T

    def _walk(self, rows: Rows, wanted: range, scene: Backdrop) -> Iterator[_Act]:
        """Return the blocks that are wanted, walking outwards from the anchor to the last of them.

        Blocks on the way whose ends are known are passed over.
        """
        own_knots = knots(self.seed, tuple(self.roster.symbols[row] for row in rows))
        stage = Stage(self.seed, self.roster, scene, self.dial)

        for block in range(_ANCHOR_BLOCK, max(wanted.stop, _ANCHOR_BLOCK + 1)):
            if block not in wanted and self._levels.knows(block + 1, rows):
                continue
            half, shocks = self._half_year(stage, block, rows, own_knots)
            if block == _ANCHOR_BLOCK:
                anchor = scene.sessions.index(ANCHOR) - half.sessions.start
                start = Start(-half.path[:, anchor], np.ones(len(rows)))
                splits = levels.no_splits(len(rows))
                self._levels.remember(block, rows, start)
            else:
                start = self._levels.at(block, rows)
                splits = levels.splits_forward(self.roster, rows, half, start)
            end = Start(start.level + half.path[:, -1], start.split * splits.ratio)
            self._levels.remember(block + 1, rows, end)
            if block in wanted:
                yield _Act(half, shocks, start, splits)
        for block in range(_ANCHOR_BLOCK - 1, wanted.start - 1, -1):
            if block not in wanted and self._levels.knows(block, rows):
                continue
            half, shocks = self._half_year(stage, block, rows, own_knots)
            end = self._levels.at(block + 1, rows)
            splits = levels.splits_backward(self.roster, rows, half, end)
            start = Start(end.level - half.path[:, -1], end.split / splits.ratio)
            self._levels.remember(block, rows, start)
            if block in wanted:
                yield _Act(half, shocks, start, splits)

    def _half_year(
        self, stage: Stage, block: int, rows: Rows, own_knots: Floats
    ) -> tuple[HalfYear, Floats]:
        # Who asks for a session's bars mostly asks for its quotes and companies' worth next.
        key = (block, rows.tobytes())
        last = self._last
        if last is None or last[0] != key:
            self._last = last = (key, half_year(stage, block, rows, own_knots))
        return last[1]

    def _trade(self, rows: Rows, scene: Backdrop, act: _Act) -> dict[str, NDArray[np.generic]]:
        """Return the fields of `Bars` of a block, axes (securities, sessions)."""
        half, shocks, start, splits = act
        roster, everyone = self.roster, np.arange(len(rows))
        ratio = np.ones_like(half.path)
        ratio[everyone, splits.session] = splits.ratio
        shares = start.split[:, None] * np.cumprod(ratio, axis=1)
        base = roster.price[rows, None] * np.exp(start.level)[:, None] / shares

        before_opening = half.path - half.moves  # the close before, less what is paid out
        before_opening[roster.at_one_dollar[rows]] = 0
        volatility = self._volatility(rows, scene, half)
        overnight = np.where(half.reports, trading.REPORT_SHARE, trading.OVERNIGHT_SHARE)
        offsets = trading.session_range(
            half.path - before_opening, volatility, overnight, tuple(shocks[:, k] for k in range(5))
        )
        opening, high, low = (_cents(base * np.exp(before_opening + o)) for o in offsets)
        close = _cents(base * np.exp(half.path))
        volume = trading.session_volume(
            roster.volume[rows, None] * shares, half.moves, _usual(volatility), shocks[:, 5]
        )
        single, exchange = roster.single_price[rows], roster.on_exchange[rows]
        for prices in (opening, high, low):
            prices[single] = close[single]
        volume[~exchange] = 0
        # The extremes are right by construction; this only settles ties lost in floating point.
        high = np.maximum(high, np.maximum(opening, close))
        low = np.minimum(low, np.minimum(opening, close))
        # Per share of that day: nothing is both split and paid out on one day.
        dividend = np.round(half.paid * base, 4)
        return self._where_traded(
            rows,
            scene,
            half,
            {
                "open": opening,
                "high": high,
                "low": low,
                "close": close,
                "volume": volume,
                "split_ratio": ratio,
                "dividend": dividend,
            },
        )

    def _volatility(self, rows: Rows, scene: Backdrop, half: HalfYear) -> Floats:
        """Return each session's volatility as the day began, (securities, sessions)."""
        variance = (half.own_multiplier * self.roster.own_volatility_per_session(rows)) ** 2
        for group, ratios in enumerate(scene.ratios[:, half.sessions]):
            variance += self.roster.group_variance[rows, group, None] * ratios
        return np.sqrt(variance)

    def _where_traded(
        self,
        rows: Rows,
        scene: Backdrop,
        half: HalfYear,
        fields: dict[str, NDArray[np.generic]],
    ) -> dict[str, NDArray[np.generic]]:
        weekdays = scene.weekdays[half.sessions]
        began = weekdays >= self.roster.listed_from[rows, None]
        traded = began & (weekdays <= self.roster.listed_through[rows, None]) & ~half.halted
        absent = {"volume": 0, "split_ratio": 1.0, "dividend": 0.0}
        for name, values in fields.items():
            values[~traded] = absent.get(name, np.nan)
        # Before the first opening nobody had a share that could be split or paid for.
        before = np.concatenate(([-1], scene.weekdays))[half.sessions]
        first = began & (before < self.roster.listed_from[rows, None])
        fields["split_ratio"][first], fields["dividend"][first] = 1.0, 0.0
        return {**fields, "traded": traded}


def _nothing_yet(sessions: tuple[date, ...], symbols: tuple[str, ...]) -> Bars:
    shape = (len(sessions), len(symbols))
    opening, high, low, close, ratio, dividend = (np.empty(shape) for _ in range(6))
    return Bars(
        sessions=sessions,
        symbols=symbols,
        open=opening,
        high=high,
        low=low,
        close=close,
        volume=np.empty(shape, np.int64),
        split_ratio=ratio,
        dividend=dividend,
        traded=np.empty(shape, np.bool_),
    )


def _fill_index(bars: Bars, column: int, prices: Floats, window: range) -> None:
    for name, values in zip(("open", "high", "low", "close"), prices, strict=True):
        getattr(bars, name)[:, column] = values[window.start : window.stop]


def _cents(prices: Floats) -> Floats:
    # Never below a cent: a price of zero would make the next return infinite.
    return np.maximum(np.round(prices, 2), 0.01)


def _usual(volatility: Floats) -> Floats:
    return np.maximum(volatility, 1e-6)

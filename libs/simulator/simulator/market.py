"""A market whose truth is known: daily bars from one seed, the same for any order of requests."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from common import calendar
from simulator import paths
from simulator.paths import Floats
from simulator.universe import Profile, Security, load_universe

# Raise it with anything that changes a price or a volume, the universe's facts included.
MODEL_VERSION = "1"
# Any seed is a market. This one's index rises over the years with falls of up to 30 % on the way.
DEFAULT_SEED = 22
EPOCH = date(2015, 1, 2)
# The session on which each price of the universe holds: the demo portfolios' entry dates are near.
ANCHOR = date(2024, 1, 16)

_SESSIONS_PER_YEAR = 252


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Raw daily bars, axes (sessions, symbols): US dollars, to the cent; volume in shares."""

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Backdrop:
    """What all securities share: the sessions since the epoch and the factors' log returns."""

    sessions: tuple[date, ...]
    weekdays: NDArray[np.int64]  # since the epoch, one a session: the row of each stream's shocks
    factor_returns: dict[str, Floats]

    def shocks(self, seed: int, stream: str, width: int = 1) -> Floats:
        return paths.normals(seed, stream, int(self.weekdays[-1]) + 1, width)[self.weekdays]


class Market:
    """The simulated market of one seed. It has no clock: the caller says up to which session.

    Its universe, with the true loadings and volatilities, is `simulator.universe.load_universe()`.
    """

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self.seed = seed
        self._universe = load_universe()

    def symbols(self) -> tuple[str, ...]:
        """Return every listed symbol."""
        return tuple(self._universe.securities)

    def profile(self, symbol: str) -> Profile:
        """Return who the symbol is; raise LookupError for one that is not listed."""
        security = self._universe.securities.get(symbol)
        if security is None:
            raise LookupError(f"the simulated market does not list {symbol!r}")
        return security.profile

    def bars(self, symbols: Iterable[str], start: date, end: date) -> Bars:
        """Return the bars from `start` to `end`, both included, in the order of `symbols`.

        What the market does not have is left out, and the result's own `symbols` and `sessions`
        say so: symbols that are not listed, and sessions before the epoch.
        """
        known = self._universe.securities
        asked = {symbol: known[symbol] for symbol in symbols if symbol in known}
        backdrop = _backdrop(self.seed, max(end, ANCHOR))
        window = slice(bisect_left(backdrop.sessions, start), bisect_right(backdrop.sessions, end))
        sessions = backdrop.sessions[window]

        shape = (len(sessions), len(asked))
        prices = np.empty((4, *shape))
        volume = np.empty(shape, np.int64)
        for column, security in enumerate(asked.values()):
            prices[:, :, column], volume[:, column] = self._trade(security, backdrop, window)
        opening, high, low, close = prices
        return Bars(sessions, tuple(asked), opening, high, low, close, volume)

    def _trade(
        self, security: Security, backdrop: _Backdrop, window: slice
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Return (open, high, low, close) in rows, and the volume, of the sessions in `window`."""
        symbol = security.profile.symbol
        levels = self._log_levels(security, backdrop)
        before = np.concatenate(([0.0], levels[:-1]))
        # A mean-reverting security swings around its price; any other one has it at the anchor.
        anchor = 0.0 if security.reversion else levels[bisect_left(backdrop.sessions, ANCHOR)]

        levels, before = levels[window], before[window]
        close = _dollars(security, levels - anchor)
        if security.has_single_price:
            return np.tile(close, (4, 1)), np.zeros(len(close), np.int64)

        volatility = self._universe.volatility(security) / np.sqrt(_SESSIONS_PER_YEAR)
        shocks = backdrop.shocks(self.seed, f"session/{symbol}", paths.SESSION_SHOCKS)[window]
        moves = levels - before
        opening, high, low = (
            _dollars(security, before + offset - anchor)
            for offset in paths.session_range(moves, volatility, shocks)
        )
        volume = paths.session_volume(security.volume, moves, volatility, shocks)
        # The extremes are right by construction; this only settles ties lost in floating point.
        high = np.maximum(high, np.maximum(opening, close))
        low = np.minimum(low, np.minimum(opening, close))
        return np.stack((opening, high, low, close)), volume

    def _log_levels(self, security: Security, backdrop: _Backdrop) -> Floats:
        own = backdrop.shocks(self.seed, f"own/{security.profile.symbol}")[:, 0]
        log_returns = own * (security.own_volatility / np.sqrt(_SESSIONS_PER_YEAR))
        # One factor after the other: a matrix product may round differently for another subset.
        for name, loading in security.loadings.items():
            log_returns += loading * backdrop.factor_returns[name]
        return paths.log_levels(log_returns, security.reversion)


@lru_cache(maxsize=16)
def _backdrop(seed: int, end: date) -> _Backdrop:
    sessions = calendar.sessions(EPOCH, end)
    # Shocks belong to weekdays, not to positions in the calendar: were the exchange to declare
    # another day of mourning, that day would drop out and nothing before it would change.
    weekdays = np.busday_count(EPOCH, np.array(sessions, "datetime64[D]"))
    bare = _Backdrop(sessions, weekdays, {})
    factor_returns = {
        factor.name: factor.drift / _SESSIONS_PER_YEAR
        + factor.volatility
        / np.sqrt(_SESSIONS_PER_YEAR)
        * bare.shocks(seed, f"factor/{factor.name}")[:, 0]
        for factor in load_universe().factors.values()
    }
    return _Backdrop(sessions, weekdays, factor_returns)


def _dollars(security: Security, log_levels: Floats) -> Floats:
    # Never below a cent: a price of zero would make the next return infinite.
    return np.maximum(np.round(security.price * np.exp(log_levels), 2), 0.01)

"""The market as a calculation sees it, in float64; what is not known is NaN, never zero."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from risk_engine.domain.limits import DEFAULT_LIMITS, ConvexityLimits
from risk_engine.domain.scenarios import ScenarioSet

FloatArray = npt.NDArray[np.float64]

PANEL_CURRENCY = "USD"
"""What every price, quote and rate is in; no exchange rates are known."""


@dataclass(frozen=True, eq=False)
class Prices:
    """A slice of the market data panel: arrays are (sessions, symbols), sessions ascending.

    `close` is raw (adjusted for nothing), NaN where there is none. `split_ratio` is new shares per
    old share on the session it takes effect, 1 otherwise. `dividend` is cash per share held before
    that session's split, on the ex-date, 0 otherwise. `missing` says why a symbol has no price.
    `open`, `high`, `low` (raw like closes) and `volume` (shares of the day) are None where a source
    has closes alone.

    The first `early` sessions are none of the panel: before it only those are listed on which
    something acted on a share, or an option expired, and only closes of the latter are told. What
    `loaded_from` says is the day from which on no split and no dividend of a symbol is missing.

    Raises:
        ValueError: the arrays do not match the axes, or sessions are not ascending.
    """

    as_of: date
    panel_version: int
    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    close: FloatArray
    split_ratio: FloatArray
    dividend: FloatArray
    provider: str
    missing: Mapping[str, str] = field(default_factory=dict)
    open: FloatArray | None = None
    high: FloatArray | None = None
    low: FloatArray | None = None
    volume: FloatArray | None = None
    early: int = 0
    loaded_from: Mapping[str, date] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.sessions), len(self.symbols))
        for name in ("close", "split_ratio", "dividend", "open", "high", "low", "volume"):
            table = getattr(self, name)
            if table is not None and table.shape != shape:
                raise ValueError(
                    f"{name} has shape {table.shape}, sessions and symbols say {shape}"
                )
        if any(later <= earlier for earlier, later in pairwise(self.sessions)):
            raise ValueError("sessions must be ascending and distinct")

    @property
    def first_session(self) -> date:
        """Give the first session of the panel."""
        return self.sessions[self.early]

    @cached_property
    def columns(self) -> Mapping[str, int]:
        """Give the column of each symbol."""
        return {symbol: column for column, symbol in enumerate(self.symbols)}

    @cached_property
    def rows(self) -> Mapping[date, int]:
        """Give the row of each session."""
        return {session: row for row, session in enumerate(self.sessions)}


@dataclass(frozen=True, slots=True)
class Security:
    """Who a symbol is; `kind` is marketdata's: stock, etf, mutual_fund, money_market or index."""

    name: str
    kind: str
    sector: str | None
    industry: str | None


@dataclass(frozen=True, slots=True)
class Dividend:
    """A dividend that was declared: US dollars per share of the day that said so."""

    ex_date: date
    """Whoever has the share at the close before gets it."""
    amount: float


@dataclass(frozen=True, eq=False)
class Snapshots:
    """What was said of securities and option contracts at the close of `as_of`, (symbols,).

    US dollars; NaN where nothing was said. A bid of 0 is a contract nobody bids for.
    `dividend_yield` is expected per year, a decimal; `volume` and `open_interest` are contracts of
    an option; `underlying_price` is what an option is on: a share, an index, or the future that
    expires with an option on the volatility index. `dividends` are by symbol what had been declared
    by then and was still to come.
    """

    symbols: tuple[str, ...]
    bid: FloatArray
    ask: FloatArray
    market_cap: FloatArray
    dividend_yield: FloatArray
    beta: FloatArray
    volume: FloatArray
    open_interest: FloatArray
    underlying_price: FloatArray
    dividends: Mapping[str, tuple[Dividend, ...]] = field(default_factory=dict)

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Give the row of each symbol."""
        return {symbol: row for row, symbol in enumerate(self.symbols)}

    @classmethod
    def silent(cls) -> "Snapshots":
        """Return what a market says that says nothing."""
        no = np.empty(0)
        return cls((), no, no, no, no, no, no, no, no)


@dataclass(frozen=True, eq=False)
class Rates:
    """The Treasury's zero curves, sessions ascending.

    `zero` is (sessions, tenors): decimals per year, continuously compounded, NaN where there is no
    rate; `years` are the tenors, ascending.
    """

    sessions: tuple[date, ...]
    years: FloatArray
    zero: FloatArray

    @classmethod
    def unknown(cls) -> "Rates":
        """Return curves of no session."""
        return cls((), np.empty(0), np.empty((0, 0)))


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The sector weights of an index at a quarter's end; fractions that add up to 1."""

    name: str
    as_of: date
    weights: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Market:
    """Everything a chunk of books is calculated from.

    `prices` are the sessions and symbols of the panel; `reference` the factor and rate funds, the
    sector funds and the volatility index over more sessions, the last of which are those of
    `prices`. `scenarios` are what is to be stressed, None for the ones that come with the program;
    `limits` what exposures are held against. `cross_section` are shares of all sectors and sizes,
    the same for every book of a session: what is believed of shares is told from them. None where a
    panel has none. `earlier` are the sessions before `prices` that `ledger` begins with, of the
    same symbols; None where no book of the chunk is as old.
    """

    prices: Prices
    reference: Prices
    snapshots: Snapshots
    securities: Mapping[str, Security]
    rates: Rates
    benchmark: Benchmark | None
    scenarios: ScenarioSet | None = None
    limits: ConvexityLimits = DEFAULT_LIMITS
    cross_section: Prices | None = None
    earlier: Prices | None = None

    @cached_property
    def ledger(self) -> Prices:
        """Return the prices that books are valued by, what acted on shares before them included.

        Closes alone, where there is anything earlier.
        """
        earlier, prices = self.earlier, self.prices
        if earlier is None:
            return prices
        return replace(
            prices,
            sessions=(*earlier.sessions, *prices.sessions),
            close=np.concatenate((earlier.close, prices.close)),
            split_ratio=np.concatenate((earlier.split_ratio, prices.split_ratio)),
            dividend=np.concatenate((earlier.dividend, prices.dividend)),
            open=None,
            high=None,
            low=None,
            volume=None,
            early=len(earlier.sessions),
            loaded_from=earlier.loaded_from,
        )

    @property
    def as_of(self) -> date:
        """Return the session at whose close the market is seen."""
        return self.prices.as_of

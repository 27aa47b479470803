"""What a provider of market data gives: who a security is, its raw daily bars, what it is quoted
at, the options on it, the rates of the day, and what the index is made of.

Options are securities like any other, by the symbol of `common.options.Contract`; they have
quotes and no bars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from common import calendar
from common.options import Contract

Kind = Literal["stock", "etf", "mutual_fund", "money_market", "index", "option"]

BAR = np.dtype(
    [
        ("session", "datetime64[D]"),
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "i8"),
        ("split_ratio", "f8"),
        ("dividend", "f8"),
    ]
)
"""One session's raw bar. Prices in US dollars per share of that day, never adjusted afterwards;
`split_ratio` is new shares per old, 1 without a split; `dividend` is per share before the split,
0 without one; `volume` is in shares."""

History = NDArray[np.void]
"""One security's bars of dtype `BAR`, oldest first; a session without a trade has no row."""

TENORS = {
    "1M": 1 / 12,
    "3M": 0.25,
    "6M": 0.5,
    "1Y": 1.0,
    "2Y": 2.0,
    "3Y": 3.0,
    "5Y": 5.0,
    "7Y": 7.0,
    "10Y": 10.0,
    "20Y": 20.0,
    "30Y": 30.0,
}
"""The maturities of a curve, in years by name, shortest first."""

CURVE = np.dtype([("session", "datetime64[D]"), ("rates", "f8", (len(TENORS),))])
"""The Treasury's zero curve at a session's close: decimals per year, continuously compounded, by
`TENORS`; NaN where a provider has no rate of a maturity. They may be negative."""

Curves = NDArray[np.void]
"""Curves of dtype `CURVE`, oldest first; a session without one has no row."""


WEIGHTS_MAY_MISS = 1e-6
"""By how much the weights of a benchmark may miss 1."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Who a security is."""

    symbol: str
    name: str
    kind: Kind
    sector: str | None
    industry: str | None
    exchange: str | None
    country: str | None


@dataclass(frozen=True, slots=True)
class Dividend:
    """A dividend that has been declared and is to come."""

    ex_date: date
    """Whoever has the share at the close before gets it."""
    amount: float
    """US dollars per share of the day that says so."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is said of a security at a session's close, beside its bar.

    None where the provider says nothing, or where it makes no sense. US dollars.
    """

    bid: float | None = None
    """Per share, of an option too; 0 where nobody bids for one."""
    ask: float | None = None
    market_cap: float | None = None
    """Of a fund its assets."""
    dividend_yield: float | None = None
    """Expected per year, a decimal."""
    beta: float | None = None
    """To the market, as the provider estimates it."""
    volume: int | None = None
    """Contracts of an option traded in the session."""
    open_interest: int | None = None
    """Contracts of an option held."""
    underlying_price: float | None = None
    """What an option is on, at the same moment: a share, an index, or the future that expires with
    an option on the volatility index."""
    dividends: tuple[Dividend, ...] = ()
    """What had been declared by that close and goes ex after it, the nearest first. Never what was
    declared later: a past session is told as it was known then."""


@dataclass(frozen=True, slots=True)
class Security:
    """What the security master says of a symbol."""

    profile: Profile
    asked_at: datetime
    """When the provider said so."""
    snapshot: Snapshot = Snapshot()
    """Of the newest session that has one."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where prices come from. Two sources are two markets: a panel never mixes them."""

    provider: str
    model_version: str
    """What makes the provider's whole history another one: its model and seed, its feed."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A security's newest bar, against the one before."""

    symbol: str
    session: date
    high: float
    low: float
    close: float
    volume: int
    split_ratio: float
    previous_session: date | None
    previous_close: float | None
    """Per share of the session before, as it was then."""
    bid: float | None = None
    ask: float | None = None
    """At the close of `session`."""

    @property
    def day_change(self) -> float | None:
        """Return the change since the close before, in dollars per share of today.

        None when the bar of the session before is missing: the change would be of several days.
        """
        if self.previous_close is None or self.previous_session is None:
            return None
        if self.previous_session != calendar.session_back(self.session, 1):
            return None
        return self.close - self.previous_close / self.split_ratio

    @property
    def day_change_percent(self) -> float | None:
        """Return the change since the close before, in percent of it."""
        change = self.day_change
        return None if change is None else 100 * change / (self.close - change)


@dataclass(frozen=True, slots=True)
class Curve:
    """The Treasury's zero curve at a session's close."""

    session: date
    rates: tuple[float, ...]
    """As `CURVE` has them."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What an index is made of: the fractions of it that are in each sector, by sector.

    Raises:
        ValueError: they do not add up to 1, or one of them is below 0.
    """

    name: str
    as_of: date
    """The session whose closes they were weighed at."""
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        total = sum(self.weights.values())
        # NaN fails both comparisons.
        if not (abs(total - 1) <= WEIGHTS_MAY_MISS and min(self.weights.values()) >= 0):
            raise ValueError(f"the sector weights of {self.name} add up to {total}")


class Provider(Protocol):
    """One source of market data. What it does not have is left out of its answers.

    `Unavailable` when it cannot be asked right now. Prices are finite and above zero.
    """

    @property
    def source(self) -> Source:
        """Return its name and model version."""
        ...

    @property
    def cross_section(self) -> frozenset[str]:
        """Return a fixed list of shares, of all sectors and of large and small companies alike.

        What is believed of shares before any data is told from them. Empty: there is no such list.
        """
        ...

    async def profiles(self, symbols: Sequence[str]) -> Mapping[str, Profile]:
        """Return who these symbols are; one that is left out is not known."""
        ...

    async def bars(self, symbols: Sequence[str], start: date, end: date) -> Mapping[str, History]:
        """Return the bars from `start` to `end`, both included; symbols without any left out."""
        ...

    async def snapshots(self, symbols: Sequence[str], session: date) -> Mapping[str, Snapshot]:
        """Return what is said of shares and options at a session's close."""
        ...

    async def curves(self, start: date, end: date) -> Curves:
        """Return the Treasury's curves from `start` to `end`, both included."""
        ...

    async def benchmark(self, session: date) -> Benchmark | None:
        """Return what the index that books are compared with was made of, as of a session.

        None where the provider does not say.
        """
        ...

    async def chain(self, underlying: str, session: date) -> Mapping[Contract, Snapshot]:
        """Return the options listed on a security at a session's close, with their quotes.

        Empty where there are none, or the underlying did not trade.
        """
        ...

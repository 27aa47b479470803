"""What a provider of market data gives: who a security is, and its raw daily bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from common import calendar

Kind = Literal["stock", "etf", "mutual_fund", "money_market", "index"]

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
class Security:
    """What the security master says of a symbol."""

    profile: Profile
    asked_at: datetime
    """When the provider said so."""


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


class Provider(Protocol):
    """One source of market data. What it does not have is left out of its answers.

    `Unavailable` when it cannot be asked right now. Prices are finite and above zero.
    """

    @property
    def source(self) -> Source:
        """Return its name and model version."""
        ...

    async def profiles(self, symbols: Sequence[str]) -> Mapping[str, Profile]:
        """Return who these symbols are; one that is left out is not known."""
        ...

    async def bars(self, symbols: Sequence[str], start: date, end: date) -> Mapping[str, History]:
        """Return the bars from `start` to `end`, both included; symbols without any left out."""
        ...

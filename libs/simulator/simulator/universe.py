"""What the market lists: factors, securities and what each security responds to.

The facts of well-known names are in `universe.json`; `listings` adds the ones that are made up. All
of them are part of the model: changing one is a new model version.
"""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal

import numpy as np

from simulator.draws import Floats

Kind = Literal["stock", "etf", "mutual_fund", "money_market", "index"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Who a security is. Funds and indices have their kind as sector, as data vendors report it."""

    symbol: str
    name: str
    kind: Kind
    sector: str
    industry: str
    exchange: str
    country: str


@dataclass(frozen=True, slots=True)
class Group:
    """Factors whose volatility varies together.

    `mood` is the power of the market's own volatility that they share: 1 for the market itself.
    """

    name: str
    mood: float


@dataclass(frozen=True, slots=True)
class Factor:
    """A source of common log returns.

    `volatility` (root mean square over all times) and `drift` are decimals per year. `shares` are
    correlations with sources that several factors have in common. One unit of `rates` is the return
    of a bond with a duration of one year when the ten-year yield moves, one of `slope` when the
    short end moves against it; `cash` is the Treasury bill.
    """

    name: str
    group: str
    volatility: float
    drift: float
    shares: dict[str, float]


@dataclass(frozen=True, slots=True)
class Security:
    """The truth about one security, as of the anchor session where it changes.

    `price` is the close and `market_cap` in US dollars (of a fund: its assets). `loadings` multiply
    factor log returns; `own_volatility` is the annual volatility of what remains. `volume` is the
    shares of an ordinary session, 0 where nothing is traded on an exchange. `dividend_yield` is per
    year, paid in `payments` instalments each half-year. Of a security that is listed for a part of
    the time, `listed_from` and `listed_through` are weekdays since the epoch.
    """

    profile: Profile
    price: float
    volume: int
    own_volatility: float
    market_cap: float
    dividend_yield: float
    payments: int
    loadings: dict[str, float]
    listed_from: int = 0
    listed_through: int | None = None

    @property
    def has_single_price(self) -> bool:
        """Whether one net asset value per session is all there is: no opening, no range."""
        return self.profile.kind in ("mutual_fund", "money_market")


@dataclass(frozen=True, eq=False)
class Universe:
    """All factors and all securities by symbol."""

    model_version: str
    shared: tuple[str, ...]
    groups: tuple[Group, ...]
    factors: tuple[Factor, ...]
    securities: dict[str, Security]
    known: tuple[str, ...]
    """Symbols of real names, which are listed all the time."""

    @cached_property
    def covariance(self) -> Floats:
        """Return the mean covariance of the factors' log returns, per year, (factors, factors)."""
        volatility = np.array([factor.volatility for factor in self.factors])
        shares = np.array(
            [[factor.shares.get(name, 0.0) for name in self.shared] for factor in self.factors]
        )
        correlation = shares @ shares.T
        np.fill_diagonal(correlation, 1.0)
        return np.asarray(correlation * np.outer(volatility, volatility))

    @cached_property
    def membership(self) -> Floats:
        """Return 1 where a factor is in a group, (groups, factors)."""
        members = [[factor.group == group.name for factor in self.factors] for group in self.groups]
        return np.array(members, np.float64)

    def loadings(self, security: Security) -> Floats:
        """Return what multiplies each factor's log return, (factors,)."""
        own = security.loadings
        everyone = {"cash": 1.0} if security.profile.kind != "index" else {}
        return np.array([own.get(f.name, everyone.get(f.name, 0.0)) for f in self.factors])

    def volatility(self, security: Security) -> float:
        """Return the annual volatility of the security's log returns, all sources together.

        It is the root of the mean variance over all times.
        """
        b = self.loadings(security)
        return float(np.sqrt(b @ self.covariance @ b + security.own_volatility**2))


@cache
def load_universe() -> Universe:
    """Return the universe that is packaged with the model."""
    from simulator.listings import made_up  # it needs the factors that are read here

    content = json.loads(files("simulator").joinpath("universe.json").read_text("utf-8"))
    known = [_security(**row) for row in content["securities"]]
    return Universe(
        model_version=content["model_version"],
        shared=tuple(content["shared"]),
        groups=tuple(Group(**row) for row in content["groups"]),
        factors=tuple(Factor(**row) for row in content["factors"]),
        securities={security.profile.symbol: security for security in (*known, *made_up())},
        known=tuple(security.profile.symbol for security in known),
    )


def _security(
    *,
    price: float,
    volume: int,
    own_volatility: float,
    market_cap: float,
    dividend_yield: float,
    payments: int,
    loadings: dict[str, float],
    **profile: Any,
) -> Security:
    return Security(
        Profile(**profile),
        price,
        volume,
        own_volatility,
        market_cap,
        dividend_yield,
        payments,
        loadings,
    )

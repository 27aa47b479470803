"""What the market lists: factors, securities and what each security responds to.

The facts are in `universe.json`. They are part of the model: changing them is a new model version.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

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
class Factor:
    """A source of common log returns, independent of the other factors.

    `volatility` and `drift` are decimals per year. One unit of `rates` is the return of a bond
    with a duration of one year.
    """

    name: str
    volatility: float
    drift: float


@dataclass(frozen=True, slots=True)
class Security:
    """The truth about one security.

    `price` is the close on the anchor session or, for a mean-reverting security, the level it
    returns to (geometric mean). `loadings` multiply factor log returns; `own_volatility` is the
    annual volatility of what remains; `reversion` is the share of the distance to `price` that is
    closed per session, 0 for a random walk. `volume` is the shares of an ordinary session, 0 where
    nothing is traded on an exchange.
    """

    profile: Profile
    price: float
    volume: int
    own_volatility: float
    reversion: float
    loadings: dict[str, float]

    @property
    def has_single_price(self) -> bool:
        """Whether one net asset value per session is all there is: no opening, no range."""
        return self.profile.kind in ("mutual_fund", "money_market")


@dataclass(frozen=True, slots=True)
class Universe:
    """All factors by name and all securities by symbol."""

    model_version: str
    factors: dict[str, Factor]
    securities: dict[str, Security]

    def volatility(self, security: Security) -> float:
        """Return the annual volatility of the security's log returns, all sources together."""
        common = (
            (loading * self.factors[name].volatility) ** 2
            for name, loading in security.loadings.items()
        )
        return math.sqrt(security.own_volatility**2 + sum(common))


@cache
def load_universe() -> Universe:
    """Return the universe that is packaged with the model."""
    content = json.loads(files("simulator").joinpath("universe.json").read_text("utf-8"))
    factors = [Factor(**row) for row in content["factors"]]
    securities = [_security(**row) for row in content["securities"]]
    return Universe(
        model_version=content["model_version"],
        factors={factor.name: factor for factor in factors},
        securities={security.profile.symbol: security for security in securities},
    )


def _security(
    *,
    price: float,
    volume: int,
    own_volatility: float,
    reversion: float,
    loadings: dict[str, float],
    **profile: Any,
) -> Security:
    return Security(Profile(**profile), price, volume, own_volatility, reversion, loadings)

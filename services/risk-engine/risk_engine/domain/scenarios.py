"""What a stress scenario and a historical window say. Data only; `scenario_file` reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

MARKET: Final = "MKT"
RATES: Final = "RATES"
LEGS: Final[Mapping[str, tuple[str, ...]]] = {
    "SIZE": ("IWM",),
    "VALUE": ("VTV", "VUG"),
    "MOM": ("MTUM",),
    "QUAL": ("QUAL",),
    "LOWVOL": ("USMV",),
    "CREDIT": ("HYG", "IEF"),
}
"""The spreads, and the funds each is made of beside the market's."""
FUNDS: Final = tuple(dict.fromkeys(fund for legs in LEGS.values() for fund in legs))

Basis = Literal["total", "relative"]


@dataclass(frozen=True)
class Scenario:
    """A stress scenario.

    `shocks` are of residual factors (`relative`), or total returns of the market and of funds
    (`total`); RATES is the move of the 10-year yield in either. They are decimals; a stated 0 holds
    a factor still, one that is not named is free. `volatility` is the relative move of 30-day
    implied volatility, None where the rule of the market's move holds. `horizon` is in sessions and
    serves plausibility alone. `residual_multiple` is how many standard deviations of specific risk
    over the horizon are lost besides.
    """

    id: str
    name: str
    basis: Basis
    shocks: Mapping[str, float]
    horizon: int
    volatility: float | None = None
    description: str | None = None
    group: str | None = None
    category: str | None = None
    severity: str | None = None
    active: bool = True
    residual_multiple: float = 0.0


@dataclass(frozen=True)
class Window:
    """Sessions of the past to live through again: from the close of `start` to that of `end`.

    `moves` are those of factors, for windows older than their history, `volatility` that of 30-day
    implied volatility, `source` where they are from.
    """

    id: str
    name: str
    start: date
    end: date
    description: str | None = None
    moves: Mapping[str, float] = field(default_factory=dict)
    volatility: float | None = None
    source: str | None = None


@dataclass(frozen=True)
class ScenarioSet:
    """The scenarios and windows there are, in the order of their files.

    `digest` names their contents: a result depends on them.
    """

    scenarios: tuple[Scenario, ...]
    windows: tuple[Window, ...]
    digest: str

    @property
    def active(self) -> tuple[Scenario, ...]:
        """Return the scenarios that are calculated."""
        return tuple(one for one in self.scenarios if one.active)

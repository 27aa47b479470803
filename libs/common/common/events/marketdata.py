"""What marketdata says. Prices themselves stay behind the claim check of (as_of, panel_version)."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.events.base import Event

ITEMS_IN_EVENT = 200


class SecuritiesEnriched(Event):
    """Securities were added to the master, or their attributes were renewed."""

    NAME = "securities.enriched"

    symbols: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    provider: str


class MissingSymbol(BaseModel):
    """A symbol without usable prices, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    symbol: str
    reason: str
    """A code: `unknown_symbol` (to the provider), `not_loaded` (yet), `no_price` (in the panel's
    sessions) or `stale_price` (the last one is too old)."""
    message: str = ""
    """The reason as a sentence."""


class PricedItem(BaseModel):
    """How well one portfolio's revision is covered by a panel."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    portfolio_id: UUID
    revision: int
    coverage: float | None = Field(default=None, ge=0, le=1)
    """Priced share of the distinct priceable symbols; null when the book has none."""
    symbols: int = 0
    """How many distinct priceable symbols the book has."""
    missing: tuple[MissingSymbol, ...] = ()


class _Priced(Event):
    as_of: date
    """NYSE session at whose close the panel stands."""
    panel_version: int
    provider: str
    items: tuple[PricedItem, ...] = Field(max_length=ITEMS_IN_EVENT)


class PricesReady(_Priced):
    """Every item's coverage reaches the threshold."""

    NAME = "prices.ready"


class PricesIncomplete(_Priced):
    """Items below the threshold; results still follow, marked partial."""

    NAME = "prices.incomplete"

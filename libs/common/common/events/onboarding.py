"""What onboarding says: the book of record and its revisions."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from common.events.base import Amount, Event

POSITIONS_IN_EVENT = 2_000
"""Above this many positions an event carries only the revision; consumers fetch the book."""

PositionType = Literal["LONG", "SHORT", "LC", "LP", "SC", "SP"]
InvestmentClass = Literal["PUBLIC", "OPTIONS", "PRIVATE"]


class BookPosition(BaseModel):
    """One lot of a book. Quantity is signed: negative for shorts and written options."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    position_id: UUID
    symbol: str
    position_type: PositionType
    investment_class: InvestmentClass
    investment_subtype: str | None = None
    quantity: Amount
    multiplier: Amount = Decimal(1)
    """Units of the underlying per unit of quantity: 100 for a listed option, else 1."""
    entry_price: Amount
    entry_date: date
    exit_date: date | None = None
    exit_price: Amount | None = None
    underlying_symbol: str | None = None
    strike_price: Amount | None = None
    expiration_date: date | None = None
    currency: str = "USD"
    """ISO 4217: of the entry, exit and strike price. Messages without it are of dollars."""


class Book(BaseModel):
    """A portfolio as of one revision."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    portfolio_id: UUID
    revision: int
    user_id: UUID
    name: str
    currency: str = "USD"
    equity_balance: Amount
    """Net liquidation value of the account at the close of `opening_session`, in `currency`."""
    opening_session: date
    """The last NYSE session that had closed when the book was uploaded."""
    created_at: datetime
    positions: tuple[BookPosition, ...] | None
    """None above `POSITIONS_IN_EVENT` positions: fetch `/internal/books/{id}/{revision}`."""


class PortfolioCreated(Event):
    """A new portfolio was imported whole."""

    NAME = "portfolio.created"

    book: Book


class PortfolioChanged(Event):
    """A portfolio has a new revision."""

    NAME = "portfolio.changed"

    book: Book


class PortfolioDeleted(Event):
    """A portfolio is gone; its revision lets replicas refuse older news of it."""

    NAME = "portfolio.deleted"

    portfolio_id: UUID
    user_id: UUID
    revision: int

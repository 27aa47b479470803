"""The book as the ledger keeps it: quantities, prices paid and the equity balance are Decimal."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID

InvestmentClass = Literal["PUBLIC", "OPTIONS", "PRIVATE"]


@dataclass(frozen=True)
class Position:
    """A line of the book. Quantity and entry price are per share as of the opening session.

    A position entered after the opening counts shares as of its entry date. `quantity` is signed;
    `multiplier` is units of the underlying per unit of quantity (100 for a standard option).
    """

    id: UUID
    symbol: str
    position_type: str
    investment_class: InvestmentClass
    investment_subtype: str | None
    quantity: Decimal
    multiplier: Decimal
    entry_price: Decimal
    entry_date: date
    exit_date: date | None = None
    exit_price: Decimal | None = None
    underlying_symbol: str | None = None
    strike_price: Decimal | None = None
    expiration_date: date | None = None
    currency: str = "USD"
    """ISO 4217: of the entry, exit and strike price."""


@dataclass(frozen=True)
class Book:
    """A portfolio as its owner keeps it, at one revision.

    `equity_balance` is the account's net liquidation value at the close of `opening_session`.
    """

    portfolio_id: UUID
    user_id: UUID
    revision: int
    name: str
    currency: str
    equity_balance: Decimal
    opening_session: date
    positions: tuple[Position, ...]

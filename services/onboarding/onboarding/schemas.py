"""What onboarding gives over HTTP. Money is in the portfolio's currency."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from common.events.onboarding import InvestmentClass, PositionType

Number = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]
"""Exact here, a JSON number on the wire, as clients expect."""


_PLAIN_NUMBER: dict[str, Any] = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,2})?$"}]
}

PlainNumber = Annotated[Decimal, WithJsonSchema(_PLAIN_NUMBER), Field(allow_inf_nan=True)]
"""Dollars as a client sends them; what is read besides (an exponent, a sign, what is not finite) is
refused by a rule with a sentence."""


class NextStep(BaseModel):
    """What to do next."""

    action: str
    endpoint: str
    description: str


class Created(BaseModel):
    """The portfolio an import made. Its run is already under way; `events` streams it."""

    portfolio_id: UUID
    portfolio_name: str
    equity_balance: Number
    positions_imported: int
    unsupported_currency_positions: int = 0
    """How many of them, closed ones too, are in another currency: listed, and in no total."""
    positions_failed: int = 0
    """Always zero: one fault and nothing is imported."""
    total_positions: int
    ignored_columns: tuple[str, ...]
    run_id: UUID
    message: str
    events: str
    next_step: NextStep


class StatedEquity(BaseModel):
    """What the account was worth at the close of the portfolio's opening session."""

    equity_balance: PlainNumber


class Restated(BaseModel):
    """A portfolio's equity balance as it stands now, and what its statement set going."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    portfolio_id: UUID
    equity_balance: Number
    opening_session: date
    """The session at whose close the account was worth `equity_balance`; it stays the upload's."""
    revision: int
    changed: bool
    """Whether it said something else before; if so, it is being calculated again."""
    message: str
    events: str


class ValuationState(BaseModel):
    """Whether there are market figures, of what; `reason` is why there are none, or stale ones."""

    available: bool
    stale: bool
    reason: str | None
    as_of: date | None
    panel_version: int | None
    book_revision: int | None
    provider: str | None


class PortfolioSummary(BaseModel):
    """A portfolio and what it is worth; values are null when `valuation` says why."""

    id: UUID
    name: str
    total_value: float | None
    """Net asset value: cash and all positions, unpriced ones at their entry price."""
    total_market_value: float | None
    """Signed sum over the positions that have a market price."""
    equity_balance: Number
    currency: str
    revision: int
    position_count: int
    """Open positions."""
    created_at: datetime
    updated_at: datetime
    valuation: ValuationState


class Counts(BaseModel):
    """How many positions there are; all but `closed` count open ones only."""

    open: int
    closed: int
    long: int
    short: int
    options: int
    private: int


class ImportedFrom(BaseModel):
    """The file the positions came from, and the run that followed."""

    run_id: UUID
    filename: str
    sha256: str
    positions: int
    ignored_columns: tuple[str, ...]
    created_at: datetime


class PortfolioDetail(PortfolioSummary):
    """A portfolio whole."""

    description: str | None
    opening_session: date
    """The session at whose close the account was worth `equity_balance`."""
    counts: Counts
    imported_from: ImportedFrom | None


class Tag(BaseModel):
    """A label of the user's own."""

    id: UUID
    name: str
    color: str
    description: str | None


class PositionDetail(BaseModel):
    """A position and what it is worth. A figure that is not known is null; `reason` says why.

    Quantity and values are signed: negative for what was sold short. Prices are per share as in
    the book; `current_price` and `market_value` are of the session in `valuation.as_of`. Of a
    position in another currency than the portfolio's only what was paid is known, in its own
    `currency`: the reason is `unsupported_currency`, and it is in no total.
    """

    id: UUID
    portfolio_id: UUID
    symbol: str
    company_name: str | None = None
    sector: str | None = None
    industry: str | None = None
    position_type: PositionType
    investment_class: InvestmentClass
    investment_subtype: str | None
    quantity: Number
    multiplier: Number
    entry_date: date
    entry_price: Number
    currency: str
    """ISO 4217: of the entry, exit and strike price and the cost basis."""
    cost_basis: Number
    """Quantity times multiplier times entry price."""
    exit_date: date | None
    exit_price: Number | None
    current_price: float | None
    market_value: float | None
    unrealized_pnl: float | None
    unrealized_pnl_percent: float | None
    """Of the absolute cost basis; 12.5 is 12.5 %."""
    realized_pnl: float | None
    reason: str | None
    underlying_symbol: str | None
    strike_price: Number | None
    expiration_date: date | None
    tags: tuple[Tag, ...] = ()


class PositionsSummary(BaseModel):
    """Sums over the listed positions that are open and in the portfolio's currency."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    total_positions: int
    """Listed ones, closed ones too if asked for."""
    unsupported_currency_positions: int
    """How many of them are in another currency than the portfolio's, and in none of the sums."""
    priced_positions: int
    """How many the next two sums are of; they are null when positions are open and none is."""
    total_market_value: float | None
    total_unrealized_pnl: float | None
    total_cost_basis: Number
    """Sum of the absolute cost bases, priced or not: a short adds to it. (The `cost_basis` of a
    valuation's totals is signed: there a short takes away.)"""


class Positions(BaseModel):
    """The positions of a portfolio."""

    positions: tuple[PositionDetail, ...]
    summary: PositionsSummary
    valuation: ValuationState


class Ownership(BaseModel):
    """What other services may ask about a portfolio: whose it is, and where it stands."""

    portfolio_id: UUID
    user_id: UUID
    revision: int
    name: str

"""What the risk engine knows of books and prices, and what it says about them. Data only.

The ledger (quantities, prices paid, the equity balance) is Decimal; market data and results are
float64, unrounded. Signs: a short position has a negative quantity, market value and cost basis;
profits are positive. Missing is None (NaN inside arrays) with a reason, never zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Literal
from uuid import UUID

import numpy as np
import numpy.typing as npt

EngineName = Literal[
    "valuation",
    "greeks",
    "exposure",
    "factors",
    "volatility",
    "correlation",
    "market_risk",
    "stress",
]
ENGINES: tuple[EngineName, ...] = (
    "valuation",
    "greeks",
    "exposure",
    "factors",
    "volatility",
    "correlation",
    "market_risk",
    "stress",
)
BUILT: tuple[EngineName, ...] = ("valuation",)

Status = Literal["ok", "partial", "insufficient", "stale"]
InvestmentClass = Literal["PUBLIC", "OPTIONS", "PRIVATE"]
PositionState = Literal["open", "closed", "pending", "invalid"]


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


@dataclass(frozen=True, eq=False)
class Prices:
    """A slice of the market data panel: arrays are (sessions, symbols), sessions ascending.

    `close` is raw (adjusted for nothing), NaN where there is none. `split_ratio` is new shares per
    old share on the session it takes effect, 1 otherwise. `dividend` is cash per share held before
    that session's split, on the ex-date, 0 otherwise. `missing` says why a symbol has no price.

    Raises:
        ValueError: the arrays do not match the axes, or sessions are not ascending.
    """

    as_of: date
    panel_version: int
    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    close: npt.NDArray[np.float64]
    split_ratio: npt.NDArray[np.float64]
    dividend: npt.NDArray[np.float64]
    provider: str
    missing: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.sessions), len(self.symbols))
        for name in ("close", "split_ratio", "dividend"):
            found = getattr(self, name).shape
            if found != shape:
                raise ValueError(f"{name} has shape {found}, sessions and symbols say {shape}")
        if any(later <= earlier for earlier, later in pairwise(self.sessions)):
            raise ValueError("sessions must be ascending and distinct")

    @cached_property
    def columns(self) -> Mapping[str, int]:
        """Give the column of each symbol."""
        return {symbol: column for column, symbol in enumerate(self.symbols)}

    @cached_property
    def rows(self) -> Mapping[date, int]:
        """Give the row of each session."""
        return {session: row for row, session in enumerate(self.sessions)}


@dataclass(frozen=True)
class Failure:
    """Why a book has no result: an expected gap, handed back as a value."""

    reason: str
    message: str


@dataclass(frozen=True)
class Note:
    """Something a reader of a result must know, with a code for programs."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class PositionValue:
    """One position on the valuation date, in the book's currency, unrounded.

    Quantity and prices are per share as of the valuation date: splits since the opening are in
    `split_factor` (shares now per share then). `market_price` is null with a `reason` when there is
    no close within three sessions; an open position is then carried in NAV at `carried_value`.
    `weight` is (market or carried value) / NAV, a fraction; `unrealized_pnl_percent` is of
    |cost basis|, 12.5 meaning 12.5 %. `dividend_income` is since the opening; a short pays it.
    """

    position_id: UUID
    symbol: str
    position_type: str
    investment_class: InvestmentClass
    state: PositionState
    reason: str | None = None
    stale: bool = False
    quantity: float | None = None
    multiplier: float | None = None
    split_factor: float | None = None
    entry_price: float | None = None
    market_price: float | None = None
    price_session: date | None = None
    market_value: float | None = None
    cost_basis: float | None = None
    unrealized_pnl: float | None = None
    unrealized_pnl_percent: float | None = None
    realized_pnl: float | None = None
    dividend_income: float | None = None
    weight: float | None = None
    carried_value: float | None = None
    carried_at: Literal["entry_price"] | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """What the account is worth, in the book's currency, unrounded.

    NAV = cash + net market value + carried value, and cash = opening cash + proceeds - purchases +
    dividends since the opening. Long, short, gross and net are of priced positions only, and null
    when such positions exist and none is priced. `cost_basis` is of all open positions, so
    unrealized P&L = net market value - (cost basis - carried value). Total P&L = unrealized +
    realized (both since entry) + dividend income (since the opening). The change since the opening
    is NAV - equity balance.
    """

    net_asset_value: float
    equity_balance: float
    change_since_opening: float
    cash: float
    opening_cash: float
    long_market_value: float | None
    short_market_value: float | None
    gross_market_value: float | None
    net_market_value: float | None
    carried_value: float
    cost_basis: float
    unrealized_pnl: float | None
    realized_pnl: float
    dividend_income: float
    total_pnl: float | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a valuation rests on market prices.

    `market_positions` are the open public and option positions, the ones expected to have a price;
    `carried_positions` are all open ones without. `priced_share` is |market value| of the priced
    over the gross value of all open positions (carried ones at |entry value|), a fraction.
    """

    open_positions: int
    market_positions: int
    priced_positions: int
    stale_positions: int
    carried_positions: int
    closed_positions: int
    pending_positions: int
    invalid_positions: int
    priced_share: float | None


@dataclass(frozen=True)
class Valuation:
    """A book valued at the close of one session."""

    portfolio_id: UUID
    user_id: UUID
    book_revision: int
    as_of: date
    opening_session: date
    panel_version: int
    provider: str
    currency: str
    status: Status
    totals: Totals
    coverage: Coverage
    positions: tuple[PositionValue, ...]
    notes: tuple[Note, ...]

    @property
    def unpriced(self) -> tuple[PositionValue, ...]:
        """Give the open positions without a market price and the ones that cannot be valued."""
        return tuple(
            position
            for position in self.positions
            if position.state == "invalid"
            or (position.state == "open" and position.market_value is None)
        )

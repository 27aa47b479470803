"""What the first engine says of a book."""

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from risk_engine.domain.book import InvestmentClass
from risk_engine.domain.engines import Note, Status

PositionState = Literal["open", "closed", "pending", "invalid"]


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

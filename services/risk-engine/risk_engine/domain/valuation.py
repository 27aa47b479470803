"""What the first engine says of a book."""

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from risk_engine.domain.book import InvestmentClass
from risk_engine.domain.engines import Note, Status

PositionState = Literal["open", "closed", "pending", "invalid"]
PriceSource = Literal["close", "quote", "model", "carried"]
CarriedAt = Literal["entry_price", "last_price"]


@dataclass(frozen=True, slots=True)
class PositionValue:
    """One position on the valuation date, in the book's currency, unrounded.

    Quantity and prices are per share as of the valuation date: splits since the opening are in
    `split_factor` (shares now per share then). `market_price` is null with a `reason` when there is
    no close within three sessions, and no quote or model price of an option; an open position is
    then carried in NAV at `carried_value`: at the last price it had, or at entry if it never had
    one. `price_session` is the session its price or last price is of, `price_age` how many sessions
    ago that was; it is `stale` unless that is today. `price_source` says which it is; a model's
    price is `estimated`. An option that expired is
    closed, settled at intrinsic value. `daily_pnl` is since the session before.
    `weight` is (market or carried value) / NAV, a fraction; `unrealized_pnl_percent` is of
    |cost basis|, 12.5 meaning 12.5 %. `dividend_income` is since the opening; a short pays it.
    In another `currency` than the book's a position is `invalid`, and none of this is known of it.
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
    price_age: int | None = None
    market_value: float | None = None
    cost_basis: float | None = None
    unrealized_pnl: float | None = None
    unrealized_pnl_percent: float | None = None
    realized_pnl: float | None = None
    dividend_income: float | None = None
    weight: float | None = None
    carried_value: float | None = None
    carried_at: CarriedAt | None = None
    price_source: PriceSource | None = None
    estimated: bool = False
    daily_pnl: float | None = None
    currency: str = "USD"


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
class Daily:
    """What the session changed since the one before, unrounded; None on the opening session.

    NAV - NAV before = `pnl` + `repricing`: the latter is of positions that got a price, or lost it,
    and is no gain. `pnl` = `unrealized_change` + `realized_pnl` + `dividend_income` - `restated`,
    the last being the repricing and what an option's first price set right at the opening.
    `previous_net_asset_value` is NAV before; `daily_return` is `pnl` of it, a decimal; None unless
    it is positive.
    """

    previous_session: date | None = None
    previous_net_asset_value: float | None = None
    pnl: float | None = None
    daily_return: float | None = None
    unrealized_change: float | None = None
    realized_pnl: float | None = None
    dividend_income: float | None = None
    repricing: float | None = None
    restated: float | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a valuation rests on market prices.

    `market_positions` are the open public and option positions, the ones expected to have a price;
    `carried_positions` are all open ones without. Shares are fractions of the gross value of all
    open positions (carried ones at what they are carried at): `priced_share` is what has a price,
    of which `modelled_share` has a model's and `stale_share` one of an earlier session.
    `unsupported_currency_positions` are the ones of `invalid_positions` in another currency.
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
    modelled_positions: int = 0
    settled_positions: int = 0
    modelled_share: float | None = None
    stale_share: float | None = None
    unsupported_currency_positions: int = 0


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
    daily: Daily = Daily()

    @property
    def unpriced(self) -> tuple[PositionValue, ...]:
        """Give the open positions without a market price and the ones that cannot be valued."""
        return tuple(
            position
            for position in self.positions
            if position.state == "invalid"
            or (position.state == "open" and position.market_value is None)
        )

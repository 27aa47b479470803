"""The payload of the engine `valuation`, as `risk_engine.engine.to_payload` writes it.

Numbers are float64 rounded half to even. Totals are rounded from the unrounded sums, so rounded
positions may miss them by cents.
"""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from common.events.onboarding import InvestmentClass, PositionType
from risk_engine.domain import CarriedAt, PositionState, PriceSource
from risk_engine.schemas.base import Answer, Engine, Money, Number, Percent, Price, Quantity
from risk_engine.schemas.performance import PerformanceOut


class Totals(Answer):
    """What the account is worth at the close of `as_of`."""

    net_asset_value: Money = Field(description="cash + net market value + carried value")
    equity_balance: Money = Field(description="Net liquidation value as its owner stated it")
    opening_session: date = Field(description="The session of `equity_balance`")
    change_since_opening: Money = Field(description="net_asset_value - equity_balance")
    cash: Money = Field(description="Opening cash + proceeds - purchases + dividends; may be < 0")
    opening_cash: Money
    long_market_value: Money | None
    short_market_value: Money | None = Field(description="Negative or zero")
    gross_market_value: Money | None
    net_market_value: Money | None
    carried_value: Money = Field(description="Positions without a price, see `carried_at`")
    cost_basis: Money = Field(description="Of all open positions; negative for shorts")
    unrealized_pnl: Money | None = Field(
        description="Of priced positions. Private assets are carried at what they cost and have "
        "gained nothing in net asset value: 0 where nothing else is held"
    )
    realized_pnl: Money
    dividend_income: Money = Field(description="Since the opening; shorts pay it")
    total_pnl: Money | None


class BasedOn(Answer):
    """How much of the valuation rests on market prices."""

    open_positions: int
    market_positions: int
    priced_positions: int
    stale_positions: int
    carried_positions: int
    closed_positions: int
    pending_positions: int
    invalid_positions: int
    modelled_positions: int = Field(0, description="Options priced by the model, not a quote")
    settled_positions: int = Field(0, description="Options that expired, at intrinsic value")
    priced_share: Number | None = Field(description="A fraction of what `priced_share_of` says")
    modelled_share: Number | None = Field(None, description="Of the same, at a model's price")
    stale_share: Number | None = Field(None, description="Of the same, at an earlier close")
    unsupported_currency_positions: int = Field(
        0, description="Of the invalid ones: in another currency, and in no total"
    )
    priced_share_of: str
    weights_of: str


class DailyOut(Answer):
    """What changed since the previous session; null on the session the account opened on.

    Net asset value changed by `pnl` + `repricing` from `previous_net_asset_value`.
    """

    previous_session: date | None = None
    previous_net_asset_value: Money | None = None
    pnl: Money | None = Field(None, description="The gain; shorts and dividends included")
    daily_return: Number | None = Field(
        None, description="`pnl` of `daily_return_of`, a decimal: 0.01 is 1 %"
    )
    daily_return_of: str = "net asset value of the previous session"
    unrealized_change: Money | None = None
    realized_pnl: Money | None = Field(None, description="Exit minus entry of what was sold")
    dividend_income: Money | None = None
    repricing: Money | None = Field(
        None, description="Of positions that got a price or lost it: no gain and no return"
    )
    restated: Money | None = Field(
        None,
        description="`pnl` = unrealized_change + realized_pnl + dividend_income - restated",
    )


class PositionOut(Answer):
    """One position, per share as of the valuation date."""

    position_id: UUID
    symbol: str
    position_type: PositionType
    investment_class: InvestmentClass
    state: PositionState
    reason: str | None = Field(description="Why there is no market value")
    stale: bool = Field(description="The price, or the last one, is of an earlier session")
    price_session: date | None
    price_age: int | None = Field(None, description="Sessions since `price_session`")
    carried_at: CarriedAt | None
    price_source: PriceSource | None = Field(None, description="Null unless the position is open")
    estimated: bool = Field(default=False, description="The price is a model's")
    daily_pnl: Money | None = Field(None, description="Since the previous session")
    currency: str = Field("USD", description="ISO 4217; in another one no amount is known")
    quantity: Quantity | None = Field(description="Signed; splits since the opening included")
    multiplier: Quantity | None
    split_factor: Number | None
    entry_price: Price | None
    market_price: Price | None
    market_value: Money | None = Field(description="Signed")
    cost_basis: Money | None = Field(description="Signed")
    unrealized_pnl: Money | None
    unrealized_pnl_percent: Percent | None = Field(description="Of |cost basis|; 12.5 is 12.5 %")
    realized_pnl: Money | None
    dividend_income: Money | None
    weight: Number | None = Field(description="Of net asset value, a fraction")
    carried_value: Money | None


class Unpriced(Answer):
    """A position without a market price, and what it counts as."""

    position_id: UUID
    symbol: str
    reason: str | None
    carried_value: Money | None


class NoteOut(Answer):
    """Something a reader of the numbers must know."""

    code: str
    message: str


class ValuationOut(Engine):
    """An account valued at the close of a session."""

    engine: Literal["valuation"]
    provider: str
    currency: str
    based_on: BasedOn
    totals: Totals
    daily: DailyOut = DailyOut()
    performance: PerformanceOut | None = None
    positions: list[PositionOut]
    unpriced: list[Unpriced]
    notes: list[NoteOut]

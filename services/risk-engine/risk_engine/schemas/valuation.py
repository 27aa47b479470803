"""The payload of the engine `valuation`, as `risk_engine.engine.to_payload` writes it."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from common.events.onboarding import InvestmentClass, PositionType
from risk_engine.domain import CarriedAt, PositionState, PriceSource
from risk_engine.schemas.base import Answer, Engine
from risk_engine.schemas.performance import PerformanceOut


class Totals(Answer):
    """What the account is worth at the close of `as_of`."""

    net_asset_value: float = Field(description="cash + net market value + carried value")
    equity_balance: float = Field(description="Net liquidation value stated at the upload")
    opening_session: date = Field(description="The session of `equity_balance`")
    change_since_opening: float = Field(description="net_asset_value - equity_balance")
    cash: float = Field(description="Opening cash + proceeds - purchases + dividends; may be < 0")
    opening_cash: float
    long_market_value: float | None
    short_market_value: float | None = Field(description="Negative or zero")
    gross_market_value: float | None
    net_market_value: float | None
    carried_value: float = Field(description="Positions without a price, see `carried_at`")
    cost_basis: float = Field(description="Of all open positions; negative for shorts")
    unrealized_pnl: float | None = Field(description="Of priced positions")
    realized_pnl: float
    dividend_income: float = Field(description="Since the opening; shorts pay it")
    total_pnl: float | None


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
    priced_share: float | None = Field(description="A fraction of what `priced_share_of` says")
    modelled_share: float | None = Field(None, description="Of the same, at a model's price")
    stale_share: float | None = Field(None, description="Of the same, at an earlier close")
    priced_share_of: str
    weights_of: str


class DailyOut(Answer):
    """What changed since the previous session; null on the session the account opened on.

    Net asset value changed by `pnl` + `repricing`.
    """

    previous_session: date | None = None
    pnl: float | None = Field(None, description="The gain; shorts and dividends included")
    daily_return: float | None = Field(
        None, description="`pnl` of `daily_return_of`, a decimal: 0.01 is 1 %"
    )
    daily_return_of: str = "net asset value of the previous session"
    unrealized_change: float | None = None
    realized_pnl: float | None = Field(None, description="Exit minus entry of what was sold")
    dividend_income: float | None = None
    repricing: float | None = Field(
        None, description="Of positions that got a price or lost it: no gain and no return"
    )
    restated: float | None = Field(
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
    stale: bool
    price_session: date | None
    carried_at: CarriedAt | None
    price_source: PriceSource | None = Field(None, description="Null unless the position is open")
    estimated: bool = Field(default=False, description="The price is a model's")
    daily_pnl: float | None = Field(None, description="Since the previous session")
    quantity: float | None = Field(description="Signed; splits since the opening included")
    multiplier: float | None
    split_factor: float | None
    entry_price: float | None
    market_price: float | None
    market_value: float | None = Field(description="Signed")
    cost_basis: float | None = Field(description="Signed")
    unrealized_pnl: float | None
    unrealized_pnl_percent: float | None = Field(description="Of |cost basis|; 12.5 is 12.5 %")
    realized_pnl: float | None
    dividend_income: float | None
    weight: float | None = Field(description="Of net asset value, a fraction")
    carried_value: float | None


class Unpriced(Answer):
    """A position without a market price, and what it counts as."""

    position_id: UUID
    symbol: str
    reason: str | None
    carried_value: float | None


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

"""The payload of the engine `greeks`, as `risk_engine.engine.greeks` writes it, and its route."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from common.events.onboarding import PositionType
from risk_engine.engine.greeks import Kind
from risk_engine.engine.option_inputs import DividendSource, RateSource, YieldSource
from risk_engine.engine.options import Flag, PriceSource, QuoteUse, VolatilitySource
from risk_engine.repository import Known
from risk_engine.schemas.base import IN_NO_TOTAL, Answer, Engine, Money, Number, Price, Quantity
from risk_engine.schemas.exposure import Quality
from risk_engine.schemas.summary import read, summary, valuation_of
from risk_engine.schemas.valuation import NoteOut

PER_POINT = "Money per volatility point (0.01)"
PER_DAY = (
    "Money per calendar day, long options lose: the rate at this moment, not what the next day "
    "costs; near expiry it may exceed what the option is worth"
)
PER_100_BP = "Money per 100 basis points of the rate"
PER_PERCENT = "Change of the dollar delta when the underlying moves by 1 %"


class GreekTotals(Answer):
    """Sums over securities and modelled options; shorts count negative.

    A sum is null where there are positions to add up and none is known; where some are, it is of
    those, and `coverage` says how many. Without options the sums of options are zero.
    """

    dollar_delta: Money | None = Field(
        description="quantity x multiplier x delta x price of the underlying; a security's value"
    )
    dollar_delta_of_options: Money | None
    dollar_gamma: Money | None = Field(description=PER_PERCENT)
    vega: Money | None = Field(description=PER_POINT)
    theta: Money | None = Field(description=PER_DAY)
    rho: Money | None = Field(description=PER_100_BP)
    private_value: Money = Field(description="Private assets at their stated value, in no total")


class UnderlyingGreeks(Answer):
    """Sums over the positions on one underlying."""

    underlying: str
    delta: Quantity = Field(description="In shares of the underlying")
    gamma: Number = Field(description="Change of `delta` when the underlying moves by one dollar")
    dollar_delta: Money
    dollar_gamma: Money = Field(description=PER_PERCENT)
    vega: Money = Field(description=PER_POINT)
    theta: Money = Field(description=PER_DAY)
    rho: Money = Field(description=PER_100_BP)


class PositionGreeks(Answer):
    """An open position: the model's inputs, Greeks per share, and times quantity x multiplier."""

    position_id: UUID
    symbol: str
    position_type: PositionType
    kind: Kind
    underlying: str | None
    quantity: Quantity = Field(description="Signed; splits since the opening included")
    multiplier: Quantity
    style: Literal["american", "european", "future"] | None = Field(
        description="`future`: European, on the future that expires with it"
    )
    strike: Price | None = Field(description="Splits since the opening included")
    years_to_expiry: Number | None = Field(description="From close to close, ACT/365")
    underlying_price: Price | None = Field(description="Of the future where the style says so")
    price: Price | None = Field(description="Per share, of an option")
    price_source: PriceSource | None
    quote_use: QuoteUse | None = Field(
        None, description="What an option's quote is good for; `too_wide`: for nothing"
    )
    model_price: Price | None = Field(description="Per share, at `volatility`")
    volatility: Number | None = Field(description="Per year, a fraction")
    volatility_source: Literal["quote", "surface", "estimated"] | None = Field(
        description="`quote`: the contract's own, of this session or one of the three before"
    )
    volatility_from: VolatilitySource | None = Field(
        None, description="The same; `last_quote`: its own, of one of the three sessions before"
    )
    rate: Number | None = Field(description="Continuous, per year, a fraction")
    rate_source: RateSource | None
    dividend_yield: Number | None = Field(
        description="Per year, `borrow_cost` included; of dividends what is after scheduled ones"
    )
    scheduled_dividends: Price | None = Field(
        None, description="Per share: what dividends declared before the expiry are worth now"
    )
    dividend_source: YieldSource | None = Field(description="Of the yield")
    dividends_from: DividendSource | None = Field(
        None, description="`scheduled`: declared ones, and the yield after the last of them"
    )
    borrow_cost: Number | None
    delta: Number | None = Field(description="Per share; 1 for a security")
    gamma: Number | None = Field(description="Per share and dollar of the underlying")
    theta: Price | None = Field(description="Dollars per share and calendar day: a rate")
    vega: Price | None = Field(description="Dollars per share and volatility point (0.01)")
    rho: Price | None = Field(description="Dollars per share and 100 basis points")
    position_delta: Quantity | None = Field(description="In shares of the underlying")
    position_gamma: Number | None
    position_theta: Money | None = Field(description=PER_DAY)
    position_vega: Money | None = Field(description=PER_POINT)
    position_rho: Money | None = Field(description=PER_100_BP)
    dollar_delta: Money | None
    dollar_gamma: Money | None = Field(description=PER_PERCENT)
    flags: list[Flag] = Field(description="What had to be assumed")
    reason: str | None = Field(description="Why there are no Greeks")


class GreeksCoverage(Answer):
    """What the totals rest on; shares are fractions of what `shares_of` says."""

    open_positions: int
    option_positions: int
    modelled_option_positions: int
    shares_of: str
    modelled_share: Number | None
    estimated_share: Number | None = Field(description="Of it, options without a usable quote")
    private_share: Number | None
    stale_share: Number | None = Field(description="At prices of an earlier session")
    unsupported_currency_positions: int = Field(0, description=IN_NO_TOTAL)


class GreeksOut(Engine):
    """How an account reacts at the close of a session."""

    engine: Literal["greeks"]
    totals: GreekTotals
    by_underlying: list[UnderlyingGreeks]
    positions: list[PositionGreeks]
    coverage: GreeksCoverage
    quality: Quality | None = Field(None, description="What all engines say alike of totals")
    notes: list[NoteOut]


class GreeksAnswer(Answer):
    """The Greeks of a portfolio, or why there are none."""

    available: bool
    portfolio_id: UUID
    calculation_date: date | None = Field(description="The NYSE session at whose close they stand")
    data: GreeksOut | None
    metadata: dict[str, str]


def greeks(portfolio_id: UUID, known: Known | None) -> GreeksAnswer:
    """Read the newest Greeks of a portfolio; None is a portfolio the replica has not heard of."""
    found = None if known is None else read("greeks", known, GreeksOut)
    return GreeksAnswer(
        available=found is not None,
        portfolio_id=portfolio_id,
        calculation_date=None if found is None else found.as_of,
        data=found,
        metadata=_metadata(known, found),
    )


def _metadata(known: Known | None, found: GreeksOut | None) -> dict[str, str]:
    if found is None:
        failure = None if known is None else known.failures.get("greeks")
        if failure is not None:
            return {"error": failure.message}
        said = summary(known, valuation_of(known))["message"]
        return {"error": said or "The Greeks have not been calculated yet."}
    return {
        "vega": PER_POINT,
        "theta": PER_DAY,
        "rho": PER_100_BP,
        "dollar_gamma": PER_PERCENT,
        "model": "Black-Scholes-Merton; Leisen-Reimer for American options; Black-76 on futures",
    }

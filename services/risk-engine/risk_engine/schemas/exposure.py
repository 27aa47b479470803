"""The payload of the engine `exposure`."""

from datetime import date
from typing import Literal

from pydantic import Field

from risk_engine.schemas.base import IN_NO_TOTAL, Answer, Engine, Money, Number, Quantity
from risk_engine.schemas.valuation import NoteOut


class Sides(Answer):
    """Signed amounts by their side: shorts are negative, gross = long - short."""

    long: Money | None
    short: Money | None
    gross: Money | None
    net: Money | None
    long_share: Number | None = Field(
        description="Of what `shares_of` says; null when that is <= 0"
    )
    short_share: Number | None
    gross_share: Number | None
    net_share: Number | None


class MarketValue(Sides):
    """Market values of priced positions.

    A side is 0 where nothing is held on it, null where something is and nothing of it has a price.
    """

    carried: Money = Field(
        description="Positions without a market price, at what each is carried at"
    )


class Convexity(Answer):
    """A sensitivity that does not depend on direction, netted per underlying."""

    net: Money | None
    gross: Money | None = Field(description="The sum over underlyings without regard to sign")
    gross_share: Number | None = Field(description="Of what `shares_of` says")
    limit: Number = Field(description="What `gross_share` should not exceed")
    exceeded: bool | None


class Parts(Answer):
    """Gross value (market or carried) by what is known of it, as fractions of one whole."""

    modelled: Number | None = Field(description="Own history and a close of the session; cash")
    proxied: Number | None = Field(description="Told from factors: private, young, never priced")
    stale: Number | None = Field(description="Own history, but the last close is an earlier one")
    unmodelled: Number | None = Field(description="Neither, or an option without Greeks")


class Quality(Answer):
    """How much of the totals is known; the parts of NAV add up to the gross leverage."""

    of_net_asset_value: Parts
    of_gross_value: Parts = Field(description="Null where that is less than half a cent")
    unsupported_currency_positions: int = Field(0, description=IN_NO_TOTAL)


class UnderlyingOut(Answer):
    """What an account has of one underlying, everything on it netted."""

    symbol: str
    private_kind: str | None = Field(description="Of a private asset")
    kind: str
    sector: str
    value: Money | None
    dollar_delta: Money | None = Field(description="q m delta S")
    sensitivity: Money | None = Field(
        None,
        description="Gain for a return of one: dollar_delta, less of options on the VIX, whose "
        "futures move by less than the index",
    )
    dollar_gamma: Money | None = Field(description="Change of the dollar delta for 1 %")
    vega: Money | None = Field(description="Per volatility point")
    beta: Number | None = Field(description="To the market")
    share_of_gross: Number | None = Field(description="Of delta-adjusted gross exposure")
    proxied: bool


class SectorOut(Answer):
    """One sector, or one asset class that is none."""

    sector: str
    long: Money | None = Field(description="Null, as the rest, where nothing in it is known")
    short: Money | None = Field(description="Negative or zero")
    gross: Money | None
    net: Money | None
    weight: Number | None = Field(description="Of what `sector_weights_of` says")
    benchmark: Number
    active: Number | None = Field(description="weight - benchmark")
    positions: int


class BenchmarkOut(Answer):
    """What sectors are compared with, and as of when."""

    name: str
    as_of: date
    source: Literal["market", "table"]
    look_through_as_of: date = Field(description="The date of the funds' sector weights")


class ConcentrationOut(Answer):
    """How gross exposure is spread over underlyings: fractions of what `shares_of` says."""

    shares_of: str
    herfindahl: Number | None = Field(description="Sum of squared shares, from 1/names to 1")
    effective_number: Number | None = Field(description="1 / herfindahl")
    top_1: Number | None
    top_3: Number | None
    top_5: Number | None
    top_10: Number | None
    names: int


class DiversificationOut(Answer):
    """Over how many independent risks the book is spread, by the factor model's covariance.

    The engine `correlation` has the ratio by correlations as measured.
    """

    model_diversification_ratio: Number | None = Field(
        description="sum |h| s / s_p by the factor model, at least 1, of all that has loadings"
    )
    model_squared_ratio: Number | None = Field(description="Its square")
    variance_herfindahl: Number | None = Field(description="Of shares of variance; hedges are < 0")
    principal_bets: Number | None = Field(description="Effective bets, principal components")
    torsion_bets: Number | None = Field(description="Effective bets, minimum torsion; up to 200")
    modelled_share: Number | None = Field(description="Of what `modelled_share_of` says")
    modelled_share_of: str


class SoldOut(Answer):
    """How much is sold after some sessions."""

    sessions: int
    share: Number | None


class InstrumentOut(Answer):
    """What an account has of one share or contract, and how long it takes to sell."""

    symbol: str
    quantity: Quantity | None
    value: Money | None
    daily_volume: Quantity | None
    days: Number | None = Field(description="Sessions; null where no volume is known")
    scale: Number | None = Field(description="Multiplies a one-session loss: sold evenly over days")
    basis: Literal["average_volume", "session_volume", "redemption", "cash", "none"]


class LiquidityOut(Answer):
    """How long the book takes to sell, at a share of the volume."""

    participation: Number
    sold: list[SoldOut]
    sold_of: str
    known_share: Number | None = Field(description="Of gross value, whose days are known")
    longest: Number | None = Field(description="Sessions, of the instruments that are known")
    instruments: list[InstrumentOut]


class CountsOut(Answer):
    """How many positions there are, and of what."""

    open_positions: int
    option_positions: int
    unmodelled_positions: int
    invalid_positions: int
    stale_positions: int
    carried_positions: int


class ExcludedOut(Answer):
    """Positions that are in no exposure, by reason."""

    reason: str
    positions: int


class ExposureOut(Engine):
    """What a book is exposed to, how concentrated and how liquid it is."""

    engine: Literal["exposure"]
    net_asset_value: Money
    shares_of: str
    market_value: MarketValue
    delta_adjusted: Sides = Field(description="Dollar deltas netted per underlying")
    delta_adjusted_without_proxied: Sides
    leverage: Number | None
    leverage_of: str
    beta_adjusted_net: Money | None = Field(description="Sum of dollar deltas times betas")
    beta_adjusted_net_share: Number | None
    beta_adjusted_net_without_proxied: Money | None
    beta_known_share: Number | None = Field(
        description="Of what `beta_known_share_of` says: betas told by own returns, not believed"
    )
    beta_known_share_of: str
    notional: Money | None = Field(description="Sum of |q m| S")
    cash_equivalents: Money = Field(description="Positions that are cash; in no exposure")
    dollar_gamma: Convexity = Field(description="Per 1 % of the underlying")
    vega: Convexity = Field(description="Per volatility point")
    quality: Quality
    underlyings: list[UnderlyingOut]
    sectors: list[SectorOut]
    sector_weights_of: str
    benchmark: BenchmarkOut
    concentration: ConcentrationOut
    diversification: DiversificationOut
    liquidity: LiquidityOut
    counts: CountsOut
    excluded: list[ExcludedOut]
    notes: list[NoteOut]

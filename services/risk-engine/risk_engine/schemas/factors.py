"""The payload of the engine `factors`."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from risk_engine.engine.asset_classes import AssetClass
from risk_engine.engine.beliefs import BeliefSource
from risk_engine.engine.factor_flags import Flag
from risk_engine.engine.factor_panel import RateSource, YieldSource
from risk_engine.engine.rate_risk import RateRiskReason
from risk_engine.schemas.base import WHY_NO_AMOUNTS, Answer, Engine, Money, Number
from risk_engine.schemas.exposure import Quality
from risk_engine.schemas.valuation import NoteOut

FactorName = Literal["MKT", "RATES", "SIZE", "VALUE", "MOM", "QUAL", "LOWVOL", "CREDIT"]


class NamedExposure(Answer):
    """An account's exposure to something that has a return."""

    name: str
    beta: Number | None = Field(description="exposure_dollar / net asset value")
    exposure_dollar: Money | None = Field(description="Money gained at a return of 1 (100 %)")


class FactorExposure(NamedExposure):
    """An account's exposure to a factor, and what it adds to the account's variance."""

    name: FactorName
    volatility: Number | None = Field(description="The factor's own, per year")
    contribution: Number | None = Field(
        description="Share of the account's variance; below 0 where it hedges"
    )


class MarketBeta(Answer):
    """How the account moves with the market: shrunk betas of what it holds, added up."""

    beta: Number | None = Field(description="exposure_dollar / net asset value")
    exposure_dollar: Money | None
    standard_error: Number | None = Field(
        description="Newey-West's of the return series of what is held now and has returns, "
        "together with the errors of the betas that are only believed"
    )
    low: Number | None = Field(description="Lower end of the 95 % interval")
    high: Number | None
    regressed_beta: Number | None = Field(
        description="The slope of that series, for comparison; null below an observed_share of 0.1"
    )
    r_squared: Number | None = Field(
        description="Of that series: of the observed_share of the account and of no more"
    )
    observations: int
    observed_share: Number | None = Field(
        description="Of |dollar delta| without cash: the series is made of so much of it"
    )
    imputed_share: Number | None = Field(
        description="Of |dollar delta|: betas that are priors or a listed fund's"
    )


class ProviderBeta(Answer):
    """The same with a data vendor's betas of the underlyings, options at their delta."""

    beta: Number | None
    positions_with_beta: int = Field(description="Open positions that count in it")
    positions_total: int = Field(description="All open positions")


class Risk(Answer):
    """Volatility per year; shares are of variance and add up to 1."""

    volatility: Number | None = Field(description="Of net asset value")
    volatility_dollar: Money | None
    factor_volatility: Number | None
    specific_volatility: Number | None
    factor_share: Number | None
    specific_share: Number | None


class InterestRates(Answer):
    """Sensitivity to the 10-year Treasury yield; profits are signed."""

    duration: Number | None = Field(description="dollar_duration / net asset value, years")
    dollar_duration: Money | None
    bond_exposure_dollar: Money | None = Field(description="Bond funds with a published duration")
    bond_duration: Number | None = Field(description="Of those alone, years")
    pnl_per_basis_point: Money | None = Field(description="When yields rise by 0.01 %")
    pnl_up_100bp: Money | None = Field(description="Bond funds with their convexity")
    pnl_down_100bp: Money | None
    fund: str
    beta_to_fund: Number | None = Field(
        description="Per return of this Treasury fund: > 0 gains when yields fall"
    )
    reason: RateRiskReason | None = Field(None, description="Why the duration is null")


class PositionFactors(Answer):
    """What the model says of a position's underlying, and what the position adds to risk."""

    position_id: UUID
    symbol: str
    underlying: str
    asset_class: AssetClass
    dollar_delta: Money | None = Field(
        description="What it counts with; options at their delta, those on the VIX at what their "
        "future moves with the index"
    )
    weight: Number | None = Field(description="dollar_delta / net asset value")
    loadings: list[Number | None] = Field(
        description="Per dollar of the underlying, in the order of `factors`"
    )
    standard_errors: list[Number | None]
    r_squared: Number | None = Field(description="Out of the sample; may be below 0")
    observations: int
    specific_volatility: Number | None = Field(description="Per year")
    raw_beta: Number | None = Field(description="Regressed on the market alone")
    raw_beta_error: Number | None
    beta: Number | None = Field(
        description="prior_beta + relative_beta / (1 + (relative_beta_error / prior_deviation)²)"
    )
    beta_error: Number | None
    beta_low: Number | None
    beta_high: Number | None
    relative_beta: Number | None = Field(
        default=None,
        description="Of returns over the `prior_fund`'s; without one raw_beta less prior_beta",
    )
    relative_beta_error: Number | None = None
    prior_beta: Number | None
    prior_beta_error: Number | None = Field(
        default=None, description="Of the prior itself: the fund's"
    )
    prior_deviation: Number | None = Field(
        default=None, description="How far true betas of such securities lie from their prior"
    )
    prior_fund: str | None = Field(
        default=None, description="Whose beta the prior is; null where it is the asset class's"
    )
    blume_beta: Number | None = Field(description="0.343 + 0.677 raw, for comparison")
    provider_beta: Number | None
    beta_r_squared: Number | None
    beta_observations: int
    duration: Number | None = Field(description="Years")
    duration_error: Number | None
    convexity: Number | None
    duration_published: bool = Field(description="By the fund's company, not by its returns")
    factor_contribution: Number | None = Field(description="Share of the account's variance")
    specific_contribution: Number | None
    contribution: Number | None
    flags: list[Flag]
    reason: str | None = Field(None, description=WHY_NO_AMOUNTS)


class Counts(Answer):
    """Open positions by what is known of them."""

    open_positions: int
    modelled_positions: int
    proxied_positions: int
    prior_only_positions: int


class FactorState(Answer):
    """A factor, whether enough is known of it, and how much the others explain of it."""

    name: FactorName
    available: bool
    variance_inflation: Number | None = Field(description="1 / (1 - R2) on the others")


class BeliefsOut(Answer):
    """How far true loadings of shares lie from what is believed of them before any data."""

    source: BeliefSource
    shares: int = Field(description="So many were looked at")
    market_deviation: Number = Field(description="Of market betas about their sector fund's")
    rates_deviation: Number = Field(description="Of loadings on RATES about 0, in years")
    style_deviation: Number = Field(description="Of loadings on spreads and CREDIT about 0")


class ModelState(Answer):
    """The factors as a set."""

    condition_number: Number | None = Field(description="Of columns of one length")
    covariance_shrinkage: Number | None = Field(description="To no correlation: 0 none, 1 all")
    rate_source: RateSource
    yield_source: YieldSource
    beliefs: BeliefsOut | None = Field(default=None, description="Null in results of before")
    factors: list[FactorState]
    correlation: list[list[Number | None]] = Field(description="In the order of `factors`")


class FactorsOut(Engine):
    """Which common forces move an account, and how much of its risk they explain."""

    engine: Literal["factors"]
    net_asset_value: Money
    exposures_of: str
    factors: list[FactorExposure]
    reported: list[NamedExposure] = Field(description="Under the names existing clients know")
    spreads: list[NamedExposure]
    market_beta: MarketBeta
    provider_beta: ProviderBeta
    risk: Risk
    risk_without_proxies: Risk
    interest_rates: InterestRates
    positions: list[PositionFactors]
    counts: Counts
    quality: Quality
    model: ModelState
    notes: list[NoteOut]

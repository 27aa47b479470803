"""The payload of the engine `correlation`."""

from datetime import date
from typing import Literal

from pydantic import Field

from risk_engine.schemas.base import Answer, Engine, Money, Number
from risk_engine.schemas.exposure import Quality
from risk_engine.schemas.valuation import NoteOut


class Correlated(Answer):
    """How much of the account is in the matrix, by |value|."""

    of_net_asset_value: Number | None
    of_gross_value: Number | None


class Concentration(Answer):
    """1 - the sum of squared shares of gross delta-adjusted exposure: 0 for one of a kind."""

    of: Literal["gross_delta_adjusted_exposure"]
    position_size: Number | None = Field(description="By underlying")
    asset_class: Number | None = Field(description="By kind: stock, etf, private, cash...")
    sector: Number | None = Field(description="By sector as the provider names it")
    underlyings: int


class Shrinkage(Answer):
    """How far the sample was pulled towards its mean (Ledoit and Wolf, 2004)."""

    target: Literal["constant_correlation"]
    intensity: Number = Field(description="0: the sample; 1: all pairs alike")
    repaired: bool = Field(description="Gaps had left the sample indefinite (Higham, 2002)")


class Risk(Answer):
    """Annual volatility of what is in the matrix, by the shrunk correlations."""

    volatility: Number | None = Field(description="Of net asset value")
    undiversified: Number | None = Field(description="Were all correlations 1, shorts as longs")
    dollars: Money
    undiversified_dollars: Money
    diversification_ratio: Number | None = Field(
        description="Undiversified risk over risk, at least 1, by the shrunk sample and of what is "
        "in the matrix; null where nothing is left of it"
    )


class Pair(Answer):
    """Two underlyings whose correlation is unlikely to be chance, with its 95 % interval."""

    first: str
    second: str
    correlation: Number
    low: Number
    high: Number
    common: int = Field(description="Sessions both have a return of")


class Significance(Answer):
    """Which correlations are unlikely to be chance (Benjamini and Hochberg, 1995)."""

    tested: int
    significant: int
    false_discovery_rate: Number
    strongest: list[Pair]


class CorrelatedUnderlying(Answer):
    """An underlying of the matrix."""

    symbol: str
    dollar_delta: Money = Field(description="Signed, options at their delta")
    weight: Number | None = Field(
        description="dollar_delta / net asset value; of options on the VIX what their future moves"
    )
    volatility: Number = Field(description="Of 252 sessions, per year")
    observations: int
    cluster: int = Field(description="Place in `clusters`")
    silhouette: Number | None = Field(description="1: clearly of its cluster; below 0: misplaced")


class Cluster(Answer):
    """Underlyings that move together, and the annual risk that stands in them."""

    symbols: list[str]
    net: Number | None = Field(description="Volatility by themselves, hedges offset, of NAV")
    gross: Number | None = Field(description="Sum of their own volatilities, of NAV")
    net_dollars: Money
    gross_dollars: Money
    share_of_variance: Number | None = Field(description="Below 0: a hedge of the rest")


class CorrelationOut(Engine):
    """How what a portfolio holds moves together.

    Triangles are what stands above a matrix's diagonal, row by row, in the order of `symbols`.
    Everything from `correlation` on is null where fewer than two holdings could be correlated.
    """

    engine: Literal["correlation"]
    net_asset_value: Money
    sessions: int = Field(description="The window")
    first_session: date
    min_overlap: int = Field(description="Sessions a pair must have in common")
    quality: Quality
    correlated: Correlated
    concentration: Concentration
    notes: list[NoteOut]
    correlation: list[Number] | None = Field(None, description="Shrunk: what risk is told by")
    sample: list[Number] | None = Field(None, description="Pearson's, as measured")
    common: int | list[int] | None = Field(
        None, description="Sessions in common: of all pairs, or of each"
    )
    shrinkage: Shrinkage | None = None
    mean_correlation: Number | None = Field(None, description="Mean of all pairs, signed")
    implied_correlation: Number | None = Field(
        None,
        description="The one correlation of all pairs that would give this portfolio its risk, "
        "shorts counting as such: -1 to 1, below 0 where holdings offset each other",
    )
    absolute_correlation: Number | None = Field(
        None, description="Mean |correlation| by the pairs' own risks: 0 to 1, hedges included"
    )
    effective_bets: Number | None = Field(
        None,
        description="Independent risks the holdings are bets on, hedges counting for nothing: "
        "1 / sum w_i w_j |correlation|, w the shares of |h| s; from 1 to the number of holdings",
    )
    risk: Risk | None = None
    significance: Significance | None = None
    symbols: list[CorrelatedUnderlying] | None = Field(
        None, description="By |dollar_delta|, largest first"
    )
    clusters: list[Cluster] | None = Field(None, description="By gross risk, largest first")
    silhouette: Number | None = Field(None, description="Mean of the underlyings'")

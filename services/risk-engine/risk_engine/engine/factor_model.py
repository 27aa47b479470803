"""The factor model of a chunk: estimated once for all of its underlyings."""

from dataclasses import dataclass
from datetime import date

from risk_engine.domain import Market
from risk_engine.engine.asset_classes import AssetClass
from risk_engine.engine.durations import Durations, durations_of
from risk_engine.engine.factor_panel import FactorPanel, factor_panel
from risk_engine.engine.loadings import (
    MARKET,
    Betas,
    estimate,
    funds_of,
    securities_of,
    with_proxies,
)
from risk_engine.engine.underlyings import Underlyings
from risk_engine.quant.factors import FACTORS
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray

__all__ = ["FACTORS", "FactorModel", "factor_model"]


@dataclass(frozen=True, eq=False)
class FactorModel:
    """Loadings b of underlyings on factors f, and what is left: r = b f + e.

    `returns` are (sessions, factors), of `sessions` (those of `market.reference`); `covariance` is
    (factors, factors) per session; `loadings` and `standard_errors` are (underlyings, factors),
    `specific_variance` per session and the rest (underlyings,). Simple returns as decimals; RATES
    is the change of the 10-year yield as a decimal, so a loading on it is a return per unit of
    yield (minus a duration). NaN where not known, as everything of a factor that is not
    `available`. `prior_only` marks underlyings with too little history to be regressed, `proxied`
    the ones that stand in for a private asset, `stale` those without a recent price. `r_squared` is
    out of the sample. `excess` are the underlyings' returns over cash, (sessions of
    `market.prices`, underlyings), and `recent` the factors' over the same sessions.
    """

    factors: tuple[str, ...]
    sessions: tuple[date, ...]
    returns: FloatArray
    covariance: FloatArray
    loadings: FloatArray
    standard_errors: FloatArray
    specific_variance: FloatArray
    r_squared: FloatArray
    observations: IntArray
    prior_only: BoolArray
    proxied: BoolArray
    stale: BoolArray
    classes: tuple[AssetClass, ...]
    betas: Betas
    durations: Durations
    excess: FloatArray
    recent: FloatArray
    panel: FactorPanel

    @property
    def market_excess(self) -> FloatArray:
        """Return the market's returns over cash, (sessions of `market.prices`,)."""
        return self.recent[:, MARKET]

    @property
    def available(self) -> BoolArray:
        """Tell which factors are known, (factors,)."""
        return self.panel.available


def factor_model(underlyings: Underlyings, market: Market) -> FactorModel:
    """Estimate the model of `underlyings` at the close of `market.as_of`."""
    whole = factor_panel(market)
    panel = whole.over(market.prices)
    funds = funds_of(market, panel)
    found = securities_of(underlyings, market, panel, funds)
    estimates = with_proxies(estimate(found, panel), underlyings, funds)
    private, cash = found.are("private"), found.are("cash")
    return FactorModel(
        factors=FACTORS,
        sessions=whole.sessions,
        returns=whole.returns,
        covariance=whole.covariance,
        loadings=estimates.loadings,
        standard_errors=estimates.errors,
        specific_variance=estimates.specific_variance,
        r_squared=estimates.r_squared,
        observations=estimates.observations,
        prior_only=~found.regressed & ~private & ~cash,
        proxied=private,
        stale=found.stale,
        classes=found.classes,
        betas=estimates.betas,
        durations=durations_of(underlyings, found, panel),
        excess=found.excess,
        recent=panel.returns,
        panel=whole,
    )

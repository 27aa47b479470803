"""How far loadings of shares lie from what is believed of them, as a cross-section says.

The cross-section is the market's (`Market.cross_section`): the same shares for every book of a
session, whoever holds what. Nothing here depends on a book.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from risk_engine.domain import Market, Prices, Security
from risk_engine.engine.asset_classes import AssetClass, classes, usual_specific_volatilities
from risk_engine.engine.betas import betas_of
from risk_engine.engine.factor_panel import FactorPanel
from risk_engine.engine.loadings import Funds
from risk_engine.engine.securities import (
    MARKET,
    NO_FUND,
    RATES,
    Securities,
    default_deviations,
)
from risk_engine.engine.underlyings import Key
from risk_engine.quant.covariance import exponential_weights
from risk_engine.quant.factors import (
    FACTORS,
    HALF_LIFE,
    MIN_OBSERVATIONS,
    RATES_CANDIDATES,
    RATES_DEVIATION,
    STYLE_CANDIDATES,
    STYLE_DEVIATION,
    WINDOW,
)
from risk_engine.quant.market_beta import MIN_OBSERVATIONS as LEAST_FOR_BETA
from risk_engine.quant.market_beta import WINDOW as BETA_WINDOW
from risk_engine.quant.panel import FloatArray
from risk_engine.quant.regression import least_squares, moments
from risk_engine.quant.returns import coverage, excess_returns, total_returns
from risk_engine.quant.shrinkage import (
    LEAST_CROSS_SECTION,
    PRIOR_DEVIATION,
    Prior,
    cross_sectional_deviation,
    validated_deviation,
)

BeliefSource = Literal["cross_section", "default"]


@dataclass(frozen=True, slots=True)
class Beliefs:
    """Deviations of shares' true loadings from what is believed of them before any data.

    `market` is of betas about those of their sectors' funds, `styles` of loadings on the spreads
    and credit about 0, `rates` of loadings on the 10-year yield about 0. They come from `shares`
    shares, or are the defaults.
    """

    market: float
    rates: float
    styles: float
    source: BeliefSource
    shares: int

    @property
    def deviations(self) -> FloatArray:
        """Return them in the order of FACTORS."""
        deviations = np.full(len(FACTORS), self.styles)
        deviations[[MARKET, RATES]] = self.market, self.rates
        return deviations


DEFAULT_BELIEFS = Beliefs(PRIOR_DEVIATION, RATES_DEVIATION, STYLE_DEVIATION, "default", 0)


def beliefs_of(market: Market, factors: FactorPanel, funds: Funds) -> Beliefs:
    """Tell how widely shares lie at the close of `market.as_of`.

    `factors` are over the sessions of `market.reference`. The defaults where the market shows too
    few shares whose sectors have a fund, or of which too little is known.
    """
    shown = market.cross_section
    if shown is None or not shown.symbols or not factors.available[MARKET]:
        return DEFAULT_BELIEFS
    panel = factors.over(shown)
    found = _shares(market, shown, panel, funds)
    betas = betas_of(found, panel)
    told = np.isfinite(betas.relative) & np.isfinite(betas.relative_error)
    if min(int(told.sum()), int(found.regressed.sum())) < LEAST_CROSS_SECTION:
        return DEFAULT_BELIEFS
    deviation = cross_sectional_deviation(betas.relative, betas.relative_error, np.zeros(told.size))
    styles, rates = _validated(found, panel, deviation)
    return Beliefs(deviation, rates, styles, "cross_section", int(told.sum()))


def _shares(market: Market, shown: Prices, panel: FactorPanel, funds: Funds) -> Securities:
    fund_of = {
        symbol: sector_fund(security, funds)
        for symbol in shown.symbols
        if (security := market.securities.get(symbol)) is not None and security.kind == "stock"
    }
    symbols = [symbol for symbol, fund in fund_of.items() if fund != NO_FUND]
    columns = [shown.columns[symbol] for symbol in symbols]
    close = shown.close[:, columns]
    returns = total_returns(close, shown.split_ratio[:, columns], shown.dividend[:, columns])
    over_factors, over_beta = (coverage(close, returns, one) for one in (WINDOW, BETA_WINDOW))
    fund = np.array([fund_of[symbol] for symbol in symbols], dtype=np.int64)
    prior = np.zeros((fund.size, len(FACTORS)))
    prior[:, MARKET] = funds.estimates.betas.shrunk[fund]
    kind: AssetClass = "stock"
    kinds = (kind,) * fund.size
    return Securities(
        excess=excess_returns(returns, panel.risk_free),
        classes=kinds,
        prior=prior,
        prior_error=funds.estimates.betas.error[fund],
        deviation=default_deviations(fund.size),
        fund=fund,
        fund_excess=funds.excess(panel),
        usual_specific=usual_specific_volatilities(
            [Key(symbol, None) for symbol in symbols], kinds
        ),
        regressed=over_factors.sufficient(MIN_OBSERVATIONS),
        beta_regressed=over_beta.sufficient(LEAST_FOR_BETA),
        stale=over_beta.stale,
        is_market=np.zeros(fund.size, dtype=np.bool_),
    )


def sector_fund(security: Security | None, funds: Funds) -> int:
    """Return which fund is of a share's sector, NO_FUND where none is."""
    if security is None:
        return NO_FUND
    return funds.rows.get(classes().sector_funds.get(security.sector or "", ""), NO_FUND)


def _validated(found: Securities, panel: FactorPanel, market: float) -> tuple[float, float]:
    """Return the deviations of styles and of rates that predict best what they have not seen."""
    use = panel.available
    names = np.concatenate(([""], np.array(FACTORS)[use]))
    own = found.regressed.copy()
    x = np.column_stack((np.ones(len(found.excess[-WINDOW:])), panel.returns[-WINDOW:, use]))
    weights = exponential_weights(len(x), HALF_LIFE)
    y = found.excess[-WINDOW:]
    variance = least_squares(x, y, moments(x, y, weights)).variance
    own &= np.isfinite(variance) & (variance > 0)
    mean = np.column_stack((np.zeros(own.sum()), found.prior[np.ix_(own, use)]))
    deviation = np.concatenate(([np.inf], DEFAULT_BELIEFS.deviations[use]))
    deviation[names == FACTORS[MARKET]] = market
    of_rates = names == FACTORS[RATES]
    of_styles = ~of_rates & (names != FACTORS[MARKET]) & (names != "")
    chosen = []
    # Styles first: they are many, and what is believed of rates costs them little.
    for regressors, candidates, default in (
        (of_styles, STYLE_CANDIDATES, STYLE_DEVIATION),
        (of_rates, RATES_CANDIDATES, RATES_DEVIATION),
    ):
        best = validated_deviation(
            x,
            y[:, own],
            weights,
            variance[own],
            Prior(mean, deviation),
            regressors=regressors,
            candidates=candidates,
        )
        deviation[regressors] = best = best if np.isfinite(best) else default
        chosen.append(best)
    styles, rates = chosen
    return styles, rates

"""Say of a chunk's underlyings what is to be estimated of them, and what is believed beforehand."""

from collections.abc import Sequence

import numpy as np

from risk_engine.domain import Market
from risk_engine.engine.asset_classes import (
    AssetClass,
    asset_classes,
    classes,
    fund_durations,
    usual_specific_volatilities,
)
from risk_engine.engine.beliefs import Beliefs, sector_fund
from risk_engine.engine.factor_panel import FactorPanel
from risk_engine.engine.loadings import MARKET_FUND, Funds
from risk_engine.engine.securities import MARKET, NO_FUND, RATES, Securities, default_deviations
from risk_engine.engine.underlyings import Underlyings
from risk_engine.quant.factors import FACTORS, MIN_OBSERVATIONS, WINDOW
from risk_engine.quant.market_beta import MIN_OBSERVATIONS as LEAST_FOR_BETA
from risk_engine.quant.market_beta import WINDOW as BETA_WINDOW
from risk_engine.quant.panel import FloatArray, IntArray
from risk_engine.quant.returns import coverage, excess_returns
from risk_engine.quant.shrinkage import PRIOR_DEVIATION


def securities_of(
    underlyings: Underlyings, market: Market, panel: FactorPanel, funds: Funds, beliefs: Beliefs
) -> Securities:
    """Say what is to be estimated of underlyings, over the sessions of `market.prices`."""
    close = underlyings.closes(market.prices)
    kinds = asset_classes(underlyings)
    at_market = np.array([one not in ("cash", "private") for one in kinds], dtype=np.bool_)
    over_factors = coverage(close, underlyings.returns, WINDOW)
    over_beta = coverage(close, underlyings.returns, BETA_WINDOW)
    known = at_market & bool(panel.available[MARKET])
    fund = _sector_fund(underlyings, kinds, funds)
    theirs = funds.estimates.betas
    with_fund = np.flatnonzero(fund != NO_FUND)
    prior, prior_error = _prior(underlyings, kinds), np.zeros(len(kinds))
    prior[with_fund, MARKET] = theirs.shrunk[fund[with_fund]]
    prior_error[with_fund] = theirs.error[fund[with_fund]]
    return Securities(
        excess=np.where(at_market, excess_returns(underlyings.returns, panel.risk_free), np.nan),
        classes=kinds,
        prior=prior,
        prior_error=prior_error,
        deviation=_deviation(kinds, fund, prior, beliefs),
        fund=fund,
        fund_excess=funds.excess(panel),
        usual_specific=usual_specific_volatilities(underlyings.keys, kinds),
        regressed=over_factors.sufficient(MIN_OBSERVATIONS) & known,
        beta_regressed=over_beta.sufficient(LEAST_FOR_BETA) & known,
        # What never had a price is not late with it: it is believed, and not known.
        stale=over_beta.stale & (over_beta.age >= 0) & at_market,
        is_market=np.array(
            [key == (MARKET_FUND, None) for key in underlyings.keys], dtype=np.bool_
        ),
    )


def _sector_fund(underlyings: Underlyings, kinds: Sequence[AssetClass], funds: Funds) -> IntArray:
    return np.array(
        [
            sector_fund(security, funds) if kind == "stock" else NO_FUND
            for kind, security in zip(kinds, underlyings.securities, strict=True)
        ],
        dtype=np.int64,
    )


def _prior(underlyings: Underlyings, kinds: Sequence[AssetClass]) -> FloatArray:
    prior = np.zeros((len(underlyings), len(FACTORS)))
    known, durations = classes(), fund_durations()
    for row, (key, kind) in enumerate(zip(underlyings.keys, kinds, strict=True)):
        if kind == "bond":
            prior[row, RATES] = -durations[key.symbol].duration
        elif kind == "leveraged":
            prior[row, MARKET] = known.market_multiples[key.symbol]
        elif kind == "volatility":
            prior[row, MARKET] = known.volatility_betas[key.symbol]
        elif kind in ("fund", "stock"):
            prior[row, MARKET] = 1.0
    return prior


def _deviation(
    kinds: Sequence[AssetClass], fund: IntArray, prior: FloatArray, beliefs: Beliefs
) -> FloatArray:
    deviation = default_deviations(len(kinds))
    shares = np.array([one == "stock" for one in kinds], dtype=np.bool_)
    deviation[shares] = beliefs.deviations
    # The cross-section lies about its sectors' funds: of a share without one it says nothing.
    deviation[shares & (fund == NO_FUND), MARKET] = PRIOR_DEVIATION
    # A beta of -3 that rests on judgement is less certain than a share's of 1.
    volatile = np.array([one == "volatility" for one in kinds], dtype=np.bool_)
    deviation[volatile, MARKET] *= np.maximum(np.abs(prior[volatile, MARKET]), 1.0)
    return deviation

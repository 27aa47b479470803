"""What is estimated of securities: loadings on factors, and what stands in for them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from risk_engine.domain import Market
from risk_engine.engine.asset_classes import (
    LEAST_SPECIFIC_VOLATILITY,
    asset_class,
    classes,
    private_proxies,
    proxy_of,
    usual_specific_volatilities,
)
from risk_engine.engine.betas import Betas, betas_of
from risk_engine.engine.factor_panel import FactorPanel
from risk_engine.engine.securities import MARKET, NO_FUND, Securities, default_deviations
from risk_engine.engine.underlyings import Key, Underlyings
from risk_engine.quant.blocks import blocks, filled, filled_rows
from risk_engine.quant.factors import FACTORS, MIN_OBSERVATIONS, WINDOW, estimate_loadings
from risk_engine.quant.market_beta import WINDOW as BETA_WINDOW
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.returns import excess_returns
from risk_engine.quant.shrinkage import PRIOR_DEVIATION, Prior
from risk_engine.quant.volatility import SESSIONS_PER_YEAR

MARKET_FUND = "SPY"


@dataclass(frozen=True, eq=False)
class Estimates:
    """What was found, as `FactorModel` has it; `regressed` says of which securities."""

    loadings: FloatArray
    errors: FloatArray
    specific_variance: FloatArray
    r_squared: FloatArray
    observations: IntArray
    regressed: BoolArray
    betas: Betas


@dataclass(frozen=True, eq=False)
class Funds:
    """The reference funds that others are compared with: rows of what is estimated of them.

    `columns` are their places in the reference, in the order of the rows.
    """

    rows: Mapping[str, int]
    columns: IntArray
    estimates: Estimates

    def excess(self, panel: FactorPanel) -> FloatArray:
        """Return their returns over cash, (sessions of the panel, funds)."""
        return excess_returns(panel.funds[:, self.columns], panel.risk_free)


def funds_of(market: Market, panel: FactorPanel) -> Funds:
    """Estimate the funds that stand for sectors and for private assets."""
    wanted = {proxy.fund for proxy in private_proxies().values() if proxy.fund is not None}
    wanted |= set(classes().sector_funds.values())
    columns = market.reference.columns
    symbols = sorted(wanted & columns.keys())
    places = np.array([columns[symbol] for symbol in symbols], dtype=np.int64)
    excess = excess_returns(panel.funds[:, places], panel.risk_free)
    keys = [Key(symbol, None) for symbol in symbols]
    kinds = tuple(asset_class(key, "etf", market.securities.get(key.symbol)) for key in keys)
    prior = np.zeros((len(symbols), len(FACTORS)))
    prior[:, MARKET] = 1.0
    enough = np.isfinite(excess[-BETA_WINDOW:]).sum(axis=0) >= MIN_OBSERVATIONS
    found = Securities(
        excess=excess,
        classes=kinds,
        prior=prior,
        prior_error=np.zeros(len(symbols)),
        deviation=default_deviations(len(symbols)),
        fund=np.full(len(symbols), NO_FUND, dtype=np.int64),
        fund_excess=np.empty((len(excess), 0)),
        usual_specific=usual_specific_volatilities(keys, kinds),
        regressed=enough,
        beta_regressed=enough,
        stale=~enough,
        is_market=np.array([symbol == MARKET_FUND for symbol in symbols], dtype=np.bool_),
    )
    rows = {symbol: row for row, symbol in enumerate(symbols)}
    return Funds(rows, places, estimate(found, panel))


def estimate(found: Securities, panel: FactorPanel) -> Estimates:
    """Estimate what can be regressed; for the rest, what is believed of such securities."""
    floor = np.array([LEAST_SPECIFIC_VOLATILITY[kind] for kind in found.classes], dtype=np.float64)
    least = floor**2 / SESSIONS_PER_YEAR
    loadings, errors = found.prior.copy(), found.deviation.copy()
    errors[:, MARKET] = np.hypot(errors[:, MARKET], found.prior_error)
    believed = errors.copy()
    specific = found.usual_specific**2 / SESSIONS_PER_YEAR
    r_squared = np.full(len(found.classes), np.nan)
    observations = np.isfinite(found.excess[-WINDOW:]).sum(axis=0).astype(np.int64)
    regressed = np.zeros(len(found.classes), dtype=np.bool_)
    use = panel.available
    for columns in blocks(np.flatnonzero(found.regressed)):
        fit = estimate_loadings(
            panel.returns[:, use],
            filled(found.excess[:, columns]),
            Prior(
                filled_rows(found.prior[np.ix_(columns, use)], 0.0),
                filled_rows(believed[np.ix_(columns, use)], 1.0),
            ),
            filled_rows(least[columns], 1.0),
        )
        # Sessions in which all factors are known may be fewer than the security's own.
        done = np.flatnonzero(np.isfinite(fit.specific_variance))
        rows = columns[done]
        regressed[rows] = True
        loadings[np.ix_(rows, use)] = fit.loadings[done]
        errors[np.ix_(rows, use)] = fit.errors[done]
        specific[rows], r_squared[rows] = fit.specific_variance[done], fit.r_squared[done]
        observations[columns] = fit.observations[: columns.size]
    loadings[:, ~use], errors[:, ~use] = np.nan, np.nan
    still = found.are("cash")
    loadings[still], errors[still] = 0.0, 0.0
    # The floor is there to divide by; of the factor itself nothing is left over.
    specific[found.is_market] = 0.0
    betas = betas_of(found, panel)
    return Estimates(loadings, errors, specific, r_squared, observations, regressed, betas)


def with_proxies(estimates: Estimates, underlyings: Underlyings, funds: Funds) -> Estimates:
    """Return estimates with multiples of listed funds in the place of private assets.

    What has no fund to stand for it in the panel is not known.
    """
    betas, theirs = estimates.betas, funds.estimates
    loadings, errors = estimates.loadings.copy(), estimates.errors.copy()
    specific, prior = estimates.specific_variance.copy(), betas.prior.copy()
    shrunk, error = betas.shrunk.copy(), betas.error.copy()
    prior_error, deviation = betas.prior_error.copy(), betas.deviation.copy()
    for row, (key, kind) in enumerate(zip(underlyings.keys, underlyings.kinds, strict=True)):
        if kind != "private":
            continue
        proxy = proxy_of(key)
        specific[row] = proxy.specific_volatility**2 / SESSIONS_PER_YEAR
        for table, source in (
            (loadings, theirs.loadings),
            (errors, theirs.errors),
            (shrunk, theirs.betas.shrunk),
            (error, theirs.betas.error),
        ):
            if proxy.fund is None:
                table[row] = 0.0
            elif proxy.fund in funds.rows:
                table[row] = proxy.multiple * source[funds.rows[proxy.fund]]
            else:
                table[row] = np.nan
        # The multiple is a belief, no better known than any other.
        error[row] = np.hypot(error[row], PRIOR_DEVIATION)
        prior[row] = prior_error[row] = deviation[row] = np.nan
    return replace(
        estimates,
        loadings=loadings,
        errors=errors,
        specific_variance=specific,
        betas=replace(
            betas,
            shrunk=shrunk,
            error=error,
            prior=prior,
            prior_error=prior_error,
            deviation=deviation,
        ),
    )

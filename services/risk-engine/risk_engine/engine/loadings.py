"""What is estimated of securities: loadings on factors, market betas, and what stands in for them.

Nothing depends on who else is estimated: priors come from the reference funds and from files, never
from the cross-section of what happens to be held.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from risk_engine.domain import Market
from risk_engine.engine.asset_classes import (
    LEAST_SPECIFIC_VOLATILITY,
    USUAL_SPECIFIC_VOLATILITY,
    AssetClass,
    asset_class,
    asset_classes,
    classes,
    fund_durations,
    private_proxies,
    proxy_of,
)
from risk_engine.engine.factor_panel import FactorPanel
from risk_engine.engine.underlyings import Key, Underlyings
from risk_engine.quant.blocks import BLOCK, blocks, filled, filled_rows
from risk_engine.quant.factors import (
    FACTORS,
    MIN_OBSERVATIONS,
    PRIOR_DEVIATIONS,
    WINDOW,
    estimate_loadings,
)
from risk_engine.quant.market_beta import MIN_OBSERVATIONS as LEAST_FOR_BETA
from risk_engine.quant.market_beta import WINDOW as BETA_WINDOW
from risk_engine.quant.market_beta import market_betas
from risk_engine.quant.panel import NO_COLUMN, BoolArray, FloatArray, IntArray
from risk_engine.quant.returns import coverage, excess_returns, idle_share
from risk_engine.quant.shrinkage import PRIOR_DEVIATION, Prior, vasicek
from risk_engine.quant.volatility import SESSIONS_PER_YEAR

THIN = 0.2
"""Share of sessions without a move from which on a beta is Dimson's."""
MARKET_FUND = "SPY"
MARKET, RATES = FACTORS.index("MKT"), FACTORS.index("RATES")


@dataclass(frozen=True, eq=False)
class Betas:
    """Market betas, (underlyings,): `raw` and its error are NaN where nothing was regressed.

    `shrunk` is what is used: raw and `prior` by their precisions, the prior alone where there is no
    raw one. `thin` marks Dimson's.
    """

    raw: FloatArray
    raw_error: FloatArray
    shrunk: FloatArray
    error: FloatArray
    prior: FloatArray
    r_squared: FloatArray
    observations: IntArray
    thin: BoolArray


@dataclass(frozen=True, eq=False)
class Securities:
    """What is to be estimated: excess returns are (sessions, securities), the rest (securities,).

    `prior` loadings are (securities, factors). `regressed` and `beta_regressed` say whose history
    suffices for the factors and for the market alone; `stale` whose last price is too old;
    `is_market` which is the fund that the market's factor is made of.
    """

    excess: FloatArray
    classes: tuple[AssetClass, ...]
    prior: FloatArray
    regressed: BoolArray
    beta_regressed: BoolArray
    stale: BoolArray
    is_market: BoolArray

    def part(self, rows: IntArray) -> "Securities":
        """Return some of the securities."""
        return Securities(
            excess=self.excess[:, rows],
            classes=tuple(self.classes[row] for row in rows.tolist()),
            prior=self.prior[rows],
            regressed=self.regressed[rows],
            beta_regressed=self.beta_regressed[rows],
            stale=self.stale[rows],
            is_market=self.is_market[rows],
        )

    def are(self, wanted: AssetClass) -> BoolArray:
        """Tell which securities are of a class, (securities,)."""
        return np.array([one == wanted for one in self.classes], dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class Estimates:
    """What was found, as `FactorModel` has it."""

    loadings: FloatArray
    errors: FloatArray
    specific_variance: FloatArray
    r_squared: FloatArray
    observations: IntArray
    betas: Betas


@dataclass(frozen=True, eq=False)
class Funds:
    """The reference funds that others are compared with: rows of what is estimated of them."""

    rows: Mapping[str, int]
    estimates: Estimates


def funds_of(market: Market, panel: FactorPanel) -> Funds:
    """Estimate the funds that stand for sectors and for private assets."""
    wanted = {proxy.fund for proxy in private_proxies().values() if proxy.fund is not None}
    wanted |= set(classes().sector_funds.values())
    columns = market.reference.columns
    symbols = sorted(wanted & columns.keys())
    close = panel.funds[:, [columns[symbol] for symbol in symbols]]
    excess = excess_returns(close, panel.risk_free)
    kinds = tuple(
        asset_class(Key(symbol, None), "etf", market.securities.get(symbol)) for symbol in symbols
    )
    prior = np.zeros((len(symbols), len(FACTORS)))
    prior[:, MARKET] = 1.0
    enough = np.isfinite(excess[-BETA_WINDOW:]).sum(axis=0) >= MIN_OBSERVATIONS
    is_market = np.array([symbol == MARKET_FUND for symbol in symbols], dtype=np.bool_)
    found = Securities(excess, kinds, prior, enough, enough, ~enough, is_market)
    rows = {symbol: row for row, symbol in enumerate(symbols)}
    return Funds(rows, estimate(found, panel))


def securities_of(
    underlyings: Underlyings, market: Market, panel: FactorPanel, funds: Funds
) -> Securities:
    """Say what is to be estimated of underlyings, over the sessions of `market.prices`."""
    close = np.full(underlyings.returns.shape, np.nan)
    priced = underlyings.column != NO_COLUMN
    close[:, priced] = market.prices.close[:, underlyings.column[priced]]
    kinds = asset_classes(underlyings)
    at_market = np.array([one not in ("cash", "private") for one in kinds], dtype=np.bool_)
    over_factors = coverage(close, underlyings.returns, WINDOW)
    over_beta = coverage(close, underlyings.returns, BETA_WINDOW)
    known = at_market & bool(panel.available[MARKET])
    return Securities(
        excess=np.where(at_market, excess_returns(underlyings.returns, panel.risk_free), np.nan),
        classes=kinds,
        prior=_prior(underlyings, kinds, funds),
        regressed=over_factors.sufficient(MIN_OBSERVATIONS) & known,
        beta_regressed=over_beta.sufficient(LEAST_FOR_BETA) & known,
        # What never had a price is not late with it: it is believed, and not known.
        stale=over_beta.stale & (over_beta.age >= 0) & at_market,
        is_market=np.array(
            [key == (MARKET_FUND, None) for key in underlyings.keys], dtype=np.bool_
        ),
    )


def estimate(found: Securities, panel: FactorPanel) -> Estimates:
    """Estimate what can be regressed; for the rest, what is believed of such securities."""
    count = len(found.classes)
    least = _variances(LEAST_SPECIFIC_VOLATILITY, found.classes)
    loadings, errors = found.prior.copy(), np.tile(np.array(PRIOR_DEVIATIONS), (count, 1))
    errors[:, MARKET] = _belief_deviation(found)
    specific = _variances(USUAL_SPECIFIC_VOLATILITY, found.classes)
    r_squared = np.full(count, np.nan)
    observations = np.isfinite(found.excess[-WINDOW:]).sum(axis=0).astype(np.int64)
    use = panel.available
    for columns in blocks(np.flatnonzero(found.regressed)):
        believed = filled_rows(found.prior[np.ix_(columns, use)], 0.0)
        fit = estimate_loadings(
            panel.returns[:, use],
            filled(found.excess[:, columns]),
            Prior(believed, np.array(PRIOR_DEVIATIONS)[use]),
            filled_rows(least[columns], 1.0),
        )
        # Sessions in which all factors are known may be fewer than the security's own.
        done = np.flatnonzero(np.isfinite(fit.specific_variance))
        rows = columns[done]
        found.regressed[np.setdiff1d(columns, rows)] = False
        loadings[np.ix_(rows, use)] = fit.loadings[done]
        errors[np.ix_(rows, use)] = fit.errors[done]
        specific[rows], r_squared[rows] = fit.specific_variance[done], fit.r_squared[done]
        observations[columns] = fit.observations[: columns.size]
    loadings[:, ~use], errors[:, ~use] = np.nan, np.nan
    still = found.are("cash")
    loadings[still], errors[still] = 0.0, 0.0
    # The floor is there to divide by; of the factor itself nothing is left over.
    specific[found.is_market] = 0.0
    return Estimates(loadings, errors, specific, r_squared, observations, _betas(found, panel))


def with_proxies(estimates: Estimates, underlyings: Underlyings, funds: Funds) -> Estimates:
    """Put multiples of listed funds in the place of private assets.

    What has no fund to stand for it in the panel is not known.
    """
    betas, theirs = estimates.betas, funds.estimates
    for row, (key, kind) in enumerate(zip(underlyings.keys, underlyings.kinds, strict=True)):
        if kind != "private":
            continue
        proxy = proxy_of(key)
        estimates.specific_variance[row] = proxy.specific_volatility**2 / SESSIONS_PER_YEAR
        for table, source in (
            (estimates.loadings, theirs.loadings),
            (estimates.errors, theirs.errors),
            (betas.shrunk, theirs.betas.shrunk),
            (betas.error, theirs.betas.error),
        ):
            if proxy.fund is None:
                table[row] = 0.0
            elif proxy.fund in funds.rows:
                table[row] = proxy.multiple * source[funds.rows[proxy.fund]]
            else:
                table[row] = np.nan
        # The multiple is a belief, no better known than any other.
        betas.error[row] = np.hypot(betas.error[row], PRIOR_DEVIATION)
        betas.prior[row] = np.nan
    return estimates


def _prior(underlyings: Underlyings, kinds: tuple[AssetClass, ...], funds: Funds) -> FloatArray:
    prior = np.zeros((len(underlyings), len(FACTORS)))
    known, durations = classes(), fund_durations()
    for row, (key, kind, security) in enumerate(
        zip(underlyings.keys, kinds, underlyings.securities, strict=True)
    ):
        if kind == "bond":
            prior[row, RATES] = -durations[key.symbol].duration
        elif kind == "leveraged":
            prior[row, MARKET] = known.market_multiples[key.symbol]
        elif kind == "volatility":
            prior[row, MARKET] = known.volatility_betas[key.symbol]
        elif kind in ("fund", "stock"):
            sector = security.sector if security is not None and kind == "stock" else None
            fund = funds.rows.get(known.sector_funds.get(sector or "", ""))
            prior[row, MARKET] = 1.0 if fund is None else funds.estimates.betas.shrunk[fund]
    return prior


def _betas(found: Securities, panel: FactorPanel) -> Betas:
    raw, raw_error, r_squared = (np.full(len(found.classes), np.nan) for _ in range(3))
    recent = found.excess[-BETA_WINDOW:]
    observations = np.isfinite(recent).sum(axis=0).astype(np.int64)
    thin = found.beta_regressed & (np.nan_to_num(idle_share(recent)) > THIN)
    for lagged in (False, True):
        for columns in blocks(np.flatnonzero(found.beta_regressed & (thin == lagged))):
            fit = market_betas(
                filled(found.excess[:, columns]), panel.returns[:, MARKET], np.full(BLOCK, lagged)
            )
            count = columns.size
            raw[columns], raw_error[columns] = fit.beta[:count], fit.error[:count]
            r_squared[columns] = fit.r_squared[:count]
            observations[columns] = fit.observations[:count]
    prior = found.prior[:, MARKET].copy()
    shrunk, error = vasicek(raw, raw_error, prior, _belief_deviation(found))
    still = found.are("cash")
    shrunk[still], error[still] = 0.0, 0.0
    return Betas(raw, raw_error, shrunk, error, prior, r_squared, observations, thin)


def _belief_deviation(found: Securities) -> FloatArray:
    # A beta of -3 that rests on judgement is less certain than a share's of 1.
    times = np.where(found.are("volatility"), np.maximum(np.abs(found.prior[:, MARKET]), 1.0), 1.0)
    return np.asarray(PRIOR_DEVIATION * times)


def _variances(
    volatilities: Mapping[AssetClass, float], kinds: tuple[AssetClass, ...]
) -> FloatArray:
    yearly = np.array([volatilities[kind] for kind in kinds], dtype=np.float64)
    return np.asarray(yearly**2 / SESSIONS_PER_YEAR)

"""What the accounts of a chunk are exposed to, all at once; `engine.exposure` says it by book."""

from dataclasses import dataclass

import numpy as np

from risk_engine.engine.amounts import Amounts, amounts_of
from risk_engine.engine.classification import (
    BenchmarkWeights,
    Classification,
    benchmark_weights,
    classify,
    is_sector,
)
from risk_engine.engine.factor_model import FactorModel
from risk_engine.engine.frame import Frame
from risk_engine.engine.underlyings import NO_UNDERLYING
from risk_engine.quant.concentration import Concentration, concentration, gross_shares
from risk_engine.quant.diversification import UNKNOWN, Diversification, diversification
from risk_engine.quant.exposure import (
    LongShort,
    Pairs,
    beta_adjusted,
    known_sum,
    long_short,
    net_by_pair,
    notional,
    pair_up,
)
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray, sum_by
from risk_engine.quant.sectors import SectorExposures, active_weights, sector_exposures


@dataclass(frozen=True, eq=False)
class Netted:
    """Accounts and their underlyings, (pairs,), cash and its equivalents left aside.

    `dollar_delta`, `sensitivity`, `dollar_gamma` and `vega` are netted; `beta` is the underlying's
    to the market, `beta_known` where its own returns tell it and not belief alone, `proxied` marks
    one without a history of its own.
    """

    pairs: Pairs
    value: FloatArray
    dollar_delta: FloatArray
    sensitivity: FloatArray
    dollar_gamma: FloatArray
    vega: FloatArray
    beta: FloatArray
    beta_known: BoolArray
    share: FloatArray
    proxied: BoolArray


@dataclass(frozen=True, eq=False)
class Measures:
    """Exposures of all accounts; arrays and sums are (accounts,) but for `netted` and sectors.

    `observed` is without proxied assets. `weights` and `active` are (accounts, buckets),
    `positions` counts open positions by bucket.
    """

    netted: Netted
    delta: LongShort
    observed: LongShort
    gamma: LongShort
    vega: LongShort
    beta_adjusted: FloatArray
    beta_adjusted_observed: FloatArray
    notional: FloatArray
    cash_equivalents: FloatArray
    amounts: Amounts
    concentration: Concentration
    classification: Classification
    benchmark: BenchmarkWeights
    sectors: SectorExposures
    weights: FloatArray
    active: FloatArray
    positions: IntArray


def measure(frame: Frame) -> Measures:
    """Measure every account of a frame."""
    exposures, accounts = frame.exposures, len(frame.books)
    # Row -1 is of no underlying. An option on a bill fund is a bet, whatever that is worth.
    is_cash = np.append(frame.factor_model.is_cash, False)[exposures.underlying]
    is_cash &= ~exposures.is_option
    netted = _netted(frame, exposures.is_open & ~is_cash)
    pairs = netted.pairs
    observed = np.where(netted.proxied, 0.0, netted.dollar_delta)
    benchmark = benchmark_weights(frame.market.benchmark)
    made_of = classify(frame.underlyings, benchmark)
    sectors = sector_exposures(pairs, netted.dollar_delta, made_of.composition)
    weights, active = active_weights(
        sectors.net, is_sector(), benchmark.weights, frame.net_asset_value
    )
    beta = frame.factor_model.betas.shrunk
    return Measures(
        netted=netted,
        delta=long_short(pairs.account, netted.dollar_delta, accounts),
        observed=long_short(pairs.account, observed, accounts),
        gamma=long_short(pairs.account, netted.dollar_gamma, accounts),
        vega=long_short(pairs.account, netted.vega, accounts),
        beta_adjusted=beta_adjusted(pairs, netted.sensitivity, beta),
        beta_adjusted_observed=beta_adjusted(
            pairs,
            np.where(netted.proxied, 0.0, netted.sensitivity),
            np.where(frame.proxied, 0.0, beta),
        ),
        notional=_notional(frame, is_cash),
        cash_equivalents=sum_by(exposures.account[is_cash], exposures.value[is_cash], accounts),
        amounts=amounts_of(frame, frame.return_histories),
        concentration=concentration(pairs.account, netted.dollar_delta, accounts),
        classification=made_of,
        benchmark=benchmark,
        sectors=sectors,
        weights=weights,
        active=active,
        positions=_positions(frame, made_of),
    )


def diversification_of(frame: Frame, netted: Netted, some: slice) -> tuple[Diversification, float]:
    """Measure how one account is diversified, by the factor model, and on how much of it that is.

    `some` are the account's pairs; the share is of its gross exposure.
    """
    model = frame.factor_model
    rows, exposure = netted.pairs.underlying[some], netted.sensitivity[some]
    use = np.flatnonzero(model.available)
    factors = model.covariance[np.ix_(use, use)]
    loadings = model.loadings[np.ix_(rows, use)]
    known = (
        np.isfinite(exposure)
        & np.isfinite(loadings).all(axis=1)
        & np.isfinite(model.specific_variance[rows])
    )
    if not known.any() or not np.isfinite(factors).all():
        return UNKNOWN, 0.0
    loadings = loadings[known]
    covariance = loadings @ factors @ loadings.T
    covariance = (covariance + covariance.T) / 2
    covariance[np.diag_indices_from(covariance)] += model.specific_variance[rows[known]]
    share = float(np.nansum(netted.share[some][known]))
    return diversification(exposure[known], covariance), share


def _netted(frame: Frame, counted: BoolArray) -> Netted:
    exposures, model = frame.exposures, frame.factor_model
    held = np.flatnonzero(counted & (exposures.underlying != NO_UNDERLYING))
    pairs = pair_up(exposures.account[held], exposures.underlying[held], len(frame.books))
    delta = net_by_pair(pairs, exposures.dollar_delta[held])
    return Netted(
        pairs=pairs,
        value=net_by_pair(pairs, exposures.value[held]),
        dollar_delta=delta,
        sensitivity=net_by_pair(pairs, exposures.sensitivity[held]),
        dollar_gamma=net_by_pair(pairs, exposures.dollar_gamma[held]),
        vega=net_by_pair(pairs, exposures.vega[held]),
        beta=model.betas.shrunk[pairs.underlying],
        beta_known=_beta_known(model)[pairs.underlying],
        share=gross_shares(pairs.account, delta, len(frame.books)),
        proxied=frame.proxied[pairs.underlying],
    )


def _beta_known(model: FactorModel) -> BoolArray:
    # That cash does not move with the market is no belief.
    return np.isfinite(model.betas.shrunk) & (np.isfinite(model.betas.raw) | model.is_cash)


def _notional(frame: Frame, is_cash: BoolArray) -> FloatArray:
    exposures = frame.exposures
    spot = np.append(frame.contracts.terms.spot, np.nan)[exposures.contract]
    of_options = notional(exposures.quantity * exposures.multiplier, spot)
    amount = np.where(exposures.is_option, of_options, np.abs(exposures.value))
    counted = exposures.is_open & ~is_cash
    return known_sum(exposures.account[counted], amount[counted], len(frame.books))


def _positions(frame: Frame, made_of: Classification) -> IntArray:
    exposures = frame.exposures
    counted = exposures.is_open & (exposures.underlying != NO_UNDERLYING)
    buckets = made_of.composition.shape[1]
    place = exposures.account[counted] * buckets + made_of.bucket[exposures.underlying[counted]]
    counts = np.bincount(place, minlength=len(frame.books) * buckets)
    return counts.astype(np.int64).reshape(len(frame.books), buckets)

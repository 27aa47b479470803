"""What is estimated of the simulated market beside what is true of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from marketdata.clients.simulator import SimulatedMarket
from marketdata.domain import REFERENCE
from risk_engine.domain import Market as EngineMarket
from risk_engine.domain import Prices, Rates, Security, Snapshots
from risk_engine.engine.factor_model import FactorModel, factor_model
from risk_engine.engine.underlyings import Key, underlyings_of
from risk_engine.quant.factors import (
    FACTORS,
    FUNDS,
    PRIOR_DEVIATIONS,
    Loadings,
    estimate_loadings,
    factor_returns,
)
from risk_engine.quant.fixed_income import yield_changes
from risk_engine.quant.market_beta import MarketBetas, market_betas
from risk_engine.quant.returns import excess_returns, risk_free_returns, total_returns
from risk_engine.quant.shrinkage import Prior, cross_sectional_deviation, vasicek
from simulator.market import Market
from simulator.truth import Truth
from simulator.universe import load_universe
from tests.unit.risk_engine.books import book, position

START, END = date(2022, 11, 1), date(2025, 12, 31)
QUANTILE = 1.96
NAMES = ("market", "rates", "size", "value", "momentum", "quality", "low_volatility", "credit")
"""The simulator's names, in the order of FACTORS."""
DURATION_RATIO = 3.4 / 7.2
"""Of HYG and IEF, as they are in the simulated market."""
LEAST_VARIANCE = 0.05**2 / 252


@dataclass(frozen=True)
class Estimates:
    """Of one seed: (stocks,), (stocks, factors)."""

    betas: MarketBetas
    shrunk: np.ndarray
    shrunk_error: np.ndarray
    posterior: Loadings
    plain: Loadings
    """Without a prior."""
    beta: np.ndarray
    """What is true."""
    loadings: np.ndarray


def stocks(every: int) -> list[str]:
    """Return some stocks that are listed all the time."""
    return [
        symbol
        for symbol, known in load_universe().securities.items()
        if known.profile.kind == "stock" and known.listed_from == 0 and known.listed_through is None
    ][::every]


def panel_of(seed: int, symbols: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors and the stocks' excess returns of a seed, (sessions, ...)."""
    market = Market(seed)
    bars = market.bars([*FUNDS, *symbols], START, END)
    returns = total_returns(bars.close, bars.split_ratio, bars.dividend)
    scene = market.scene(END)
    at = [scene.place(session) + 1 for session in bars.sessions]
    bill, note = scene.yields(np.array([0.25, 10.0]))[at].T
    day = np.array([session.toordinal() for session in bars.sessions])
    risk_free = risk_free_returns(bill, day)
    factors = factor_returns(
        returns[:, : len(FUNDS)], risk_free, yield_changes(note), DURATION_RATIO
    )
    return factors, excess_returns(returns[:, len(FUNDS) :], risk_free)


def estimates(seed: int, symbols: list[str]) -> Estimates:
    """Estimate betas and loadings of a seed's stocks, as widely spread as these are."""
    factors, excess = panel_of(seed, symbols)
    count = len(symbols)
    believed = np.tile(np.r_[1.0, np.zeros(len(FACTORS) - 1)], (count, 1))
    least = np.full(count, LEAST_VARIANCE)
    betas = market_betas(excess, factors[:, 0], np.zeros(count, bool))
    spread = cross_sectional_deviation(betas.beta, betas.error, np.ones(count))
    shrunk, error = vasicek(betas.beta, betas.error, np.ones(count), np.full(count, spread))
    deviations = np.array((spread, *PRIOR_DEVIATIONS[1:]))
    beta, true = truth_of(seed, symbols)
    return Estimates(
        betas=betas,
        shrunk=shrunk,
        shrunk_error=error,
        posterior=estimate_loadings(factors, excess, Prior(believed, deviations), least),
        plain=estimate_loadings(factors, excess, Prior(believed, np.full(8, 1e6)), least),
        beta=beta,
        loadings=true,
    )


@dataclass(frozen=True)
class Found:
    """Of one seed, what the engine finds of shares beside what is true of them: (stocks, ...)."""

    model: FactorModel
    shrunk: np.ndarray
    shrunk_error: np.ndarray
    loadings: np.ndarray
    loading_errors: np.ndarray
    beta: np.ndarray
    true: np.ndarray
    """Loadings, (stocks, factors)."""


def engine_market(seed: int, symbols: Sequence[str]) -> EngineMarket:
    """Return what the engine is shown of a seed: marketdata's reference and cross-section beside
    some shares, all over as many sessions as a panel shows.
    """
    market = Market(seed)

    def prices(names: Sequence[str]) -> Prices:
        bars = market.bars(names, START, END)
        tables = (bars.close, bars.split_ratio, bars.dividend)
        return Prices(END, 1, tuple(bars.sessions), tuple(bars.symbols), *tables, "simulated")

    shown = prices(symbols)
    scene = market.scene(END)
    at = [scene.place(session) + 1 for session in shown.sessions]
    years = np.array([0.25, 2.0, 10.0])
    cross_section = sorted(SimulatedMarket(seed).cross_section)
    profiles = {one: market.profile(one) for one in {*symbols, *cross_section, *REFERENCE}}
    return EngineMarket(
        prices=shown,
        reference=prices(sorted(REFERENCE)),
        snapshots=Snapshots.silent(),
        securities={
            symbol: Security(one.name, one.kind, one.sector, one.industry)
            for symbol, one in profiles.items()
        },
        rates=Rates(shown.sessions, years, scene.yields(years)[at]),
        benchmark=None,
        cross_section=prices(cross_section),
    )


def found_by_engine(seed: int, symbols: Sequence[str]) -> Found:
    """Estimate a seed's shares as the engine does, with its own beliefs."""
    market = engine_market(seed, symbols)
    held = [position(number, symbol, "1", "1") for number, symbol in enumerate(symbols, 1)]
    underlyings = underlyings_of([book(held)], market)
    model = factor_model(underlyings, market)
    rows = [underlyings.rows[Key(symbol, None)] for symbol in symbols]
    beta, true = truth_of(seed, symbols)
    return Found(
        model=model,
        shrunk=model.betas.shrunk[rows],
        shrunk_error=model.betas.error[rows],
        loadings=model.loadings[rows],
        loading_errors=model.standard_errors[rows],
        beta=beta,
        true=true,
    )


def truth_of(seed: int, symbols: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return true market betas and loadings, (stocks,) and (stocks, factors)."""
    truth = Truth(Market(seed))
    true = truth.loadings(symbols)[:, [truth.factors.index(name) for name in NAMES]]
    true[:, 0] = truth.beta(symbols)
    true[:, 1] *= -1  # a bond's return in the simulator, a change of the yield here
    return truth.beta(symbols), true


def covered(estimate: np.ndarray, error: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Tell which intervals of a nominal 95 % hold the truth."""
    return np.asarray(np.abs(estimate - truth) < QUANTILE * error)


def slope(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Return by how much the truth differs where the estimate differs by one."""
    return float(np.polyfit(estimate, truth, 1)[0])

"""What is estimated of the simulated market beside what is true of it."""

from dataclasses import dataclass
from datetime import date

import numpy as np

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
    truth = Truth(Market(seed))
    true = truth.loadings(symbols)[:, [truth.factors.index(name) for name in NAMES]]
    true[:, 0] = truth.beta(symbols)
    true[:, 1] *= -1  # a bond's return in the simulator, a change of the yield here
    return Estimates(
        betas=betas,
        shrunk=shrunk,
        shrunk_error=error,
        posterior=estimate_loadings(factors, excess, Prior(believed, deviations), least),
        plain=estimate_loadings(factors, excess, Prior(believed, np.full(8, 1e6)), least),
        beta=truth.beta(symbols),
        loadings=true,
    )


def covered(estimate: np.ndarray, error: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Tell which intervals of a nominal 95 % hold the truth."""
    return np.asarray(np.abs(estimate - truth) < QUANTILE * error)


def slope(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Return by how much the truth differs where the estimate differs by one."""
    return float(np.polyfit(estimate, truth, 1)[0])

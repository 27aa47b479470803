"""What market risk costs, and whether its forecasts hold over the markets of many seeds."""

import time

import numpy as np
import pytest

from risk_engine.quant.backtest import Holdings, filtered_forecasts
from risk_engine.quant.filtered_simulation import filtered_returns, surprises
from risk_engine.quant.monte_carlo import FactorModel, draw, linear_pnl
from risk_engine.quant.value_at_risk import historical_risk
from risk_engine.quant.volatility import ewma_volatility
from tests.benchmarks.figures import SEED, Figures, size
from tests.support.forecasting import Exceedances, pooled_exceedances

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

SEEDS = size("MARKETS", 200)
DAYS = 250
BOOKS, NAMES, SYMBOLS, SESSIONS = 200, 60, 5_000, 780


def percent(found: Exceedances) -> str:
    """Return the shares of days beyond 95, 97.5 and 99 %."""
    return ", ".join(f"{100 * share:.2f} %" for share in found.share)


def test_value_at_risk_holds_over_independent_markets(figures: Figures):
    found = pooled_exceedances(range(SEED, SEED + SEEDS), DAYS)
    figures.add(
        f"market risk: days worse than the filtered 95, 97.5 and 99 % VaR, {SEEDS} simulated "
        f"markets of {DAYS} days",
        percent(found),
        "4.5-5.5 % and 0.8-1.25 % (95 and 99 %)",
    )
    assert 0.045 <= found.share[0] <= 0.055
    assert 0.008 <= found.share[2] <= 0.0125


def test_a_value_at_risk_a_fifth_too_small_is_found_out(figures: Figures):
    found = pooled_exceedances(range(SEED, SEED + SEEDS), DAYS, scale=0.8)
    figures.add("the same, of 0.8 times the VaR", percent(found), "outside both")
    assert not 0.045 <= found.share[0] <= 0.055
    assert not 0.008 <= found.share[2] <= 0.0125


def test_speed(figures: Figures):
    chance = np.random.default_rng(SEED)
    returns = 0.02 * chance.standard_t(5, (SESSIONS, SYMBOLS))
    held = [np.sort(chance.choice(SYMBOLS, NAMES, replace=False)) for _ in range(BOOKS)]
    exposure = chance.normal(0, 1e5, (BOOKS, NAMES))

    def timed(what: str, calculate) -> None:
        began = time.perf_counter()
        calculate()
        figures.add(f"market risk: {what}", f"{time.perf_counter() - began:.2f} s")

    def filtered() -> None:
        scenarios = filtered_returns(returns)
        pnl = [scenarios[:, names] @ sizes for names, sizes in zip(held, exposure, strict=True)]
        historical_risk(np.array(pnl))

    def backtested() -> None:
        volatility = ewma_volatility(returns)
        surprise = surprises(returns, volatility)
        for names, sizes in zip(held, exposure, strict=True):
            filtered_forecasts(
                Holdings(0.0, sizes, np.zeros(NAMES)),
                surprise[:, names],
                volatility[:, names],
                returns[:, names],
            )

    def simulated() -> None:
        root = chance.normal(0, 0.003, (8, 8))
        draws = draw(root @ root.T + 1e-7 * np.eye(8))
        model = FactorModel(
            chance.normal(0, 1, (SYMBOLS, 8)),
            np.full(SYMBOLS, 0.02),
            chance.integers(0, 2**63, SYMBOLS, dtype=np.uint64),
        )
        pnl = [
            linear_pnl(draws, model.part(names), sizes)
            for names, sizes in zip(held, exposure, strict=True)
        ]
        historical_risk(np.array(pnl))

    timed(f"filtered simulation of {BOOKS} books of {NAMES} names of {SYMBOLS:,}", filtered)
    timed("their backtest over 250 days", backtested)
    timed("their Monte Carlo of 20,000 draws", simulated)

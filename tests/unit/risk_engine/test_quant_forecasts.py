"""Whether value at risk is exceeded as often as it says, in simulated markets and in a real one."""

from datetime import date

import numpy as np
import pytest

from risk_engine.quant.backtest import coverage, shortfall_statistic
from risk_engine.quant.filtered_simulation import WINDOW
from risk_engine.quant.value_at_risk import historical_risk
from tests.support.forecasting import forecasts, joined, pooled_exceedances
from tests.support.real_prices import real_closes

SEEDS, DAYS = range(1, 41), 250
EXPECTED = np.array([0.05, 0.025, 0.01])


def standard_errors(found):
    """Return how far the shares are from what they should be, in binomial standard errors."""
    error = np.sqrt(EXPECTED * (1 - EXPECTED) / found.days)
    return (found.share - EXPECTED) / error


def test_simulated_markets_exceed_the_forecast_as_often_as_it_says():
    assert np.abs(standard_errors(pooled_exceedances(SEEDS, DAYS))).max() < 3


def test_the_same_markets_reject_a_forecast_that_is_a_fifth_too_small():
    assert standard_errors(pooled_exceedances(SEEDS, DAYS, scale=0.8)).min() > 5


@pytest.fixture(scope="module")
def twenty_shares():
    """Returns of twenty shares since 1990, and how many of the days are of 2000 to 2022."""
    days, closes = real_closes("sp500_dataset")
    tested = sum(date(2000, 1, 1) <= day < date(2023, 1, 1) for day in days)
    return closes[1:] / closes[:-1] - 1, tested


def test_twenty_real_shares_exceed_the_filtered_forecast_as_often_as_it_says(twenty_shares):
    """C9: 54 days of 5,785 beyond the 99 %, and conditional coverage of 0.24."""
    returns, days = twenty_shares
    found = joined(forecasts(returns, np.full(20, 1 / 20), days))
    tests = coverage(found.pnl, found.value_at_risk)
    assert found.pnl.shape == (1, 5_785)
    assert tests.exceedances[0, 2] == 54
    assert tests.unconditional_p[0, 2] == pytest.approx(0.61, abs=0.005)
    assert tests.conditional_p[0, 2] == pytest.approx(0.24, abs=0.005)
    statistic = shortfall_statistic(found.pnl, found.value_at_risk, found.expected_shortfall)
    assert np.abs(statistic).max() < 0.15


def test_twenty_real_shares_reject_plain_history(twenty_shares):
    """C9: 86 days, and chances of 5e-4 and 5e-7."""
    returns, days = twenty_shares
    book = returns.mean(axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(book, WINDOW)[-days - 1 : -1]
    forecast = historical_risk(windows, (0.99,)).value_at_risk
    tests = coverage(book[None, -days:], forecast.T[None], (0.99,))
    assert tests.exceedances[0, 0] == 86
    assert tests.unconditional_p[0, 0] == pytest.approx(5e-4, rel=0.1)
    assert tests.conditional_p[0, 0] == pytest.approx(5e-7, rel=0.1)

"""Past surprises in tomorrow's volatility, and histories completed from factors."""

import numpy as np
import pytest
from scipy import stats

from risk_engine.quant.filtered_simulation import (
    MAX_SURPRISE,
    drawn_residuals,
    fill_from_factors,
    filtered_returns,
    surprises,
)
from risk_engine.quant.value_at_risk import historical_risk
from risk_engine.quant.volatility import ewma_volatility

DAYS = np.arange(738_000, 738_780)


def clustered(sessions=780, symbols=3, seed=1):
    """Return returns whose volatility doubles on the way."""
    chance = np.random.default_rng(seed)
    size = np.geomspace(0.01, 0.02, sessions)[:, None]
    return size * chance.standard_t(6, (sessions, symbols)) * np.sqrt(4 / 6)


def keys(symbols):
    """Return as many keys."""
    return np.arange(1, symbols + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def test_a_return_is_repeated_in_tomorrow_s_volatility():
    """By a plain recursion: the squared volatility is 6 % of the last square, 94 % of the rest."""
    returns = clustered()
    variance, weight, before = np.zeros(3), 0.0, []
    for one in returns:
        before.append(variance / weight if weight else variance * np.nan)
        variance, weight = 0.94 * variance + 0.06 * one**2, 0.94 * weight + 0.06
    tomorrow = variance / weight
    expected = returns * np.sqrt(tomorrow / np.array(before))
    assert filtered_returns(returns) == pytest.approx(expected[-504:], rel=1e-9)


@pytest.mark.parametrize("now", [0.01, 0.03])
def test_scenarios_have_tomorrow_s_volatility_whatever_the_past_had(now):
    """But for what an estimate adds by its error, and by its age of sixteen sessions."""
    error, age = np.sqrt(1 + 2 * 0.06 / 1.94), (now / 0.02) ** (16 / 780)
    size = np.geomspace(0.02, now, 780)[:, None]
    returns = size * np.random.default_rng(1).standard_normal((780, 500))
    forecast = ewma_volatility(returns)[-1]
    assert np.sqrt((forecast**2).mean()) == pytest.approx(now, rel=0.02)
    ratio = filtered_returns(returns).std(axis=0) / forecast
    assert ratio.mean() == pytest.approx(error * age, abs=0.005)


def test_scaling_returns_scales_scenarios():
    returns = clustered() / 10
    assert filtered_returns(3 * returns) == pytest.approx(3 * filtered_returns(returns), rel=1e-12)


def test_the_past_does_not_change_with_the_future():
    returns = clustered()
    volatility = ewma_volatility(returns)
    shorter = surprises(returns[:700], ewma_volatility(returns[:700]))
    assert np.array_equal(shorter, surprises(returns, volatility)[:700], equal_nan=True)


def test_a_jump_out_of_calm_is_bounded():
    returns = np.full((780, 1), 1e-4)
    returns[::2] *= -1
    returns[750] = 0.2
    scenarios = filtered_returns(returns)
    assert scenarios.max() == pytest.approx(MAX_SURPRISE * ewma_volatility(returns)[-1, 0])


def test_nobody_loses_more_than_the_share():
    returns = clustered() * 30
    assert filtered_returns(returns).min() == -1.0


def test_cash_that_never_moves_stays_so_and_what_is_not_known_is_not_known():
    returns = clustered(symbols=4)
    returns[:, 1] = 0.0
    returns[:400, 2] = np.nan
    returns[770, 3] = np.nan
    scenarios = filtered_returns(returns)
    assert (scenarios[:, 1] == 0).all()
    unknown = np.isnan(scenarios)
    # Twenty returns before the first volatility.
    assert np.flatnonzero(~unknown[:, 2])[0] == 400 + 20 - (780 - 504)
    assert np.flatnonzero(unknown[:, 3]).tolist() == [770 - (780 - 504)]
    assert not unknown[:, 0].any()


def test_a_company_s_symbols_do_not_change_a_symbol_s_scenarios():
    returns = clustered(symbols=5)
    together = filtered_returns(returns)
    for symbol in range(5):
        assert np.array_equal(filtered_returns(returns[:, [symbol]])[:, 0], together[:, symbol])


def test_gaps_are_filled_from_the_model_and_nothing_else_is_touched():
    returns = clustered(symbols=3)
    returns[:300, 1] = np.nan
    factors, betas = clustered(symbols=2, seed=2), np.array([[1, 0], [0.5, -2], [np.nan, np.nan]])
    residuals = drawn_residuals(keys(3), DAYS, np.array([0.01, 0.02, 0.01]))
    filled = fill_from_factors(returns, factors, betas, residuals)
    assert filled[:300, 1] == pytest.approx(
        0.5 * factors[:300, 0] - 2 * factors[:300, 1] + residuals[:300, 1]
    )
    untouched = np.isfinite(returns)
    assert np.array_equal(filled[untouched], returns[untouched])
    returns[5, 2] = np.nan
    assert np.isnan(fill_from_factors(returns, factors, betas, residuals)[5, 2])


def test_residuals_are_student_t_of_the_volatility_asked_for():
    drawn = drawn_residuals(keys(100), DAYS, np.full(100, 0.02)) / 0.02 / np.sqrt(3 / 5)
    assert stats.kstest(drawn.ravel(), stats.t(5).cdf).pvalue > 0.001
    correlation = np.corrcoef(drawn.T)[np.triu_indices(100, 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(len(DAYS))


def test_a_residual_belongs_to_its_symbol_and_day_alone():
    volatility = np.array([0.01, 0.02, 0.03])
    everything = drawn_residuals(keys(3), DAYS, volatility)
    some = drawn_residuals(keys(3)[[2, 0]], DAYS[100:200], volatility[[2, 0]])
    assert np.array_equal(some, everything[100:200][:, [2, 0]])
    weekdays = DAYS[::7]
    assert np.array_equal(drawn_residuals(keys(3), weekdays, volatility), everything[::7])


def test_filtering_finds_the_tail_of_a_market_that_became_wilder():
    """Of days that follow, one in twenty is to lose more: filtered it is, in plain history two.

    A forecast from some thirty effective days misses its own volatility now and then, and is the
    larger for it: what it must get right is how often it is exceeded.
    """
    chance = np.random.default_rng(3)
    size = np.geomspace(0.01, 0.03, 780)[:, None]
    returns = size * chance.standard_normal((780, 2_000))
    filtered = historical_risk(filtered_returns(returns).T, (0.95,)).value_at_risk
    plain = historical_risk(returns[-504:].T, (0.95,)).value_at_risk
    assert stats.norm.sf(filtered / 0.03).mean() == pytest.approx(0.05, abs=0.002)
    assert stats.norm.sf(plain / 0.03).mean() > 0.09

"""Drawn factors and residuals against closed forms, and that nobody's draws depend on others."""

import numpy as np
import pytest
from scipy import stats

from risk_engine.quant.monte_carlo import (
    DRAWS,
    FactorModel,
    draw,
    linear_pnl,
    simulated_returns,
)
from risk_engine.quant.parametric import student_t_risk
from risk_engine.quant.value_at_risk import historical_risk

COVARIANCE = np.array([[1e-4, 2e-5, 0], [2e-5, 4e-5, -1e-5], [0, -1e-5, 3e-7 * 100]])


@pytest.fixture(scope="module")
def draws():
    """The draws of three factors."""
    return draw(COVARIANCE)


def model(symbols, *, betas=0.0, specific=0.0, seed=1):
    """Return symbols of given or drawn loadings."""
    chance = np.random.default_rng(seed)
    return FactorModel(
        betas=np.full((symbols, 3), betas) if np.isscalar(betas) else betas,
        specific_volatility=np.full(symbols, specific),
        key=chance.integers(0, 2**63, symbols, dtype=np.uint64),
    )


def tail(pnl):
    """Return VaR and ES of one portfolio's draws."""
    risk = historical_risk(pnl[None])
    return risk.value_at_risk[0], risk.expected_shortfall[0]


def test_factors_have_the_covariance_and_the_tails_of_the_joint_student_t(draws):
    both = np.concatenate((draws.factors, -draws.factors))
    assert len(both) == DRAWS
    assert both.T @ both / DRAWS == pytest.approx(COVARIANCE, rel=0.05, abs=1e-6)
    for direction in ([1, 0, 0], [0, 1, 0], [1, -2, 0.5]):
        volatility = np.sqrt(np.array([direction @ COVARIANCE @ direction]))
        exact = student_t_risk(volatility)
        value_at_risk, shortfall = tail(both @ np.array(direction))
        assert value_at_risk == pytest.approx(exact.value_at_risk[0], rel=0.03)
        assert shortfall == pytest.approx(exact.expected_shortfall[0], rel=0.03)


def test_what_is_a_symbol_s_own_is_student_t_too(draws):
    exact = student_t_risk(np.array([1e5 * 0.02]))
    for seed in range(5):
        pnl = linear_pnl(draws, model(1, specific=0.02, seed=seed), np.array([1e5]))
        value_at_risk, shortfall = tail(pnl)
        # A loss of 20,000 stands for 0.005 % of chance: 0.15 % of the loss at 99 %.
        assert value_at_risk == pytest.approx(exact.value_at_risk[0], rel=2e-3)
        assert shortfall == pytest.approx(exact.expected_shortfall[0], rel=5e-3)


def test_residuals_of_different_symbols_are_independent(draws):
    """Of 300 equal residuals the sum is as large as the root of 300, and all but normal."""
    pnl = linear_pnl(draws, model(300, specific=0.02), np.full(300, 1e3))
    assert pnl.std() == pytest.approx(1e3 * 0.02 * np.sqrt(300), rel=0.04)
    assert stats.kurtosis(pnl) == pytest.approx(6 / 300, abs=0.15)
    own = simulated_returns(draws, model(300, specific=0.02))[: DRAWS // 2]
    correlation = np.atleast_2d(np.corrcoef(own.T))[np.triu_indices(300, 1)]
    assert np.abs(correlation).max() < 6 / np.sqrt(DRAWS // 2)
    assert correlation.std() == pytest.approx(1 / np.sqrt(DRAWS // 2), rel=0.1)


def test_a_book_of_factors_and_residuals_has_its_covariance(draws):
    chance = np.random.default_rng(2)
    one = model(40, betas=chance.normal(1, 0.5, (40, 3)), specific=0.015)
    exposure = chance.normal(0, 1e4, 40)
    pnl = linear_pnl(draws, one, exposure)
    x = exposure @ one.betas
    variance = x @ COVARIANCE @ x + (exposure**2).sum() * 0.015**2
    assert pnl.std() == pytest.approx(np.sqrt(variance), rel=0.03)


def test_linear_gains_are_exposures_times_simulated_returns(draws):
    chance = np.random.default_rng(3)
    one = model(7, betas=chance.normal(1, 0.5, (7, 3)), specific=0.01)
    exposure = chance.normal(0, 1e4, 7)
    returns = simulated_returns(draws, one)
    assert returns.shape == (DRAWS, 7)
    assert linear_pnl(draws, one, exposure) == pytest.approx(returns @ exposure, abs=1e-6)


def test_draws_mirror_each_other_and_no_share_loses_more_than_itself(draws):
    pnl = linear_pnl(draws, model(3, betas=1.0, specific=0.01), np.array([1e4, -2e4, 5e3]))
    assert np.array_equal(pnl[: DRAWS // 2], -pnl[DRAWS // 2 :])
    wild = simulated_returns(draws, model(1, specific=0.5))
    assert wild.min() == -1.0


def test_a_symbol_s_draws_are_its_own_in_any_company_and_order(draws):
    chance = np.random.default_rng(4)
    one = model(12, betas=chance.normal(1, 0.5, (12, 3)), specific=0.01)
    order = chance.permutation(12)[:5]
    some = simulated_returns(draws, one.part(order))
    assert some == pytest.approx(simulated_returns(draws, one)[:, order], abs=1e-15)


def test_drawing_again_draws_the_same(draws):
    again = draw(COVARIANCE)
    assert np.array_equal(again.factors, draws.factors)
    assert np.array_equal(again.residuals, draws.residuals)


def test_without_factors_there_are_still_residuals():
    nothing = draw(np.zeros((0, 0)), 2_000)
    one = FactorModel(np.zeros((1, 0)), np.array([0.01]), np.array([7], np.uint64))
    assert linear_pnl(nothing, one, np.array([1.0])).std() == pytest.approx(0.01, rel=0.02)


def test_an_odd_number_of_draws_has_no_mirror():
    with pytest.raises(ValueError, match="odd"):
        draw(COVARIANCE, 2_001)

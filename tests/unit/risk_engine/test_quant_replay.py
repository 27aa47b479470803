"""Historical windows: what was gained by holding through them."""

import numpy as np
import pytest

from risk_engine.quant.replay import window_moves, window_returns
from risk_engine.quant.stress import Underlyings, underlying_moves
from tests.unit.risk_engine.stressed import AXIS, FACTORS


def days(seed=1, sessions=40):
    """Return the factors' daily moves."""
    moves = np.random.default_rng(seed).normal(0, 0.012, (sessions, FACTORS))
    moves[:, AXIS.rates] /= 20
    return moves


def test_returns_are_those_of_holding_through_the_window():
    returns = days()
    prices = 100 * np.cumprod(1 + returns, axis=0)
    np.testing.assert_allclose(window_returns(returns), prices[-1] / 100 - 1, rtol=1e-12)


def test_factor_moves_give_a_position_what_its_days_gave_it():
    """Day after day by its loadings, or all at once by the moves of the window."""
    moves = days()
    nothing = np.full(3, np.nan)
    betas = np.random.default_rng(2).normal(0, 1, (3, FACTORS))
    held = Underlyings(betas, nothing, nothing, nothing, np.ones(len(betas)))
    no_volatility = np.zeros(len(moves))
    daily = underlying_moves(held, moves, no_volatility, AXIS).returns
    at_once = underlying_moves(held, window_moves(moves, AXIS)[None], np.zeros(1), AXIS).returns
    np.testing.assert_allclose(at_once[:, 0], np.prod(1 + daily, axis=1) - 1, rtol=1e-12)


def test_the_market_is_compounded_and_spreads_add_up():
    moves = window_moves(np.array([[0.1, 0.001, 0.1, 0.0], [-0.1, 0.002, 0.1, 0.0]]), AXIS)
    np.testing.assert_allclose(moves, [-0.01, 0.003, 0.2, 0.0], atol=1e-15)


def test_what_is_not_known_on_a_session_is_not_known_of_the_window():
    moves = days()
    moves[3, 0] = moves[5, 2] = np.nan
    assert np.isnan(window_moves(moves, AXIS)).tolist() == [True, False, True, False]
    assert np.isnan(window_returns(moves)).tolist() == [True, False, True, False]


@pytest.mark.parametrize("of", [window_returns, lambda r: window_moves(r, AXIS)])
def test_a_window_without_sessions_says_nothing(of):
    assert np.isnan(of(days(sessions=40)[:0])).all()

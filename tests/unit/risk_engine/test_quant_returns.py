"""Returns are what a holder got between two closes, and nothing where a close is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from risk_engine.quant.returns import (
    coverage,
    excess_returns,
    idle_share,
    log_returns,
    risk_free_returns,
    total_returns,
)

NAN = np.nan


def column(*numbers):
    return np.array(numbers, float)[:, None]


def no_actions(close):
    return np.ones_like(close), np.zeros_like(close)


def drawn(sessions=300, symbols=20, seed=1):
    """Return closes with gaps, splits and dividends, and the total returns they were made of."""
    chance = np.random.default_rng(seed)
    returns = chance.normal(0, 0.02, (sessions, symbols))
    ratio = np.where(chance.random(returns.shape) < 0.01, chance.choice([2, 3, 0.1]), 1.0)
    dividend = np.where(chance.random(returns.shape) < 0.02, chance.uniform(0.01, 1), 0.0)
    close = np.empty_like(returns)
    close[0] = chance.uniform(50, 200, symbols)
    for row in range(1, sessions):
        close[row] = (close[row - 1] * (1 + returns[row]) - dividend[row]) / ratio[row]
    return close, ratio, dividend, returns


def test_a_holder_gets_the_price_the_split_and_the_dividend():
    # 1 share at 100 becomes 2 at 51 and is paid 3 on the way: 105.
    returns = total_returns(column(100, 51), column(1, 2), column(0, 3))
    assert returns[1] == pytest.approx([0.05])
    assert np.isnan(returns[0]).all()


def test_returns_are_those_the_prices_were_made_of():
    close, ratio, dividend, truth = drawn()
    np.testing.assert_allclose(total_returns(close, ratio, dividend)[1:], truth[1:], atol=1e-12)
    logs = log_returns(total_returns(close, ratio, dividend))
    np.testing.assert_allclose(np.expm1(logs[1:]), truth[1:], atol=1e-12)


@given(st.integers(1, 298))
def test_a_two_for_one_split_changes_nothing(when):
    """Neither later prices nor earlier ones: only what a share is."""
    close, ratio, dividend, _ = drawn()
    halved, split, paid = close.copy(), ratio.copy(), dividend.copy()
    halved[when:] /= 2
    split[when] *= 2
    paid[when + 1 :] /= 2
    np.testing.assert_allclose(
        total_returns(halved, split, paid), total_returns(close, ratio, dividend), atol=1e-12
    )


def test_a_gap_is_no_return():
    close = column(100, 101, NAN, 110, 111)
    returns = total_returns(close, *no_actions(close))[:, 0]
    assert np.isnan(returns).tolist() == [True, False, True, True, False]
    assert returns[[1, 4]] == pytest.approx([0.01, 1 / 110])


@pytest.mark.parametrize("price", [0.0, -1.0, NAN, np.inf, 2e9])
def test_what_is_no_price_makes_no_return(price):
    close = column(100, price, 100)
    assert np.isnan(total_returns(close, *no_actions(close))).all()


@pytest.mark.parametrize("sessions", [0, 1])
def test_less_than_two_sessions_make_no_return(sessions):
    close = np.full((sessions, 3), 10.0)
    returns = total_returns(close, *no_actions(close))
    assert returns.shape == (sessions, 3)
    assert np.isnan(returns).all()
    assert np.isnan(coverage(close, returns, 252).share).all()


@given(arrays(float, (6, 4), elements=st.floats(0.01, 1e6)), st.permutations(range(4)))
def test_no_symbol_depends_on_its_company(close, order):
    whole = total_returns(close, *no_actions(close))
    mixed = total_returns(close[:, order], *no_actions(close))
    np.testing.assert_array_equal(whole[:, order], mixed)


def test_cash_earns_the_rate_of_the_evening_before_over_the_days_since():
    # Thursday, Friday, Monday, Tuesday: over the weekend three days.
    earned = risk_free_returns(np.array([0.05, 0.04, NAN, 0.03]), np.array([4, 5, 8, 9]))
    expected = np.expm1([0.05 / 365, 0.04 * 3 / 365, 0.04 / 365])
    assert np.isnan(earned[0])
    np.testing.assert_allclose(earned[1:], expected, rtol=1e-13)


def test_before_the_first_rate_nothing_is_known():
    earned = risk_free_returns(np.array([NAN, 0.04, 0.04]), np.array([1, 2, 3]))
    assert np.isnan(earned).tolist() == [True, True, False]
    assert np.isnan(excess_returns(np.zeros((3, 2)), earned)[:2]).all()


def test_coverage_counts_from_the_first_listing():
    close = np.full((253, 5), 10.0)
    close[:200, 1] = NAN  # listed 53 sessions ago
    close[100:160, 2] = NAN  # 61 returns are lost
    close[-4:, 3] = NAN  # no close for four sessions
    close[:, 4] = NAN
    found = coverage(close, total_returns(close, *no_actions(close)), 252)
    assert found.observations.tolist() == [252, 52, 191, 248, 0]
    assert found.share[:4] == pytest.approx([1, 1, 191 / 252, 248 / 252])
    assert np.isnan(found.share[4])
    assert found.age.tolist() == [0, 0, 0, 4, -1]
    assert found.stale.tolist() == [False, False, False, True, True]
    assert found.sufficient(60).tolist() == [True, False, False, False, False]
    assert found.sufficient(52).tolist() == [True, True, False, False, False]


def test_a_close_three_sessions_old_is_not_stale():
    close = np.full((100, 1), 10.0)
    close[-3:] = NAN
    assert coverage(close, total_returns(close, *no_actions(close)), 99).sufficient(60).all()


def test_the_share_of_idle_days_is_of_the_known_ones():
    returns = np.column_stack(([NAN, 0, 0.1, 0, 0.2], [NAN] * 5))
    assert idle_share(returns)[0] == 0.5
    assert np.isnan(idle_share(returns)[1])

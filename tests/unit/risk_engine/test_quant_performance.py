"""Return, risk and drawdown: empyrical, scipy, and falls followed by hand."""

import empyrical
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from risk_engine.quant.performance import (
    NO_RECOVERY,
    drawdown,
    index,
    performance,
    relative_performance,
)

NAN = float("nan")


def assert_equal(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


def drawn(sessions=300, accounts=40, seed=1):
    """Return fat-tailed returns of some accounts, a rate and a benchmark."""
    chance = np.random.default_rng(seed)
    returns = chance.standard_t(5, (sessions, accounts)) * chance.uniform(0.001, 0.02, accounts)
    rate = 0.04 / 252 + chance.normal(0, 1e-5, sessions)
    return returns + 3e-4, rate, returns[:, 0] * 0.7 + chance.normal(0, 0.004, sessions)


def by_account(returns, measure, *more):
    return [measure(pd.Series(column), *more) for column in returns.T]


def test_metrics_are_empyricals():
    returns, rate, _ = drawn()
    found = performance(returns, rate)
    series = pd.Series(rate)
    expected = {
        "annual_return": by_account(returns, empyrical.annual_return),
        "annual_volatility": by_account(returns, empyrical.annual_volatility),
        "downside_deviation": by_account(returns, empyrical.downside_risk, series),
        "sharpe_ratio": by_account(returns, empyrical.sharpe_ratio, series),
        "sortino_ratio": by_account(returns, empyrical.sortino_ratio, series),
        "calmar_ratio": by_account(returns, empyrical.calmar_ratio),
        "skewness": stats.skew(returns, bias=False),
        "excess_kurtosis": stats.kurtosis(returns, bias=False),
    }
    for name, values in expected.items():
        assert_equal(getattr(found, name), values)
    deepest = by_account(returns, empyrical.max_drawdown)
    assert_equal(drawdown(returns).max_drawdown, deepest)


def test_metrics_against_a_benchmark_are_empyricals():
    returns, _, benchmark = drawn(seed=2)
    found = relative_performance(returns, benchmark)
    factor = pd.Series(benchmark)
    active = returns - benchmark[:, None]
    expected = {
        "tracking_error": by_account(active, empyrical.annual_volatility),
        "information_ratio": np.sqrt(252)
        * np.array(by_account(returns, empyrical.excess_sharpe, factor)),
        "up_capture": by_account(returns, empyrical.up_capture, factor),
        "down_capture": by_account(returns, empyrical.down_capture, factor),
    }
    for name, values in expected.items():
        assert_equal(getattr(found, name), values)


def test_the_error_of_a_sharpe_ratio_is_what_independent_accounts_scatter_by():
    # 4,000 accounts of the same distribution: the scatter of their ratios is known to about 1 %.
    chance = np.random.default_rng(3)
    returns = chance.normal(0.001, 0.01, (250, 4_000))
    found = performance(returns, np.zeros(250))
    assert found.sharpe_ratio.std() == pytest.approx(found.sharpe_ratio_error.mean(), rel=0.03)
    # Lo (2002): with S = 0.1 a session and 250 of them, sqrt((1 + 0.005) / 250) * sqrt(252).
    assert np.median(found.sharpe_ratio_error) == pytest.approx(1.0065, abs=0.002)


def test_sixty_sessions_are_enough_and_fifty_nine_are_not():
    returns, rate, benchmark = drawn(60)
    returns[0, 1] = NAN
    own, other = performance(returns, rate), relative_performance(returns, benchmark)
    assert (own.sessions[0], own.sessions[1], other.sessions[1]) == (60, 59, 59)
    for found in (own, other):
        for name, values in vars(found).items():
            if name != "sessions":
                assert np.isfinite(values[0]), name
                assert np.isnan(values[1]), name


def test_unknown_sessions_are_left_out():
    returns, rate, benchmark = drawn(200, 5)
    gap = returns.copy()
    gap[50:100] = NAN
    kept = np.r_[0:50, 100:200]
    for there, here in (
        (performance(gap, rate), performance(returns[kept], rate[kept])),
        (
            relative_performance(gap, benchmark),
            relative_performance(returns[kept], benchmark[kept]),
        ),
    ):
        for name in vars(here):
            assert_equal(getattr(there, name), getattr(here, name))


def test_an_account_that_does_not_move_has_no_ratio():
    flat = np.full((100, 1), 0.001)
    found = performance(flat, np.full(100, 0.001))
    assert found.annual_volatility == pytest.approx(0, abs=1e-12)
    assert np.isnan([found.sharpe_ratio, found.sortino_ratio, found.calmar_ratio]).all()


def test_accounts_do_not_mix():
    returns, rate, _ = drawn(100, 6)
    together = performance(returns, rate)
    for column in range(6):
        alone = performance(returns[:, [column]], rate)
        for name in vars(alone):
            assert getattr(alone, name)[0] == getattr(together, name)[column], name


def fall(*levels):
    """Return the drawdown of an account whose index goes from 100 through these levels."""
    path = np.array([100.0, *levels])
    return drawdown((path[1:] / path[:-1] - 1)[:, None])


@pytest.mark.parametrize(
    ("levels", "depth", "peak", "trough", "recovery", "duration", "longest", "current"),
    [
        # 110 on session 0, down to 88 on 2, back at 110 on 4.
        ((110, 99, 88, 100, 110, 120), -0.2, 0, 2, 4, 4, 3, 0.0),
        # Falls from the start, which is no session: row -1.
        ((90, 80, 95), -0.2, -1, 1, NO_RECOVERY, 3, 3, -0.05),
        # The deepest fall is not the longest.
        ((100, 95, 96, 97, 98, 100, 120, 60, 120), -0.5, 6, 7, 8, 2, 4, 0.0),
        ((101, 102, 103), 0.0, 0, 0, 0, 0, 0, 0.0),
    ],
)
def test_a_fall_is_followed_from_its_peak(
    levels, depth, peak, trough, recovery, duration, longest, current
):
    found = fall(*levels)
    assert found.max_drawdown[0] == pytest.approx(depth)
    assert found.current[0] == pytest.approx(current)
    rows = (found.peak, found.trough, found.recovery, found.duration, found.longest)
    assert [row[0] for row in rows] == [peak, trough, recovery, duration, longest]


def test_the_index_stays_where_it_was_when_a_session_is_not_known():
    returns = np.array([[0.10, NAN], [NAN, NAN], [0.10, NAN]])
    assert_equal(index(returns), [[1.1, 1], [1.1, 1], [1.21, 1]])
    assert np.isnan(drawdown(returns).max_drawdown).tolist() == [False, True]


def test_nothing_is_grown_from_less_than_nothing():
    # Of the first account more than all is lost, of the second exactly all, of the third little.
    returns = np.full((100, 3), 0.001)
    returns[50] = (-1.5, -1.0, -0.1)
    returns[51:60, :2] = NAN
    levels = index(returns)
    assert_equal(levels[:50, 0], 1.001 ** np.arange(1, 51))
    assert np.isnan(levels[50:, 0]).all()
    assert (levels[50:, 1] == 0).all()
    falls, found = drawdown(returns), performance(returns, np.zeros(100))
    for values in (falls.max_drawdown, falls.current, found.annual_return, found.calmar_ratio):
        assert np.isnan(values).tolist() == [True, False, False]
    assert (falls.max_drawdown[1], found.annual_return[1]) == (-1.0, -1.0)
    assert falls.max_drawdown[2] == pytest.approx(-0.1)
    assert (falls.peak[0], falls.trough[0], falls.longest[0]) == (0, 0, 0)
    # Two such sessions do not make a gain of it.
    returns[70, 0] = -1.5
    assert np.isnan(performance(returns, np.zeros(100)).annual_return[0])


def test_no_sessions_and_no_accounts_are_fine():
    assert np.isnan(drawdown(np.empty((0, 2))).max_drawdown).tolist() == [True, True]
    assert np.isnan(performance(np.empty((0, 2)), np.empty(0)).annual_return).tolist() == [True] * 2
    assert performance(np.empty((9, 0)), np.empty(9)).annual_return.tolist() == []

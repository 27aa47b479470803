"""Returns with money coming and going: by hand, by scipy, and by what a portfolio must earn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from risk_engine.quant.money_weighted import (
    dietz_returns,
    money_weighted_return,
    time_weighted_returns,
)

NAN = float("nan")


def test_a_flow_at_the_end_of_the_day_earns_nothing_that_day():
    # 100 grow by 10 % to 110, then 90 are paid in: 200 grow by 5 % to 210.
    nav = np.array([[100.0], [200.0], [210.0]])
    flow = np.array([[0.0], [90.0], [0.0]])
    np.testing.assert_allclose(time_weighted_returns(nav, flow), [[NAN], [0.10], [0.05]])


def test_no_return_follows_an_account_worth_nothing_or_not_known():
    nav = np.array([[0.0, -5.0, NAN], [10.0, 10.0, 10.0], [11.0, 11.0, 11.0]])
    found = time_weighted_returns(nav, np.zeros((3, 3)))
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[2], 0.1)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.floats(-0.3, 0.3), st.floats(-0.2, 2.0)), min_size=1, max_size=30),
)
def test_time_weighting_finds_the_returns_whatever_is_paid_in(days):
    returns = [one for one, _ in days]
    nav, flows = [1_000.0], [0.0]
    for earned, paid in days:
        flows.append(paid * nav[-1])
        nav.append(nav[-1] * (1 + earned) + flows[-1])
    found = time_weighted_returns(np.array([nav]).T, np.array([flows]).T)
    np.testing.assert_allclose(found[1:, 0], returns, rtol=1e-9, atol=1e-12)


def dietz(start, end, flow, weighted, sessions):
    nav, one = np.array([[start], [end]]), (np.array([[n]]) for n in (flow, weighted, sessions))
    return float(dietz_returns(nav, *one)[0, 0])


@pytest.mark.parametrize(
    ("flow", "weighted", "sessions", "expected"),
    [
        # Bacon's textbook case: 74.2 to 104.4 in 31 days, 37.1 paid in on day 14, (31-14)/31 left.
        (37.1, 37.1 * 17 / 31, 31, (104.4 - 74.2 - 37.1) / (74.2 + 37.1 * 17 / 31)),
        (37.1, 37.1 * 17 / 31, 1, (104.4 - 37.1) / 74.2 - 1),  # daily values: at the day's end
        (7.0, 7.0 * 17 / 31, 31, (104.4 - 7.0) / 74.2 - 1),  # under a tenth: at the period's end
        (-20.0, -20.0, 31, (104.4 - 74.2 + 20.0) / 54.2),
        (-80.0, -80.0, 31, NAN),  # nothing was at work
    ],
)
def test_a_large_flow_in_a_long_period_is_weighted_by_the_time_it_was_there(
    flow, weighted, sessions, expected
):
    assert dietz(74.2, 104.4, flow, weighted, sessions) == pytest.approx(expected, nan_ok=True)


def test_a_yearly_rate_is_what_the_flows_were_worth():
    # 1,000 in, 100 after a year, 1,100 after two: 10 %.
    assert money_weighted_return(
        np.array([0, 365, 730]), np.array([-1_000.0, 100.0, 1_100.0])
    ) == pytest.approx(0.10, abs=1e-12)


def test_a_yearly_rate_is_scipys_root():
    chance = np.random.default_rng(1)
    for _ in range(200):
        day = np.sort(chance.integers(0, 2_000, 12)) + 738_000
        day[-1] = day[0] + 2_100
        flow = -chance.uniform(1, 1_000, 12)
        flow[-1] = -flow[:-1].sum() * chance.uniform(0.3, 4)
        years = (day - day[0]) / 365

        def worth(rate, years=years, flow=flow):
            return (flow / (1 + rate) ** years).sum()

        expected = brentq(worth, -0.95, 50, xtol=1e-14, rtol=1e-14)
        assert money_weighted_return(day, flow) == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_a_yearly_rate_is_the_same_however_much_money_it_is_and_from_whatever_day():
    day, flow = np.array([10, 50, 400]), np.array([-100.0, -50.0, 170.0])
    rate = money_weighted_return(day, flow)
    assert money_weighted_return(day + 999, flow * 7) == pytest.approx(rate, abs=1e-12)
    assert money_weighted_return(day, -flow) == pytest.approx(rate, abs=1e-12)


def test_of_two_rates_the_one_nearest_to_nothing_is_taken():
    # -100, +230, -132 in yearly steps: 10 % and 20 %.
    assert money_weighted_return(
        np.array([0, 365, 730]), np.array([-100.0, 230.0, -132.0])
    ) == pytest.approx(0.10, abs=1e-9)


@pytest.mark.parametrize(
    "flow", [[], [-1.0], [-1.0, -2.0], [1.0, 2.0], [-1.0, NAN], [0.0, 0.0]], ids=str
)
def test_without_money_both_ways_there_is_no_rate(flow):
    assert np.isnan(money_weighted_return(np.arange(len(flow)), np.array(flow)))

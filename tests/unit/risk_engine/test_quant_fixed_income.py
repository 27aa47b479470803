"""Bonds against QuantLib and Hull; durations that returns tell against what they were made of."""

import numpy as np
import pytest
import QuantLib
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from risk_engine.quant.covariance import exponential_weights
from risk_engine.quant.fixed_income import (
    bond_measures,
    carried_over,
    empirical_durations,
    rate_pnl,
    yield_changes,
    yield_changes_of_fund,
)

YEARS = np.arange(1, 7)[None] / 2
PAYMENTS = np.array([[5, 5, 5, 5, 5, 105.0]])


def test_c14_15_hull_s_three_year_bond():
    at_twelve = bond_measures(YEARS, PAYMENTS, np.array([0.12]))
    assert at_twelve.price[0] == pytest.approx(94.213, abs=5e-4)
    assert at_twelve.duration[0] == pytest.approx(2.653, abs=5e-4)
    change = rate_pnl(at_twelve.price, at_twelve.duration, np.zeros(1), np.array([0.001]))
    assert at_twelve.price[0] + change[0] == pytest.approx(93.963, abs=5e-4)
    semiannual = bond_measures(YEARS, PAYMENTS, np.array([0.123673]), 2)
    assert semiannual.price[0] == pytest.approx(94.213, abs=1e-3)
    assert semiannual.duration[0] == pytest.approx(2.4985, abs=5e-5)


def quantlib(coupon, years, rate, compounding, frequency):
    """Return price, modified duration and convexity by BondFunctions of a semi-annual bond."""
    today = QuantLib.Date(15, 1, 2025)
    QuantLib.Settings.instance().evaluationDate = today
    # Thirty days each month: the payments are exactly half a year apart.
    count = QuantLib.Thirty360(QuantLib.Thirty360.BondBasis)
    schedule = QuantLib.Schedule(
        today,
        today + QuantLib.Period(years, QuantLib.Years),
        QuantLib.Period(QuantLib.Semiannual),
        QuantLib.NullCalendar(),
        QuantLib.Unadjusted,
        QuantLib.Unadjusted,
        QuantLib.DateGeneration.Backward,
        False,
    )
    bond = QuantLib.FixedRateBond(0, 100, schedule, [coupon], count)
    at = QuantLib.InterestRate(rate, count, compounding, frequency)
    return (
        QuantLib.BondFunctions.cleanPrice(bond, at, today),
        QuantLib.BondFunctions.duration(bond, at, QuantLib.Duration.Modified, today),
        QuantLib.BondFunctions.convexity(bond, at, today),
    )


@pytest.mark.parametrize(
    ("periods", "compounding", "frequency"),
    [
        (None, QuantLib.Continuous, QuantLib.NoFrequency),
        (1, QuantLib.Compounded, QuantLib.Annual),
        (2, QuantLib.Compounded, QuantLib.Semiannual),
        (4, QuantLib.Compounded, QuantLib.Quarterly),
    ],
)
def test_bonds_are_quantlib_s(periods, compounding, frequency):
    chance = np.random.default_rng(1)
    maturity = chance.integers(1, 31, 60)
    coupon, rate = chance.uniform(0, 0.1, 60), chance.uniform(-0.005, 0.12, 60)
    years = np.tile(np.arange(1, 61) / 2, (60, 1))
    payments = np.where(years <= maturity[:, None], 50 * coupon[:, None], 0)
    payments += np.where(years == maturity[:, None], 100, 0)
    ours = bond_measures(years, payments, rate, periods)
    theirs = np.array(
        [
            quantlib(*one, compounding, frequency)
            for one in zip(coupon.tolist(), maturity.tolist(), rate.tolist(), strict=True)
        ]
    ).T
    for values, expected in zip((ours.price, ours.duration, ours.convexity), theirs, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-9)


@given(st.floats(-0.03, 0.03), st.floats(0.005, 0.1))
def test_duration_and_convexity_say_what_repricing_says(change, rate):
    bond = bond_measures(YEARS, PAYMENTS, np.array([rate]))
    moved = bond_measures(YEARS, PAYMENTS, np.array([rate + change]))
    pnl = rate_pnl(bond.price, bond.duration, bond.convexity, np.array([change]))
    assert (moved.price - bond.price)[0] == pytest.approx(
        pnl[0], abs=500 * abs(change) ** 3 + 1e-12
    )


def test_of_a_large_rise_convexity_gives_back_a_third():
    """C4: +300 basis points on a duration of 16 are -48 % in a line and -32 % with C = 350."""
    value, rise = np.array([100.0]), np.array([0.03])
    assert rate_pnl(value, np.array([16.0]), np.array([0.0]), rise) == pytest.approx(-48)
    assert rate_pnl(value, np.array([16.0]), np.array([350.0]), rise) == pytest.approx(-32.25)
    short = rate_pnl(-value, np.array([16.0]), np.array([350.0]), rise)
    assert short == pytest.approx(32.25)


def test_a_hundred_basis_points_on_a_third_in_a_long_fund():
    """C4: b_TLT = .30 and +100 basis points cost 4.8 % of equity, and do not earn .30 %."""
    assert rate_pnl(np.array([0.30]), np.array([16.0]), np.zeros(1), np.array([0.01]))[
        0
    ] == pytest.approx(-0.048)


def test_yields_change_between_sessions_and_not_over_gaps():
    changes = yield_changes(np.array([0.04, 0.0404, np.nan, 0.05, 0.049]))
    assert changes[[1, 4]] == pytest.approx([0.0004, -0.001])
    assert np.isnan(changes[[0, 2, 3]]).all()
    fund = yield_changes_of_fund(np.array([0.016, -0.008]), 16)
    assert fund == pytest.approx([-0.001, 0.0005])


def drawn(sessions=504, seed=2):
    """Return excess returns of durations 0, 7 and 16, the market, the level and the slope."""
    chance = np.random.default_rng(seed)
    market, level, slope = chance.normal(0, [[0.01], [6e-4], [4e-4]], (3, sessions))
    durations = np.array([0.0, 7.0, 16.0])
    excess = market[:, None] * [1.0, 0.1, 0.0] - level[:, None] * durations
    excess += slope[:, None] * [0.0, 2.0, 0.0] + chance.normal(0, 0.002, (sessions, 3))
    return excess, market, level, slope


def test_durations_are_found_behind_the_market():
    found = empirical_durations(*drawn())
    assert (np.abs(found.duration - [0, 7, 16]) < 3 * found.error).all()
    assert (found.error < 0.3).all()
    assert found.observations.tolist() == [504] * 3


def test_durations_are_the_slopes_of_statsmodels():
    excess, market, level, slope = drawn(300, seed=3)
    excess[:150, 1] = np.nan  # too short for the slope
    excess[:230, 2] = np.nan  # too short for anything
    found = empirical_durations(excess, market, level, slope)
    weights = exponential_weights(300, 126)
    long = sm.WLS(excess[:, 0], np.column_stack((np.ones(300), market, level, slope)), weights)
    short = sm.WLS(
        excess[150:, 1], np.column_stack((np.ones(300), market, level))[150:], weights[150:]
    )
    assert found.duration[:2] == pytest.approx([-long.fit().params[2], -short.fit().params[2]])
    assert np.isnan(found.duration[2])
    assert found.observations.tolist() == [300, 150, 70]


def test_without_a_slope_the_level_is_enough():
    excess, market, level, slope = drawn(seed=4)
    found = empirical_durations(excess, market, level, slope * np.nan)
    expected = sm.WLS(
        excess[:, 0], np.column_stack((np.ones(504), market, level)), exponential_weights(504, 126)
    )
    assert found.duration[0] == pytest.approx(-expected.fit().params[2])


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([1, None, 3, 4], [1, 1, 3, 4]),
        ([1, None, None, 4, None, 6], [1, 1, 1, 4, 4, 6]),
        ([1, None, None, None, 5], [1, None, None, None, 5]),
        ([None, 2, 3, None], [None, 2, 3, None]),
        ([None, None], [None, None]),
        ([], []),
    ],
)
def test_yields_stay_where_they_were_over_short_gaps_alone(rates, expected):
    found = carried_over(np.array(rates, dtype=np.float64), 2)
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float64))

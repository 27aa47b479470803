"""Discounting with zero rates, and dividends taken out of a spot."""

import numpy as np
import pytest
import QuantLib

from risk_engine.quant.curve import (
    DEFAULT_RATE,
    continuous_rate,
    discount_factor,
    dividends_present_value,
    zero_curve,
    zero_rate,
)
from risk_engine.quant.pricing import Options, european_price

TENORS = np.array([0.25, 0.5, 1.0, 2.0, 5.0, 10.0])
RATES = np.array([0.053, 0.052, 0.049, 0.044, 0.041, 0.042])


def test_the_curve_is_quantlib_s_through_the_same_discount_factors():
    """QuantLib's log-linear discount curve, on whole days."""
    today = QuantLib.Date(1, 1, 2024)
    days = np.round(TENORS * 365).astype(int)
    count = QuantLib.Actual365Fixed()
    curve = zero_curve(days / 365, RATES)
    factors = [1.0, *np.exp(-RATES * days / 365)]
    theirs = QuantLib.DiscountCurve([today, *(today + int(day) for day in days)], factors, count)
    asked = np.arange(1, days[-1], 13)
    expected = [theirs.discount(today + int(day)) for day in asked]
    np.testing.assert_allclose(discount_factor(curve, asked / 365), expected, rtol=1e-12)


def test_outside_the_tenors_the_rate_is_that_of_the_nearest():
    curve = zero_curve(TENORS, RATES)
    assert zero_rate(curve, np.array([0.01, 0.0, 30.0])) == pytest.approx([0.053, 0.053, 0.042])
    assert np.isnan(zero_rate(curve, np.array([np.nan]))).all()


def test_a_tenor_without_a_rate_is_skipped_and_the_order_does_not_matter():
    holed = RATES.copy()
    holed[2] = np.nan
    curve = zero_curve(TENORS[::-1], holed[::-1])
    assert curve.years.tolist() == [0.25, 0.5, 2.0, 5.0, 10.0]
    assert not curve.is_default
    between = zero_rate(curve, np.array([1.0]))[0]
    assert between == pytest.approx((0.052 * 0.5 * 2 / 3 + 0.044 * 2 / 3), abs=1e-12)


def test_without_rates_the_curve_is_the_default_and_says_so():
    curve = zero_curve(TENORS, np.full(6, np.nan))
    assert curve.is_default
    assert zero_rate(curve, np.array([0.1, 3.0])).tolist() == [DEFAULT_RATE] * 2


def test_a_tenor_is_positive_and_there_once():
    for tenors in ([0.0, 1.0], [1.0, 1.0]):
        with pytest.raises(ValueError, match="positive and distinct"):
            zero_curve(np.array(tenors), np.array([0.04, 0.05]))


def test_a_compounded_rate_becomes_continuous():
    """Hull, ch. 4: 10 % twice a year is 9.758 % continuously; what a unit grows to is the same."""
    assert continuous_rate(np.array([0.10]), 2)[0] == pytest.approx(0.09758, abs=5e-6)
    assert np.exp(continuous_rate(np.array([0.05]), 4))[0] == pytest.approx(1.0125**4, rel=1e-14)


def test_c14_2_and_3_dividends_come_out_of_the_spot():
    """Hull, ch. 15: two dividends of 50 cents, in 2 and 5 months; Black's approximation."""
    curve = zero_curve(np.array([1.0]), np.array([0.09]))
    months = np.array([2.0, 5.0, 2.0, 5.0]) / 12
    expiry = np.array([0.5, 5 / 12])
    taken = dividends_present_value(
        curve,
        option=np.array([0, 0, 1, 1]),
        years=months,
        amount=np.full(4, 0.5),
        expiry=expiry,
    )
    assert taken[0] == pytest.approx(0.9742, abs=5e-5)
    assert taken[1] == pytest.approx(0.5 * np.exp(-0.09 / 6), rel=1e-12)
    flat = np.full(2, 40.0)
    contracts = Options(
        np.ones(2, bool),
        40 - taken,
        flat,
        expiry,
        np.full(2, 0.3),
        np.full(2, 0.09),
        np.zeros(2),
    )
    price = european_price(contracts)
    assert price == pytest.approx([3.67, 3.52], abs=0.005)


def test_dividends_paid_or_after_expiry_count_nothing():
    curve = zero_curve(TENORS, RATES)
    taken = dividends_present_value(
        curve,
        option=np.array([0, 0, 0, 1, 2]),
        years=np.array([-0.1, 0.5, 0.7, 0.2, 0.1]),
        amount=np.array([1.0, 1.0, 1.0, np.nan, 2.0]),
        expiry=np.array([0.5, 1.0, 1.0]),
    )
    assert taken[0] == 0
    assert np.isnan(taken[1])
    assert taken[2] == pytest.approx(2 * np.exp(-0.0053), rel=1e-12)

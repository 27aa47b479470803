"""How long positions take to sell: by hand, by simulation, and what holds for any position."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_engine.quant.liquidity import (
    average_daily_volume,
    days_to_liquidate,
    liquidation_scale,
    sold_within,
)

NAN = float("nan")


def test_a_fifth_of_the_volume_is_sold_each_day():
    """10,000 shares of which 25,000 trade: 5,000 a day, so two days. Long or short."""
    days = days_to_liquidate(np.array([10_000.0, -10_000.0, 0.0]), np.full(3, 25_000.0))
    assert days.tolist() == [2.0, 2.0, 0.0]
    assert days_to_liquidate(np.array([10_000.0]), np.array([25_000.0]), 0.1).tolist() == [4.0]


@pytest.mark.parametrize("volume", [NAN, 0.0])
def test_without_volume_it_is_not_known(volume):
    assert np.isnan(days_to_liquidate(np.array([10.0, 0.0]), np.full(2, volume))).all()


@pytest.mark.parametrize(
    ("days", "scale"),
    [
        pytest.param(0.0, 1.0, id="nothing to sell"),
        pytest.param(1.0, 1.0, id="one day"),
        pytest.param(1.2, math.sqrt(3 * 5 / 12), id="a second day begun"),
        pytest.param(2.0, math.sqrt(0.5**2 + 1), id="half of it stays for a second day"),
        pytest.param(4.0, math.sqrt((1 + 4 + 9 + 16) / 16), id="four days"),
    ],
)
def test_the_scale_is_what_is_still_held_each_day(days, scale):
    assert liquidation_scale(np.array([days]))[0] == pytest.approx(scale, rel=1e-14)


def test_the_scale_of_a_year_is_the_sum_of_what_is_still_held():
    days = np.arange(1.0, 253.0)
    expected = [
        math.sqrt(math.fsum((left / days_) ** 2 for left in range(1, int(days_) + 1)))
        for days_ in days
    ]
    np.testing.assert_allclose(liquidation_scale(days), expected, rtol=1e-13)


def test_the_scale_is_the_spread_of_the_losses_of_an_even_sale():
    """Ten days of independent moves on 10/10, 9/10, ... 1/10 of the position: 1.962."""
    moves = np.random.default_rng(1).normal(0, 1, (200_000, 10))
    losses = moves @ (np.arange(10, 0, -1) / 10)
    assert liquidation_scale(np.array([10.0]))[0] == pytest.approx(losses.std(), rel=0.01)


def test_what_takes_unknown_time_has_an_unknown_scale():
    assert np.isnan(liquidation_scale(np.array([NAN])))[0]


def test_the_average_is_of_the_last_twenty_sessions():
    """1 to 30 thousand shares: the last twenty, 11 to 30, average 20.5."""
    volume = np.arange(1.0, 31.0)[:, np.newaxis] * 1_000
    assert average_daily_volume(volume, np.ones_like(volume)).tolist() == [20_500.0]


def test_volumes_before_a_split_count_in_shares_of_today():
    """Ten sessions of 100 old shares, then a split of 2 for 1 and ten of 200: always 200 new."""
    volume = np.repeat([100.0, 200.0], 10)[:, np.newaxis]
    ratio = np.ones_like(volume)
    ratio[10] = 2.0
    assert average_daily_volume(volume, ratio).tolist() == [200.0]


@pytest.mark.parametrize(("missing", "known"), [(4, True), (5, False)])
def test_an_average_wants_sixteen_of_twenty_volumes(missing, known):
    volume = np.full((25, 1), 300.0)
    volume[6 : 6 + missing] = NAN
    found = average_daily_volume(volume, np.ones_like(volume))
    np.testing.assert_array_equal(found, [300.0 if known else NAN])


def test_a_short_panel_has_no_average():
    assert np.isnan(average_daily_volume(np.ones((15, 2)), np.ones((15, 2)))).all()


@given(st.floats(1, 1e9), st.floats(1, 1e9), st.floats(0.01, 1), st.sampled_from([2.0, 4.0, 0.5]))
def test_days_grow_with_the_position_and_do_not_mind_a_split(quantity, volume, share, ratio):
    def days(size, traded):
        return days_to_liquidate(np.array([size]), np.array([traded]), share)[0]

    once = days(quantity, volume)
    assert once == pytest.approx(quantity / (share * volume), rel=1e-12)
    assert days(2 * quantity, volume) == pytest.approx(2 * once, rel=1e-12)
    assert days(ratio * quantity, ratio * volume) == pytest.approx(once, rel=1e-12)
    assert days(-quantity, volume) == once


def test_what_is_sold_in_a_week():
    """60 in 2 days, 30 in 10 and 10 nobody knows when: after 5 days 60 + 15 of 90 are sold."""
    account, value = np.zeros(3, dtype=np.int64), np.array([60.0, -30.0, 10.0])
    days = np.array([2.0, 10.0, NAN])
    assert sold_within(account, value, days, 5, 1).tolist() == [75 / 90]
    assert sold_within(account, value, days, 1, 1).tolist() == [pytest.approx(33 / 90)]
    assert sold_within(account, value, days, 10, 1).tolist() == [1.0]
    assert np.isnan(sold_within(account, value, np.full(3, NAN), 1, 1))[0]

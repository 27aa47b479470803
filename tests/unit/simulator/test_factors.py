"""Factors and the Treasury curve: as volatile, as correlated and as levelled as the facts say."""

from datetime import date

import numpy as np
import pytest

from simulator.factors import EPOCH, SESSIONS_PER_YEAR, backdrop, slope_at
from simulator.universe import load_universe
from simulator.weather import Dial

UNIVERSE = load_universe()
NAMES = [factor.name for factor in UNIVERSE.factors]
LONG_AFTER = date(2055, 1, 4)
STEADY = Dial(clustering=False, fat_tails=False)


def returns_of(seed, dial=STEADY, end=LONG_AFTER):
    return backdrop(seed, end, dial).returns


def test_a_later_end_leaves_the_past_unchanged():
    early, late = (backdrop(4, end, Dial()) for end in (date(2020, 3, 2), date(2026, 3, 2)))
    count = len(early.sessions)
    assert late.sessions[:count] == early.sessions
    for field in ("returns", "ratios", "closing_ratios"):
        assert np.array_equal(getattr(late, field)[:, :count], getattr(early, field))
    assert np.array_equal(late.level[:count], early.level)
    assert np.array_equal(late.mood.crisis[:count], early.mood.crisis)


def test_the_backdrop_reaches_to_the_end_of_a_block():
    scene = backdrop(4, EPOCH, Dial())
    assert scene.sessions[0] == EPOCH
    assert len(scene.sessions) == scene.block(0).stop


def test_covariances_are_those_of_the_facts():
    pooled = np.concatenate([returns_of(seed) for seed in range(3)], axis=1)
    measured = np.cov(pooled) * SESSIONS_PER_YEAR
    truth = UNIVERSE.covariance
    deviation = np.sqrt(np.diag(truth))
    risky = deviation > 0
    scale = np.outer(deviation, deviation)[np.ix_(risky, risky)]
    error = (measured - truth)[np.ix_(risky, risky)] / scale
    assert np.abs(error).max() < 5 * np.sqrt(2 / pooled.shape[1])


def test_the_mean_variance_is_the_same_with_clustering_and_fat_tails():
    ratios = [returns_of(seed, Dial()).var(axis=1) * SESSIONS_PER_YEAR for seed in range(40)]
    truth = np.diag(UNIVERSE.covariance)
    risky = truth > 0
    relative = np.array(ratios)[:, risky] / truth[risky]
    error = relative.std(axis=0) / np.sqrt(len(relative))
    # The crises' drift adds a little to the market's own variance.
    assert np.all(np.abs(relative.mean(axis=0) - 1) < 4 * error + 0.02)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ("Technology", "Communication Services", 0.15, 0.45),
        ("Technology", "Utilities", -0.25, -0.05),
        ("Financial Services", "Industrials", 0.15, 0.35),
        ("market", "Technology", 0.0, 0.0),
        ("size", "value", 0.0, 0.0),
    ],
)
def test_sectors_that_are_alike_move_together(one, other, low, high):
    covariance = UNIVERSE.covariance
    i, j = NAMES.index(one), NAMES.index(other)
    correlation = covariance[i, j] / np.sqrt(covariance[i, i] * covariance[j, j])
    assert low <= correlation <= high


def test_yields_are_those_of_the_level_at_ten_years_and_of_the_slope_at_the_short_end():
    scene = backdrop(4, date(2024, 1, 16), Dial())
    short, long = scene.yields(np.array([0.25, 10.0])).T
    assert long == pytest.approx(scene.level)
    assert short - long == pytest.approx(scene.slope)
    assert slope_at(np.array([0.25, 10.0])) == pytest.approx([1, 0])
    assert np.all(np.diff(slope_at(np.linspace(0.1, 30, 100))) < 0)


def test_the_curve_stays_where_curves_have_been():
    for seed in range(10):
        scene = backdrop(seed, LONG_AFTER, Dial())
        yields = scene.yields(np.array([0.25, 2.0, 10.0, 30.0]))
        assert -0.0075 < yields.min() < yields.max() < 0.12
        assert np.mean(yields < 0) < 0.08
        assert np.abs(np.diff(scene.level)).max() < 0.006


def test_the_rates_factor_is_the_return_of_a_bond_when_the_ten_year_yield_moves():
    scene = backdrop(4, date(2024, 1, 16), Dial())
    drift = UNIVERSE.factors[NAMES.index("rates")].drift / SESSIONS_PER_YEAR
    assert scene.returns[NAMES.index("rates"), 1:] == pytest.approx(-np.diff(scene.level) + drift)


def test_cash_earns_what_the_short_end_said_the_session_before():
    scene = backdrop(4, date(2024, 1, 16), Dial())
    bill = scene.level + scene.slope
    assert scene.returns[NAMES.index("cash"), 1:] == pytest.approx(bill[:-1] / SESSIONS_PER_YEAR)

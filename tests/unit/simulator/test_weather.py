"""Volatility that clusters: its mean square is one whatever it does in between."""

from functools import cache

import numpy as np
import pytest

from simulator import draws, weather
from simulator.weather import CRISIS_END, CRISIS_ONSET, KNOTS, Dial

DAYS = np.arange(draws.HORIZON - 300)


def market_shocks(seed):
    return draws.normals(seed, "factor/market", len(DAYS))[:, 0]


@cache
def mood_of(seed):
    return weather.mood(seed, market_shocks(seed), DAYS, Dial())


def many_paths(count):
    knots = np.stack([draws.Streams(5).at(f"w/{n}").standard_normal(KNOTS) for n in range(count)])
    return weather.log_weather(knots, DAYS)


@pytest.fixture(scope="module")
def paths():
    """Two thousand; they are let go after this module, being large."""
    return many_paths(2_000)


def test_own_weather_has_the_same_variance_on_every_day(paths):
    variance = paths.var(axis=0)
    assert variance.mean() == pytest.approx(weather.OWN_VARIANCE, rel=0.02)
    assert np.abs(variance / weather.OWN_VARIANCE - 1).max() < 0.2  # 4.5 standard errors


def test_own_weather_is_remembered_for_months_and_forgotten_after_years():
    paths = many_paths(400)
    centred = paths / np.sqrt(weather.OWN_VARIANCE)

    def memory(lag):
        return (centred[:, lag:] * centred[:, :-lag]).mean()

    assert memory(1) > 0.98
    assert 0.3 < memory(60) < 0.7
    assert abs(memory(700)) < 0.05


def test_a_multiplier_of_own_weather_has_a_mean_square_of_one(paths):
    squares = np.exp(2 * (paths - weather.OWN_VARIANCE))
    assert squares.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("exponent", [1.0, 0.5, 0.0])
def test_shares_of_the_mood_have_a_mean_square_of_one_over_many_markets(exponent):
    means = [(mood_of(seed).share(exponent) ** 2).mean() for seed in range(150)]
    error = np.std(means) / np.sqrt(len(means))
    assert np.mean(means) == pytest.approx(1, abs=max(4 * error, 1e-12))
    assert error < 0.05


def test_crises_come_as_often_and_last_as_long_as_they_should():
    within = np.concatenate([mood_of(seed).crisis for seed in range(40)])
    onsets = np.count_nonzero(np.diff(within.astype(int)) == 1)
    calm = np.count_nonzero(~within)
    assert onsets / calm == pytest.approx(CRISIS_ONSET, rel=0.2)
    assert within.sum() / onsets == pytest.approx(1 / CRISIS_END, rel=0.2)


def test_a_crisis_begins_with_a_fall_and_comes_and_goes_by_and_by():
    for seed in range(10):
        shocks, mood = market_shocks(seed), mood_of(seed)
        [onsets] = np.nonzero(~mood.crisis[:-1] & mood.crisis[1:])
        assert len(onsets) > 5
        assert np.all(shocks[onsets] < -1.5)
        steps = np.diff(mood.heat)
        assert 0 <= mood.heat.min() < mood.heat.max() <= 1
        assert -0.08 <= steps.min() < 0 < steps.max() <= 0.25
        assert np.all(steps[:-1][mood.crisis[1:]] >= 0)


def test_the_mood_at_a_close_is_the_one_that_the_next_session_begins_with():
    shocks = market_shocks(3)
    whole = weather.mood(3, shocks, DAYS, Dial())
    assert np.array_equal(whole.share(0.5, at_close=True)[:-1], whole.share(0.5)[1:])
    for last in (1, 400, 401):
        part = weather.mood(3, shocks[:last], DAYS[:last], Dial())
        assert np.array_equal(part.share(0.5), whole.share(0.5)[:last])
        assert np.array_equal(
            part.share(0.5, at_close=True), whole.share(0.5, at_close=True)[:last]
        )


def test_volatility_rises_with_a_fall_and_not_before_it():
    shocks = market_shocks(3)
    change = np.diff(weather.mood(3, shocks, DAYS, Dial()).log_volatility)
    assert np.corrcoef(change, shocks)[0, 1] < -0.6
    assert abs(np.corrcoef(change[:-1], shocks[1:])[0, 1]) < 0.05


def test_surprises_give_the_kurtosis_they_promise():
    shocks = draws.normals(8, "s", 400_000, 2)
    returns = shocks[:, 0] * weather.surprise(shocks[:, 1], 0.3)
    assert returns.var() == pytest.approx(1, rel=0.02)
    assert (returns**4).mean() / returns.var() ** 2 == pytest.approx(3 * np.exp(0.36), rel=0.05)


def test_switched_off_there_is_no_mood():
    mood = weather.mood(1, np.ones(10), np.arange(10), Dial(clustering=False))
    assert not mood.crisis.any()
    assert np.array_equal(mood.share(0.0), np.ones(10))

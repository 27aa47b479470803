"""Backtests: the textbooks' tables, counting by hand, and forecasts that are right or wrong."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from risk_engine.quant.backtest import (
    GREEN,
    RED,
    YELLOW,
    Holdings,
    basel_zone,
    capital_multiplier,
    coverage,
    filtered_forecasts,
    independence_ratio,
    shortfall_p_value,
    shortfall_statistic,
    unconditional_ratio,
)
from risk_engine.quant.filtered_simulation import filtered_returns, surprises
from risk_engine.quant.parametric import student_t_risk
from risk_engine.quant.value_at_risk import historical_risk
from risk_engine.quant.volatility import ewma_volatility

CRITICAL = stats.chi2.ppf(0.95, 1)


@pytest.mark.parametrize(
    ("tail", "days", "low", "high"),
    [
        (0.01, 510, 1, 11),
        (0.01, 1000, 4, 17),
        (0.05, 255, 6, 21),
        (0.05, 510, 16, 36),
        (0.05, 1000, 37, 65),
    ],
)
def test_c14_25_kupiec_s_regions(tail, days, low, high):
    ratio = unconditional_ratio(np.arange(days + 1.0), days, tail)
    accepted = np.flatnonzero(ratio < CRITICAL)
    assert (accepted[0] - 1, accepted[-1] + 1) == (low, high)


def test_c14_25_kupiec_s_first_region_where_none_at_all_is_too_few():
    ratio = unconditional_ratio(np.arange(256.0), 255, 0.01)
    assert np.flatnonzero(ratio < CRITICAL).tolist() == [1, 2, 3, 4, 5, 6]
    assert ratio[0] == pytest.approx(5.13, abs=0.005)


def test_c14_26_basel_s_zones():
    zones = basel_zone(np.arange(13.0))
    assert zones.tolist() == [GREEN] * 5 + [YELLOW] * 5 + [RED] * 3
    assert np.isnan(basel_zone(np.array([np.nan]))[0])
    multipliers = capital_multiplier(np.arange(13.0))
    assert multipliers == pytest.approx(
        [1.5] * 5 + [1.70, 1.76, 1.83, 1.88, 1.92] + [2.0] * 3, abs=1e-12
    )


def test_c14_27_the_chances_of_hull_s_exceedances_are_what_zones_are_made_of():
    """600 days at 99 %: nine or more are no surprise, twelve or more are, one or none too."""
    chance = stats.binom(600, 0.01)
    assert chance.sf(8) == pytest.approx(0.152, abs=5e-4)
    assert chance.sf(11) == pytest.approx(0.0195, abs=5e-5)
    assert chance.cdf(1) == pytest.approx(0.017, abs=5e-4)
    zones = basel_zone(np.array([1.0, 8, 9, 11, 12]), 600)
    assert zones.tolist() == [YELLOW if chance.cdf(x) >= 0.95 else GREEN for x in (1, 8, 9, 11, 12)]
    rejected = unconditional_ratio(np.array([1.0, 9, 12]), 600, 0.01) > CRITICAL
    assert rejected.tolist() == [True, False, True]


def by_hand(exceeded):
    """Return Christoffersen's statistic by walking through the days."""
    seen = np.zeros((2, 2))
    for yesterday, today in pairwise(exceeded):
        seen[int(yesterday), int(today)] += 1

    def log_likelihood(calm, loss):
        share = loss / (calm + loss) if calm + loss else 0.0
        return sum(n * np.log(p) for n, p in ((calm, 1 - share), (loss, share)) if n)

    return 2 * (
        log_likelihood(*seen[0]) + log_likelihood(*seen[1]) - log_likelihood(*seen.sum(axis=0))
    )


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0]))
def test_independence_is_what_walking_through_the_days_finds(seed, chance):
    exceeded = np.random.default_rng(seed).random((3, 250)) < chance
    assert independence_ratio(exceeded) == pytest.approx(
        [by_hand(one.tolist()) for one in exceeded], abs=1e-9
    )


def test_coverage_counts_losses_beyond_the_forecast_and_adds_its_tests_up():
    pnl = np.full((2, 250), 1.0)
    pnl[0, [10, 11, 12, 80, 81, 200]] = -3.0
    pnl[0, 50] = -2.0
    pnl[1, 3] = np.nan
    found = coverage(pnl, np.full((2, 1, 250), 2.0), (0.99,))
    assert found.exceedances[0, 0] == 6
    assert found.conditional[0, 0] == pytest.approx(
        found.unconditional[0, 0] + found.independence[0, 0]
    )
    assert found.unconditional_p[0, 0] == pytest.approx(stats.chi2.sf(found.unconditional[0, 0], 1))
    assert found.conditional_p[0, 0] == pytest.approx(stats.chi2.sf(found.conditional[0, 0], 2))
    assert found.independence_p[0, 0] < 1e-4
    for name in ("exceedances", "unconditional_p", "independence_p", "conditional_p"):
        assert np.isnan(getattr(found, name)[1]).all()


def test_under_a_right_forecast_tests_reject_about_as_often_as_they_say():
    """At 80 %, where days beyond follow each other often enough for the chi-square to hold."""
    chance = np.random.default_rng(1)
    pnl = chance.standard_t(5, (4_000, 1_000))
    right = student_t_risk(np.full(1, np.sqrt(5 / 3)), (0.80,)).value_at_risk[0, 0]
    found = coverage(pnl, np.full((4_000, 1, 1_000), right), (0.80,))
    for name in ("unconditional_p", "independence_p", "conditional_p"):
        assert (getattr(found, name) < 0.05).mean() == pytest.approx(0.05, abs=0.012)
    wrong = coverage(pnl, np.full((4_000, 1, 1_000), 0.8 * right), (0.80,))
    assert (wrong.unconditional_p < 0.05).mean() > 0.9


def student_forecasts(portfolios, days, scale, confidence, seed=2):
    """Return P&L of a unit Student t, its forecast at a scale, and the forecast's own tail."""
    chance = np.random.default_rng(seed)
    pnl = chance.standard_t(5, (portfolios, days)) * np.sqrt(3 / 5)
    risk = student_t_risk(np.full(1, scale), (confidence,))
    shape = (portfolios, 1, days)
    scenarios = 2_000
    places = (np.arange(scenarios) + 0.5) / scenarios
    worst = -stats.t(5, scale=scale * np.sqrt(3 / 5)).ppf(places)[:60]
    return (
        pnl,
        np.full(shape, risk.value_at_risk[0, 0]),
        np.full(shape, risk.expected_shortfall[0, 0]),
        np.broadcast_to(worst, (portfolios, days, 60)),
        scenarios,
    )


def test_acerbi_and_szekely_s_second_statistic_by_hand():
    pnl = np.array([[1.0, -3.0, -1.0, -5.0]])
    var, es = np.full((1, 1, 4), 2.0), np.full((1, 1, 4), 4.0)
    assert shortfall_statistic(pnl, var, es, (0.5,))[0, 0] == pytest.approx(
        1 + (-3 / 4 - 5 / 4) / (4 * 0.5)
    )
    assert np.isnan(shortfall_statistic(pnl, var, 0 * es, (0.5,)))[0, 0]
    assert np.isnan(shortfall_statistic(pnl * np.nan, var, es, (0.5,)))[0, 0]


def test_the_shortfall_test_is_right_on_average_and_rejects_what_is_too_small():
    pnl, var, es, tail, scenarios = student_forecasts(1_000, 250, 1.0, 0.975)
    statistic = shortfall_statistic(pnl, var, es, (0.975,))
    assert statistic.mean() == pytest.approx(0.0, abs=0.05)
    p_value = shortfall_p_value(statistic, tail, es, scenarios, (0.975,))
    assert (p_value < 0.05).mean() == pytest.approx(0.05, abs=0.025)
    assert (p_value < 0.5).mean() == pytest.approx(0.5, abs=0.06)
    # Acerbi and Szekely: at 5 % the critical value is near -0.7 whatever the distribution.
    assert np.quantile(statistic, 0.05) == pytest.approx(-0.70, abs=0.08)
    pnl, var, es, tail, scenarios = student_forecasts(300, 250, 0.7, 0.975)
    statistic = shortfall_statistic(pnl, var, es, (0.975,))
    assert statistic.mean() < -0.5
    assert (shortfall_p_value(statistic, tail, es, scenarios, (0.975,)) < 0.05).mean() > 0.8


def market(symbols=4, sessions=780, seed=5):
    """Return returns with surprises and volatilities."""
    chance = np.random.default_rng(seed)
    returns = 0.01 * chance.standard_t(5, (sessions, symbols)) + 0.01 * chance.standard_t(
        5, (sessions, 1)
    )
    volatility = ewma_volatility(returns)
    return returns, surprises(returns, volatility), volatility


def test_a_day_s_forecast_is_what_would_have_been_said_the_evening_before():
    returns, surprise, volatility = market()
    exposure = np.array([1e5, -4e4, 2e4, 3e4])
    made = filtered_forecasts(
        Holdings(0.0, exposure, np.zeros(4)), surprise, volatility, returns, days=250
    )
    for day in (0, 100, 249):
        session = 780 - 250 + day
        risk = historical_risk((filtered_returns(returns[:session]) @ exposure)[None])
        assert made.value_at_risk[0, :, day] == pytest.approx(risk.value_at_risk[0], rel=1e-10)
        assert made.expected_shortfall[0, :, day] == pytest.approx(
            risk.expected_shortfall[0], rel=1e-10
        )
        assert made.pnl[0, day] == pytest.approx(returns[session] @ exposure)
        assert made.tail[0, day, 4] == pytest.approx(risk.value_at_risk[0, 2])


def test_curvature_counts_in_what_is_forecast_and_in_what_happened():
    returns, surprise, volatility = market()
    holdings = Holdings(-50.0, np.array([1e5, 0, 0, 0]), np.array([0, 0, -2e6, 0]))
    made = filtered_forecasts(holdings, surprise, volatility, returns, days=250)
    scenario = filtered_returns(returns[:-1])
    pnl = -50 + 1e5 * scenario[:, 0] - 2e6 * scenario[:, 2] ** 2
    assert made.value_at_risk[0, :, -1] == pytest.approx(
        historical_risk(pnl[None]).value_at_risk[0], rel=1e-10
    )
    assert made.pnl[0, -1] == pytest.approx(-50 + 1e5 * returns[-1, 0] - 2e6 * returns[-1, 2] ** 2)


def test_too_short_a_history_cannot_be_tested():
    returns, surprise, volatility = market(sessions=700)
    with pytest.raises(ValueError, match="250 days after 504 sessions"):
        filtered_forecasts(
            Holdings(0.0, np.ones(4), np.zeros(4)), surprise, volatility, returns, days=250
        )

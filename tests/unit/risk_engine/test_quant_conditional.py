"""Conditional factor shocks: the figures of C10, regressions on simulated days, properties."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from risk_engine.quant.conditional import (
    LEAST_SESSIONS,
    conditional_shocks,
    isolated_shocks,
    plausibility,
    spread_shocks,
    stress_covariance,
)
from tests.unit.risk_engine.stylised_factors import (
    ETFS,
    FACTORS,
    MARKET,
    etf_covariance,
    legs,
    market_slopes,
    raw_covariance,
    residual_covariance,
    shocks,
)

MONTH = np.array([21.0])


def of(row, factor):
    """Return one factor of a one-scenario answer."""
    return row[0, FACTORS.index(factor)]


def drawn_covariance(seed, size=6):
    """Return a covariance as ill-scaled as yields beside returns."""
    chance = np.random.default_rng(seed)
    root = chance.normal(size=(size, 3 * size)) * 10.0 ** chance.uniform(-4, -1, (size, 1))
    return root @ root.T / (3 * size)


def drawn_shocks(seed, covariance, scenarios=40):
    """Return shocks of about a standard deviation, half of them free."""
    chance = np.random.default_rng(seed)
    size = len(covariance)
    sizes = chance.normal(size=(scenarios, size)) * np.sqrt(np.diag(covariance))
    return np.where(chance.random((scenarios, size)) < 0.5, sizes, np.nan)


def test_c10_raw_spreads_would_turn_a_value_rally_into_a_market_crash():
    raw = raw_covariance()
    value, market = FACTORS.index("VALUE"), MARKET
    assert raw[value, market] / np.sqrt(raw[value, value] * raw[market, market]) == pytest.approx(
        -0.52, abs=5e-3
    )
    rally = conditional_shocks(shocks(VALUE=0.30), raw)
    growth = conditional_shocks(shocks(VALUE=-0.15, MOM=0.10), raw)
    assert of(rally, "MKT") == pytest.approx(-0.214, abs=5e-4)
    assert of(growth, "MKT") == pytest.approx(0.119, abs=5e-4)
    # On the model's own factors neither says anything of the market.
    assert of(conditional_shocks(shocks(VALUE=0.30), residual_covariance()), "MKT") == (
        pytest.approx(0, abs=1e-12)
    )


@pytest.mark.parametrize(
    ("scenario", "market"),
    [
        pytest.param(shocks(MKT=-0.10), -0.10, id="market -10%"),
        pytest.param(
            shocks(MKT=-0.20, SIZE=-0.10, QUAL=0.15, LOWVOL=0), -0.20, id="liquidity crisis"
        ),
        pytest.param(shocks(MKT=-0.15, LOWVOL=0), -0.15, id="VIX spike"),
    ],
)
def test_c10_a_stated_market_stays_where_it_is_stated(scenario, market):
    """The conditional expectations of C10's table, on $1m of the market alone."""
    expected = conditional_shocks(scenario, residual_covariance())
    assert 1e6 * of(expected, "MKT") == pytest.approx(1e6 * market, abs=1e-6)


def test_c10_a_fall_of_a_fifth_in_a_month_is_rare_but_no_impossibility():
    answer = plausibility(shocks(MKT=-0.20), residual_covariance(), MONTH)
    assert answer.probability[0] == pytest.approx(0.0033, abs=5e-5)
    assert 2 * stats.norm.sf(answer.distance[0]) == pytest.approx(4.6e-5, abs=5e-7)
    assert answer.stated[0] == 1


def test_c10_the_liquidity_crisis_as_first_stated_is_ten_deviations_of_a_year():
    """On total returns of long-only ETFs, as the scenario's author had them."""
    places = [ETFS.index(etf) for etf in ("SPY", "USMV", "QUAL", "IWM")]
    covariance = etf_covariance()[np.ix_(places, places)]
    stated = np.array([[-0.20, -0.30, 0.15, -0.10]])
    answer = plausibility(stated, covariance, np.array([252.0]))
    assert answer.distance[0] == pytest.approx(10, abs=0.5)


def test_conditional_shocks_are_the_regression_of_free_factors_on_stated_ones():
    """Simulated days: least squares without a constant, which is what moments about zero give."""
    chance = np.random.default_rng(7)
    days = chance.multivariate_normal(np.zeros(len(FACTORS)), raw_covariance(), 4_000)
    sample = days.T @ days / len(days)
    stated = [FACTORS.index(name) for name in ("VALUE", "RATES", "SIZE")]
    scenario = shocks(VALUE=0.30, RATES=0.01, SIZE=-0.05)
    expected = conditional_shocks(scenario, sample)[0]
    for free in set(range(len(FACTORS))) - set(stated):
        fit = sm.OLS(days[:, free], days[:, stated]).fit()
        # The ridge is a millionth of each variance.
        assert expected[free] == pytest.approx(fit.params @ scenario[0, stated], abs=2e-6)


def test_conditional_shocks_are_the_mean_of_the_normal_law_given_the_stated_ones():
    """Simulated days once more: those near the stated move, averaged."""
    chance = np.random.default_rng(8)
    covariance = raw_covariance()
    days = chance.multivariate_normal(np.zeros(len(FACTORS)), covariance, 400_000)
    deviation = np.sqrt(covariance[MARKET, MARKET])
    near = days[np.abs(days[:, MARKET] + deviation) < 0.02 * deviation]
    expected = conditional_shocks(shocks(MKT=-deviation), covariance)[0]
    error = np.sqrt(np.diag(covariance) / len(near))
    assert (np.abs(near.mean(axis=0) - expected) < 4 * error + 0.02 * deviation).all()


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_plausibility_is_the_distance_scipy_s_law_gives(seed):
    covariance = drawn_covariance(seed)
    scenarios = drawn_shocks(seed, covariance)
    horizon = np.random.default_rng(seed).integers(1, 300, len(scenarios)).astype(float)
    answer = plausibility(scenarios, covariance, horizon)
    for row, scenario in enumerate(scenarios):
        stated = np.isfinite(scenario)
        count = stated.sum()
        assert answer.stated[row] == count
        if not count:
            assert np.isnan(answer.distance[row])
            assert np.isnan(answer.probability[row])
            continue
        inner = covariance[np.ix_(stated, stated)] * horizon[row]
        squared = scenario[stated] @ np.linalg.inv(inner) @ scenario[stated]
        assert answer.distance[row] ** 2 == pytest.approx(squared, rel=1e-4)
        law = stats.f.sf(squared / count * 5 / 3, count, 5)
        assert answer.probability[row] == pytest.approx(law, rel=1e-3)


def test_the_f_law_is_that_of_student_returns():
    """Shocks drawn from a Student t of 5 degrees of freedom have uniform probabilities."""
    chance = np.random.default_rng(9)
    covariance = residual_covariance()
    law = stats.multivariate_t(shape=covariance * 3 / 5, df=5, seed=chance)
    drawn = law.rvs(4_000)
    answer = plausibility(drawn, covariance, np.ones(len(drawn)))
    assert stats.kstest(answer.probability, "uniform").pvalue > 0.01


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_shocking_every_factor_leaves_nothing_to_expect(seed):
    covariance = drawn_covariance(seed)
    scenarios = isolated_shocks(drawn_shocks(seed, covariance))
    np.testing.assert_array_equal(conditional_shocks(scenarios, covariance), scenarios)


@given(st.integers(0, 10_000), st.floats(-10, 10))
@settings(max_examples=60, deadline=None)
def test_conditional_shocks_are_linear_and_keep_what_is_stated(seed, scale):
    covariance = drawn_covariance(seed)
    scenarios = drawn_shocks(seed, covariance)
    expected = conditional_shocks(scenarios, covariance)
    stated = np.isfinite(scenarios)
    np.testing.assert_array_equal(expected[stated], scenarios[stated])
    assert np.isfinite(expected).all()
    scaled = conditional_shocks(scale * scenarios, covariance)
    deviation = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(scaled / deviation, scale * expected / deviation, atol=1e-8)


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_order_of_factors_does_not_matter(seed):
    covariance = drawn_covariance(seed)
    scenarios = drawn_shocks(seed, covariance)
    order = np.random.default_rng(seed).permutation(len(covariance))
    there = conditional_shocks(scenarios[:, order], covariance[np.ix_(order, order)])
    deviation = np.sqrt(np.diag(covariance))[order]
    expected = conditional_shocks(scenarios, covariance)[:, order]
    np.testing.assert_allclose(there / deviation, expected / deviation, atol=1e-9)


def test_the_unit_of_a_factor_does_not_matter():
    """Yields in decimals or in basis points: the ridge is relative."""
    covariance = residual_covariance() + 1e-9
    unit = np.where(np.array(FACTORS) == "RATES", 1e4, 1.0)
    scenario = shocks(RATES=0.01, MKT=-0.05)
    expected = conditional_shocks(scenario, covariance)
    other = conditional_shocks(scenario * unit, covariance * np.outer(unit, unit))
    np.testing.assert_allclose(other, expected * unit, rtol=1e-9, atol=1e-15)


def test_a_scenario_that_states_nothing_moves_nothing():
    assert (conditional_shocks(shocks(), residual_covariance()) == 0).all()


def test_what_is_not_known_of_a_factor_spoils_only_what_rests_on_it():
    covariance = residual_covariance()
    size, value = FACTORS.index("SIZE"), FACTORS.index("VALUE")
    covariance[size, :] = covariance[:, size] = np.nan
    expected = conditional_shocks(shocks(MKT=-0.10), covariance)[0]
    assert np.isnan(expected[size])
    assert np.isfinite(np.delete(expected, size)).all()
    given_size = conditional_shocks(shocks(SIZE=-0.10), covariance)[0]
    assert given_size[size] == -0.10
    assert np.isnan(given_size[[MARKET, value]]).all()
    assert np.isnan(plausibility(shocks(SIZE=-0.10), covariance, MONTH).probability[0])
    covariance[size, :] = covariance[:, size] = 0
    assert np.isnan(conditional_shocks(shocks(SIZE=-0.10), covariance)[0, MARKET])


def test_total_returns_become_spreads_less_the_market_s_part():
    """VALUE is VTV - VUG less what the market explains of it."""
    stated = np.full((1, len(ETFS) + 1), np.nan)
    for etf, value in (("SPY", -0.20), ("VTV", -0.10), ("VUG", -0.25), ("USMV", -0.10)):
        stated[0, ETFS.index(etf)] = value
    found = spread_shocks(stated, legs(), market_slopes(), MARKET)
    assert of(found, "MKT") == -0.20
    assert of(found, "VALUE") == pytest.approx(0.15 - (0.80 - 1.18) * -0.20, abs=1e-12)
    assert of(found, "LOWVOL") == pytest.approx(-0.10 - 0.62 * -0.20, abs=1e-12)
    # Of IWM, MTUM, QUAL and the yield nothing is said.
    assert all(np.isnan(of(found, name)) for name in ("SIZE", "MOM", "QUAL", "RATES"))


def test_a_spread_is_free_while_the_market_is():
    stated = np.full((1, len(ETFS) + 1), np.nan)
    stated[0, [ETFS.index("VTV"), ETFS.index("VUG")]] = (0.2, -0.1)
    stated[0, -1] = 0.01
    found = spread_shocks(stated, legs(), market_slopes(), MARKET)
    assert np.isnan(of(found, "VALUE"))
    assert of(found, "RATES") == 0.01


def simulated(sessions, seed=3):
    """Return days of calm with a crisis of a tenth of them, three times as wild."""
    chance = np.random.default_rng(seed)
    scale = np.where(np.arange(sessions) % 1_000 < 100, 3.0, 1.0)[:, None]
    drawn = chance.multivariate_normal(np.zeros(len(FACTORS)), residual_covariance(), sessions)
    return drawn * scale


def test_the_stress_covariance_is_the_mixture_by_hand():
    days = simulated(3_000)
    volatility = np.array(
        [np.sqrt((days[row - 20 : row + 1, MARKET] ** 2).mean()) for row in range(20, len(days))]
    )
    worst = days[20:][volatility >= np.quantile(volatility, 0.9)]
    assert len(worst) == 298
    by_hand = 0.6 * days.T @ days / len(days) + 0.4 * worst.T @ worst / len(worst)
    np.testing.assert_allclose(stress_covariance(days, MARKET), by_hand, rtol=1e-12)
    # Stress is wilder than the whole sample, and calm days alone less so.
    assert by_hand[MARKET, MARKET] > 1.5 * (days[:, MARKET] ** 2).mean()


def test_the_stress_covariance_is_positive_definite_and_symmetric():
    found = stress_covariance(simulated(1_500), MARKET)
    np.testing.assert_array_equal(found, found.T)
    assert np.linalg.eigvalsh(found).min() > 0


def test_the_stress_covariance_does_not_know_a_young_factor():
    days = simulated(2_600)
    young = FACTORS.index("QUAL")
    days[:1_400, young] = np.nan
    found = stress_covariance(days, MARKET)
    assert np.isnan(found[young]).all()
    assert np.isnan(found[:, young]).all()
    rest = np.delete(np.delete(found, young, 0), young, 1)
    np.testing.assert_allclose(
        rest, stress_covariance(np.delete(days, young, 1), MARKET), rtol=1e-14
    )


def test_the_stress_covariance_wants_five_years_of_complete_sessions():
    assert LEAST_SESSIONS == 1_260
    assert np.isnan(stress_covariance(simulated(1_259), MARKET)).all()
    assert np.isfinite(stress_covariance(simulated(1_260), MARKET)).all()
    gaps = simulated(2_600)
    gaps[::2, 3] = np.nan
    gaps[1::4, 4] = np.nan
    assert np.isnan(stress_covariance(gaps, MARKET)).all()


def test_a_gap_in_the_market_costs_its_sessions_only():
    days = simulated(3_000)
    days[500, MARKET] = np.nan
    found = stress_covariance(days, MARKET)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(
        found, stress_covariance(simulated(3_000), MARKET), rtol=0.05, atol=2e-6
    )

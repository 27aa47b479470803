"""Factors are what is left of funds, loadings what returns were made of, nothing looks ahead."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.quant.covariance import exponential_weights
from risk_engine.quant.factors import (
    FACTORS,
    FUNDS,
    PRIOR_DEVIATIONS,
    estimate_loadings,
    factor_returns,
    residual,
    specific_variance,
)
from risk_engine.quant.market_beta import market_betas
from risk_engine.quant.regression import newey_west_lag
from risk_engine.quant.shrinkage import Prior

NAN = np.nan
EXPECTED = np.r_[1.0, np.zeros(len(FACTORS) - 1)]


def funds(sessions=800, seed=1):
    """Return fund returns, cash and yield changes: heavy tails, one market in all of them."""
    chance = np.random.default_rng(seed)
    cash = np.full(sessions, 1.5e-4)
    yields = chance.normal(0, 5e-4, sessions)
    market = chance.standard_t(5, sessions) * 0.008
    betas = np.array([1, 1.1, 0.9, 1.05, 1, 1, 0.7, 0.35, 0])
    own = chance.normal(0, 1, (sessions, 9)) * [0, 6, 3, 3, 5, 4, 4, 3, 0.5] * 1e-3
    returns = market[:, None] * betas + own + cash[:, None]
    returns[:, FUNDS.index("IEF")] -= 7 * yields
    returns[:, FUNDS.index("HYG")] -= 3 * yields
    return returns, cash, yields


def factors(sessions=800, seed=1):
    returns, cash, yields = funds(sessions, seed)
    return factor_returns(returns, cash, yields, 3 / 7)


def believed(securities, mean=EXPECTED, deviation=PRIOR_DEVIATIONS):
    return Prior(np.tile(mean, (securities, 1)), np.array(deviation))


def securities(panel, loadings, noise=0.01, seed=2):
    chance = np.random.default_rng(seed)
    own = chance.normal(0, noise, (len(panel), len(loadings)))
    return np.nan_to_num(panel) @ np.asarray(loadings).T + own


def test_each_factor_is_its_spread():
    returns, cash, yields = funds()
    panel = factor_returns(returns, cash, yields, 3 / 7)
    named = dict(zip(FUNDS, returns.T, strict=True))
    np.testing.assert_array_equal(panel[:, 0], named["SPY"] - cash)
    np.testing.assert_array_equal(panel[:, 1], yields)
    spread = named["VTV"] - named["VUG"]
    for row in (252, 500, 799):
        past = slice(row - 252, row)
        slope = np.polyfit(panel[past, 0], spread[past], 1)[0]
        expected = spread[row] - slope * panel[row, 0]
        assert panel[row, FACTORS.index("VALUE")] == pytest.approx(expected, rel=1e-9)
    assert np.isnan(panel[:252, 2:]).all()
    assert np.isfinite(panel[252:]).all()


def test_the_market_is_out_of_spreads_and_the_rates_are_out_of_credit():
    panel = factors(3_000)[252:]
    correlation = np.corrcoef(panel.T)
    assert np.abs(correlation[0, 2:]).max() < 0.06
    assert abs(correlation[1, FACTORS.index("CREDIT")]) < 0.06


def test_no_session_knows_what_comes_after_it():
    returns, cash, yields = funds()
    changed = returns.copy()
    changed[600:] *= -3
    before, after = (factor_returns(some, cash, yields, 3 / 7) for some in (returns, changed))
    np.testing.assert_array_equal(before[:600], after[:600])
    # And the last session's slope is of the sessions before it.
    changed = returns.copy()
    changed[-1, FUNDS.index("SPY")] += 0.1
    moved = factor_returns(changed, cash, yields, 3 / 7)
    slope = (moved[-1] - factors()[-1])[2:] / 0.1
    assert slope[FACTORS.index("LOWVOL") - 2] == pytest.approx(-0.7, abs=0.1)


def test_a_longer_history_changes_no_factor():
    returns, cash, yields = funds()
    long = factor_returns(returns, cash, yields, 3 / 7)
    short = factor_returns(returns[200:], cash[200:], yields[200:], 3 / 7)
    np.testing.assert_array_equal(long[452:], short[252:])


def test_gaps_are_passed_over_and_too_many_are_not_known():
    chance = np.random.default_rng(3)
    market = chance.normal(0, 0.01, 600)
    spread = 0.5 * market[:, None] + chance.normal(0, 0.001, (600, 1))
    holed = spread.copy()
    holed[300:320] = NAN
    full, some = residual(spread, market), residual(holed, market)
    assert np.isnan(some[300:320]).all()
    np.testing.assert_allclose(some[330:], full[330:], atol=2e-3)
    holed[252:400] = NAN
    assert np.isnan(residual(holed, market)[400:478]).all()


def test_loadings_are_those_returns_were_made_of():
    panel = factors(seed=4)
    truth = np.array([[1.0] + [0] * 7, [1.3, -2, 0.5, 0, 0, 0, 0, 0.4], [0, -7, 0, 0, 0, 0, 0, 0]])
    found = estimate_loadings(
        panel, securities(panel, truth, noise=1e-3), believed(3), np.full(3, 1e-9)
    )
    assert (np.abs(found.loadings - truth) < 4 * found.errors).all()
    assert np.abs(found.loadings - truth).max(where=np.arange(8) != 1, initial=0) < 0.06
    np.testing.assert_allclose(found.specific_variance, 1e-6, rtol=0.25)
    assert (found.r_squared > 0.5).all()


def test_the_market_fund_loads_on_the_market_alone():
    returns, cash, yields = funds()
    panel = factor_returns(returns, cash, yields, 3 / 7)
    found = estimate_loadings(panel, panel[:, [0]], believed(1), np.full(1, 0.01**2 / 252))
    np.testing.assert_allclose(found.loadings[0], EXPECTED, atol=1e-9)
    assert found.r_squared[0] == pytest.approx(1)
    assert found.specific_variance[0] == pytest.approx(0.01**2 / 252)


def test_with_weak_beliefs_it_is_statsmodels():
    panel = factors(seed=5)
    excess = securities(panel, [EXPECTED * 1.2] * 3, seed=6)
    excess[-400:-300, 1] = NAN
    found = estimate_loadings(panel, excess, believed(3, deviation=[1e9] * 8), np.zeros(3))
    weights = exponential_weights(504, 126)
    x = sm.add_constant(panel[-504:])
    for security in range(3):
        y = excess[-504:, security]
        there = np.isfinite(y)
        theirs = sm.WLS(y[there], x[there], weights[there]).fit()
        np.testing.assert_allclose(found.loadings[security], theirs.params[1:], rtol=1e-6)
        np.testing.assert_allclose(found.residuals[there, security], theirs.resid, atol=1e-9)
    assert found.observations.tolist() == [504, 404, 504]


def test_few_sessions_are_not_estimated():
    panel = factors()
    excess = securities(panel, [EXPECTED] * 3)
    excess[:-89, 1], excess[:-90, 2] = NAN, NAN
    found = estimate_loadings(panel, excess, believed(3), np.zeros(3))
    for values in (found.loadings[:, 0], found.errors[:, 0], found.specific_variance):
        assert np.isnan(values).tolist() == [False, True, False]
    # Ninety sessions are one fold: there are no others to predict it by.
    assert np.isnan(found.r_squared).tolist() == [False, True, True]
    # The fewer tell, the nearer to what is believed.
    assert found.errors[2, 0] > found.errors[0, 0]


@given(st.integers(0, 200), st.floats(-3, 3).filter(lambda size: abs(size) > 0.01))
@settings(max_examples=10, deadline=None)
def test_leverage_scales_loadings_where_beliefs_are_weak(seed, size):
    panel = factors(600, seed=7)
    excess = securities(panel, [EXPECTED], seed=seed)
    weak = believed(1, deviation=[1e9] * 8)
    one, other = (
        estimate_loadings(panel, some, weak, np.zeros(1)) for some in (excess, size * excess)
    )
    np.testing.assert_allclose(other.loadings, size * one.loadings, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(other.errors, abs(size) * one.errors, rtol=1e-5)
    np.testing.assert_allclose(other.specific_variance, size**2 * one.specific_variance, rtol=1e-6)
    np.testing.assert_allclose(other.r_squared, one.r_squared, atol=1e-6)


def test_no_security_depends_on_its_company():
    panel = factors()
    excess = securities(panel, np.random.default_rng(8).normal(0, 0.5, (9, 8)))
    together = estimate_loadings(panel, excess, believed(9), np.full(9, 1e-5))
    alone = estimate_loadings(panel, excess[:, [4]], believed(1), np.full(1, 1e-5))
    np.testing.assert_allclose(together.loadings[4], alone.loadings[0], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(together.errors[4], alone.errors[0], rtol=1e-10)
    np.testing.assert_allclose(together.r_squared[4], alone.r_squared[0], rtol=1e-10)


def test_the_specific_variance_is_today_s_pulled_to_where_it_has_been():
    chance = np.random.default_rng(9)
    residuals = chance.normal(0, 0.01, (504, 4))
    residuals[-30:, 1] *= 3
    residuals[:400, 2], residuals[:, 3] = NAN, NAN
    found = specific_variance(residuals, np.array([0, 0, 1.0, 0]))
    for security in (0, 1):
        square = residuals[:, security] ** 2
        fast, slow = (np.average(square, weights=exponential_weights(504, h)) for h in (63, 126))
        assert found[security] == pytest.approx(0.75 * fast + 0.25 * slow)
    assert found[2] == 1.0
    assert np.isnan(found[3])


def thick(*securities):
    return np.zeros(len(securities[0].T), bool)


def test_market_betas_are_those_of_statsmodels():
    chance = np.random.default_rng(10)
    market = chance.normal(0, 0.01, 300)
    excess = market[:, None] * [0.5, 1.0, 2.0] + chance.normal(0, 0.01, (300, 3))
    found = market_betas(excess, market, thick(excess))
    x, weights = sm.add_constant(market[-252:]), exponential_weights(252, 126)
    for security in range(3):
        y = excess[-252:, security]
        theirs = sm.WLS(y, x, weights).fit(
            cov_type="HAC", cov_kwds={"maxlags": newey_west_lag(252), "use_correction": False}
        )
        assert found.beta[security] == pytest.approx(theirs.params[1], rel=1e-9)
        assert found.r_squared[security] == pytest.approx(theirs.rsquared, rel=1e-9)
        assert theirs.bse[1] < found.error[security] < 1.05 * theirs.bse[1]


def test_a_report_that_surprises_moves_no_beta():
    chance = np.random.default_rng(11)
    market = chance.normal(0, 0.01, 252)
    calm = 1.2 * market[:, None] + chance.normal(0, 0.01, (252, 1))
    surprised = calm.copy()
    surprised[200] += 0.6 * np.sign(market[200])
    one, other = (market_betas(some, market, thick(some)) for some in (calm, surprised))
    assert abs(other.beta[0] - one.beta[0]) < 0.1 * one.error[0] + 0.05
    assert np.abs(other.beta[0] - 1.2) < 3 * other.error[0]


def test_thin_trading_is_dimson_s_and_the_others_are_not_touched():
    chance = np.random.default_rng(12)
    market = chance.normal(0, 0.01, 253)
    late = np.r_[0, 0.5 * market[:-1]] + 0.5 * market
    excess = np.column_stack((late, 0.8 * market)) + chance.normal(0, 1e-4, (253, 2))
    found = market_betas(excess, market, np.array([True, False]))
    assert found.beta == pytest.approx([1.0, 0.8], abs=0.02)
    assert market_betas(excess, market, thick(excess)).beta[0] == pytest.approx(0.5, abs=0.05)


def test_less_than_sixty_sessions_have_no_beta():
    chance = np.random.default_rng(13)
    market = chance.normal(0, 0.01, 252)
    excess = market[:, None] + chance.normal(0, 0.01, (252, 3))
    excess[:-59, 0], excess[:-60, 1], excess[:, 2] = NAN, NAN, NAN
    found = market_betas(excess, market, thick(excess))
    assert np.isnan(found.beta).tolist() == [True, False, True]
    assert found.observations.tolist() == [59, 60, 0]


@given(st.integers(0, 100))
@settings(max_examples=10, deadline=None)
def test_selling_short_turns_the_beta(seed):
    chance = np.random.default_rng(seed)
    market = chance.normal(0, 0.01, 252)
    excess = market[:, None] + chance.standard_t(3, (252, 4)) * 0.01
    long, short = (market_betas(some, market, thick(some)) for some in (excess, -excess))
    np.testing.assert_allclose(short.beta, -long.beta, rtol=1e-9)
    np.testing.assert_allclose(short.error, long.error, rtol=1e-9)

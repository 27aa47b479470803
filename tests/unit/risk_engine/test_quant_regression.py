"""Many regressions at once are each of them: against statsmodels, scipy, and certified data."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import linregress
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.sandwich_covariance import S_hac_simple

from risk_engine.quant.covariance import exponential_weights, kish
from risk_engine.quant.regression import (
    clip_residuals,
    combination,
    condition_number,
    errors_of,
    homoskedastic_covariance,
    least_squares,
    moments,
    newey_west_covariance,
    newey_west_lag,
    variance_inflation,
)

NAN = np.nan
# NIST StRD, Norris: ozone monitors calibrated against a standard (y, x).
NORRIS = np.fromstring(
    """0.1 0.2 338.8 337.4 118.1 118.2 888.0 884.6 9.2 10.1 228.1 226.5 668.5 666.3 998.5 996.3
    449.1 448.6 778.9 777.0 559.2 558.2 0.3 0.4 0.1 0.6 778.1 775.5 668.8 666.9 339.3 338.0
    448.9 447.5 10.8 11.6 557.7 556.0 228.3 228.1 998.0 995.8 888.8 887.6 119.6 120.2 0.3 0.3
    0.6 0.3 557.6 556.8 339.3 339.1 888.0 887.2 998.5 999.0 778.9 779.0 10.2 11.1 117.6 118.3
    228.9 229.2 668.4 669.1 449.2 448.9 0.2 0.5""",
    sep=" ",
).reshape(-1, 2)
ANSCOMBE_I = (
    np.array([10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5.0]),
    np.array([8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]),
)


def with_intercept(*columns):
    return np.column_stack((np.ones(len(columns[0])), *columns))


def fitted(x, y, weights=None):
    weights = np.ones(len(x)) if weights is None else weights
    data = moments(x, y, weights)
    return data, least_squares(x, y, data)


def drawn(sessions=252, regressors=3, series=12, seed=1, gaps=0.0):
    """Return regressors with an intercept, and series with heavy tails and gaps of their own."""
    chance = np.random.default_rng(seed)
    x = with_intercept(*(chance.standard_t(5, (regressors, sessions)) * 0.01))
    loadings = chance.normal(0, 1, (regressors + 1, series)) * [[1e-4]] + 0.5
    y = x @ loadings + chance.standard_t(4, (sessions, series)) * np.abs(x[:, [1]]) * 2
    y[chance.random(y.shape) < gaps] = NAN
    return x, y


def test_c14_34_the_certified_line_of_norris():
    y, x = NORRIS.T
    data, fit = fitted(with_intercept(x), y[:, None])
    assert fit.coefficients[0, 1] == pytest.approx(1.00211681802045, rel=1e-13)
    assert fit.coefficients[0, 0] == pytest.approx(-0.262323073774029, rel=1e-11)
    assert fit.r_squared[0] == pytest.approx(0.999993745883712, rel=1e-13)
    errors = errors_of(homoskedastic_covariance(data, fit.variance))
    assert errors[0, 1] == pytest.approx(0.000429796848199937, rel=1e-11)


def test_c14_35_longley_s_collinear_economy():
    known = sm.datasets.longley.load_pandas()
    x = known.exog.to_numpy(float)
    data, fit = fitted(with_intercept(*x.T), known.endog.to_numpy(float)[:, None])
    assert fit.coefficients[0, 0] == pytest.approx(-3482258.6346, rel=1e-10)
    assert fit.r_squared[0] == pytest.approx(0.995479, abs=5e-7)
    expected = {
        "GNPDEFL": 135.53,
        "GNP": 1788.51,
        "UNEMP": 33.62,
        "ARMED": 3.59,
        "POP": 399.15,
        "YEAR": 758.98,
    }
    inflation = dict(zip(known.exog.columns, variance_inflation(x), strict=True))
    assert inflation == pytest.approx(expected, abs=0.005)
    assert condition_number(with_intercept(*x.T)) == pytest.approx(43275, rel=1e-4)
    assert errors_of(homoskedastic_covariance(data, fit.variance))[0, 0] == pytest.approx(
        890420.383607373, rel=1e-7
    )


def test_c14_36_anscombe_s_first():
    x, y = ANSCOMBE_I
    data, fit = fitted(with_intercept(x), y[:, None])
    assert fit.coefficients[0] == pytest.approx([3.0001, 0.5001], abs=5e-5)
    assert fit.r_squared[0] == pytest.approx(0.6665, abs=5e-5)
    error = errors_of(homoskedastic_covariance(data, fit.variance))[0, 1]
    assert fit.coefficients[0, 1] / error == pytest.approx(4.241, abs=5e-4)
    theirs = linregress(x, y)
    assert (fit.coefficients[0, 1], error) == pytest.approx((theirs.slope, theirs.stderr))


@pytest.mark.parametrize(("gaps", "half_life"), [(0, np.inf), (0, 126), (0.3, 126), (0.6, 40)])
def test_each_series_is_statsmodels_on_the_sessions_it_has(gaps, half_life):
    x, y = drawn(gaps=gaps, seed=2)
    weights = exponential_weights(len(x), half_life)
    data, fit = fitted(x, y, weights)
    errors = errors_of(homoskedastic_covariance(data, fit.variance))
    for series in range(y.shape[1]):
        there = np.isfinite(y[:, series])
        own = weights[there] * weights[there].sum() / (weights[there] ** 2).sum()
        theirs = sm.WLS(y[there, series], x[there], weights=own).fit()
        np.testing.assert_allclose(fit.coefficients[series], theirs.params, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(fit.residuals[there, series], theirs.resid, atol=1e-13)
        assert fit.r_squared[series] == pytest.approx(theirs.rsquared, rel=1e-10)
        assert np.isnan(fit.residuals[~there, series]).all()
        # Theirs counts sessions, ours what they tell.
        count, effective = there.sum(), kish(weights[there])
        scale = np.sqrt((count - x.shape[1]) / (effective - x.shape[1]))
        np.testing.assert_allclose(errors[series], theirs.bse * scale, rtol=1e-9)
        assert data.observations[series] == count
        assert data.effective[series] == pytest.approx(effective)


def hac_errors(x, y, weights, lag):
    """Return Newey and West's errors by statsmodels, of scores whose residuals are HC3's."""
    own = np.sqrt(weights)
    theirs = sm.OLS(y * own, x * own[:, None]).fit()
    residuals = theirs.resid / (1 - theirs.get_influence().hat_matrix_diag)
    middle = S_hac_simple(x * (own * residuals)[:, None], nlags=lag)
    bread = theirs.normalized_cov_params
    return np.sqrt(np.diag(bread @ middle @ bread))


@pytest.mark.parametrize(("sessions", "half_life"), [(83, np.inf), (252, 126), (504, 126)])
def test_errors_are_newey_and_west_s(sessions, half_life):
    x, y = drawn(sessions, seed=3)
    weights = exponential_weights(sessions, half_life)
    data, fit = fitted(x, y, weights)
    lag = newey_west_lag(sessions)
    errors = errors_of(newey_west_covariance(x, data, fit, lag))
    for series in range(y.shape[1]):
        theirs = hac_errors(x, y[:, series], weights * kish(weights), lag)
        np.testing.assert_allclose(errors[series], theirs, rtol=1e-9)
        plain = sm.WLS(y[:, series], x, weights=weights).fit(
            cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": False}
        )
        assert (errors[series] > plain.bse).all()


def test_without_a_lag_they_are_mackinnon_and_white_s():
    x, y = drawn(seed=4)
    data, fit = fitted(x, y)
    errors = errors_of(newey_west_covariance(x, data, fit, 0))
    for series in range(y.shape[1]):
        theirs = sm.OLS(y[:, series], x).fit(cov_type="HC3")
        np.testing.assert_allclose(errors[series], theirs.bse, rtol=1e-9)


def test_a_session_that_decides_alone_has_an_error_of_something():
    """Its residual is zero whatever was true, and 1 less its leverage is too."""
    x = with_intercept(np.r_[np.zeros(59), 1.0])
    y = np.random.default_rng(13).normal(size=(60, 1))
    data, fit = fitted(x, y)
    assert np.isfinite(newey_west_covariance(x, data, fit, 3)).all()


@pytest.mark.parametrize(("sessions", "lag"), [(83, 3), (100, 4), (251, 4), (504, 5)])
def test_the_lag_follows_the_rule(sessions, lag):
    assert newey_west_lag(sessions) == lag


def test_inflation_is_statsmodels_and_so_is_the_condition():
    chance = np.random.default_rng(5)
    x = chance.normal(size=(200, 5)) @ chance.normal(size=(5, 5)) * [1, 10, 0.1, 1e-4, 1e3] + 3
    full = with_intercept(*x.T)
    theirs = [variance_inflation_factor(full, column) for column in range(1, 6)]
    np.testing.assert_allclose(variance_inflation(x), theirs, rtol=1e-9)
    scaled = x / np.linalg.norm(x, axis=0)
    assert condition_number(x) == pytest.approx(np.linalg.cond(scaled))


def test_a_regressor_that_the_others_determine_is_inflated_without_bound():
    chance = np.random.default_rng(6)
    x = chance.normal(size=(50, 2))
    three = np.column_stack((x, x.sum(axis=1)))
    assert np.isinf(variance_inflation(three)).all()
    still = np.column_stack((x, np.full(50, 2.0)))
    assert np.isnan(variance_inflation(still)).tolist() == [False, False, True]
    assert condition_number(np.column_stack((x, np.zeros(50)))) == np.inf
    _, fit = fitted(with_intercept(*three.T), chance.normal(size=(50, 1)))
    assert np.isnan(fit.coefficients).all()


def test_a_series_without_enough_sessions_is_not_fitted_and_costs_the_others_nothing():
    x, y = drawn(seed=7)
    _, alone = fitted(x, y)
    y = np.column_stack((y, np.full((len(y), 3), NAN)))
    y[:3, -2], y[:, -1] = 0.01, 0.0
    data, fit = fitted(x, y)
    np.testing.assert_allclose(fit.coefficients[:-3], alone.coefficients, rtol=1e-12)
    assert np.isnan(fit.coefficients[-3:-1]).all()
    assert np.isnan(fit.variance[-3:-1]).all()
    assert data.observations[-3:].tolist() == [0, 3, len(x)]
    # What never moves has a slope of zero and no share explained.
    assert fit.coefficients[-1] == pytest.approx(0)
    assert np.isnan(fit.r_squared[-1])


def test_a_session_without_a_regressor_counts_for_nobody():
    x, y = drawn(seed=8)
    holed = x.copy()
    holed[10:30, 2] = NAN
    rest = np.r_[0:10, 30 : len(x)]
    _, fit = fitted(holed, y)
    _, expected = fitted(x[rest], y[rest])
    np.testing.assert_allclose(fit.coefficients, expected.coefficients, rtol=1e-11)
    assert np.isnan(fit.residuals[10:30]).all()


def test_residuals_are_cut_at_five_robust_deviations():
    x, y = drawn(seed=9, gaps=0.1)
    y[100, 0] += 3
    _, fit = fitted(x, y)
    cut = clip_residuals(y, fit)
    for series in range(y.shape[1]):
        left = fit.residuals[:, series]
        there = np.isfinite(left)
        bound = 5 * 1.4826 * np.median(np.abs(left[there]))
        expected = y[there, series] - left[there] + np.clip(left[there], -bound, bound)
        np.testing.assert_allclose(cut[there, series], expected, rtol=1e-12, atol=1e-15)
        assert np.isnan(cut[~there, series]).all()
    assert cut[100, 0] < y[100, 0] - 2


def test_cutting_leaves_alone_what_has_no_deviation():
    x = with_intercept(np.linspace(-1, 1, 50))
    y = np.column_stack((np.zeros(50), np.full(50, NAN)))
    y[7, 0] = 1e-3
    _, fit = fitted(x, np.zeros((50, 2)))
    still = np.zeros((50, 2))
    np.testing.assert_array_equal(clip_residuals(still, fit), still)
    _, fit = fitted(x, y)
    assert np.isnan(clip_residuals(y, fit)[:, 1]).all()


def test_dimson_s_sum_finds_the_beta_of_what_trades_late():
    chance = np.random.default_rng(10)
    market = chance.normal(0, 0.01, 2_002)
    late = 0.6 * market[1:-1] + 0.5 * market[:-2] + chance.normal(0, 0.005, 2_000)
    x = with_intercept(market[:-2], market[1:-1], market[2:])
    data, fit = fitted(x, late[:, None])
    covariance = newey_west_covariance(x, data, fit, 8)
    beta, error = combination(fit.coefficients, covariance, np.array([0.0, 1, 1, 1]))
    theirs = sm.OLS(late, x).fit(cov_type="HAC", cov_kwds={"maxlags": 8})
    test = theirs.t_test([0, 1, 1, 1])
    assert beta[0] == pytest.approx(test.effect[0], rel=1e-10)
    # Of two thousand sessions none has much leverage.
    assert error[0] == pytest.approx(test.sd[0, 0], rel=0.01)
    assert abs(beta[0] - 1.1) < 3 * error[0]


@given(st.integers(0, 500), st.floats(1e-4, 1e4), st.floats(1e-6, 1e3))
@settings(max_examples=25, deadline=None)
def test_units_change_only_units(seed, of_regressor, of_series):
    x, y = drawn(90, series=3, seed=seed, gaps=0.1)
    scale = np.array([1, of_regressor, 1, 1])
    data, fit = fitted(x, y)
    other_data, other = fitted(x * scale, y * of_series)
    np.testing.assert_allclose(
        other.coefficients * scale / of_series, fit.coefficients, rtol=1e-7, atol=1e-10
    )
    np.testing.assert_allclose(other.r_squared, fit.r_squared, rtol=1e-8)
    np.testing.assert_allclose(
        errors_of(newey_west_covariance(x * scale, other_data, other, 3)) * scale / of_series,
        errors_of(newey_west_covariance(x, data, fit, 3)),
        rtol=1e-7,
    )


@given(st.permutations(range(12)))
@settings(max_examples=10, deadline=None)
def test_no_series_depends_on_its_company(order):
    x, y = drawn(100, seed=11, gaps=0.2)
    data, fit = fitted(x, y)
    mixed_data, mixed = fitted(x, y[:, order])
    np.testing.assert_allclose(mixed.coefficients, fit.coefficients[order], rtol=1e-12)
    np.testing.assert_allclose(
        newey_west_covariance(x, mixed_data, mixed, 4),
        newey_west_covariance(x, data, fit, 4)[order],
        rtol=1e-11,
    )

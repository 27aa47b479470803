"""Shrinkage is Bayes' rule: against scikit-learn, the augmented regression, and what it is for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import BayesianRidge, Ridge

from risk_engine.quant.covariance import exponential_weights
from risk_engine.quant.regression import (
    least_squares,
    long_run_covariance,
    moments,
    newey_west_covariance,
)
from risk_engine.quant.shrinkage import (
    Prior,
    blocked_folds,
    blume,
    choose_prior,
    cross_sectional_deviation,
    out_of_sample_errors,
    prediction_losses,
    ridge,
    robust_covariance,
    validated_deviation,
    vasicek,
)

NAN, INF = np.nan, np.inf


def drawn(sessions=200, regressors=4, series=6, seed=1, noise=0.02):
    chance = np.random.default_rng(seed)
    x = np.column_stack((np.ones(sessions), chance.normal(0, 0.01, (sessions, regressors))))
    loadings = chance.normal(0, 0.5, (series, regressors + 1)) * np.r_[1e-4, np.ones(regressors)]
    y = x @ loadings.T + chance.normal(0, noise, (sessions, series))
    return x, y, loadings


def believed(series, *deviation, mean=0.0):
    return Prior(np.full((series, len(deviation)), mean), np.array(deviation))


def test_a_ridge_to_zero_is_scikit_learn_s():
    x, y, _ = drawn()
    variance = np.full(6, 0.02**2)
    fit = ridge(moments(x, y, np.ones(200)), variance, believed(6, INF, 0.5, 0.5, 0.5, 0.5))
    for series in range(6):
        theirs = Ridge(alpha=0.02**2 / 0.5**2).fit(x[:, 1:], y[:, series])
        np.testing.assert_allclose(fit.coefficients[series, 1:], theirs.coef_, rtol=1e-10)
        assert fit.coefficients[series, 0] == pytest.approx(theirs.intercept_, rel=1e-9)


def test_errors_are_those_of_scikit_learn_s_bayesian_ridge():
    """With its own estimates of both variances, and data about zero instead of an intercept."""
    x, y, _ = drawn(seed=2)
    centred = x[:, 1:] - x[:, 1:].mean(axis=0)
    for series in range(6):
        own = y[:, series] - y[:, series].mean()
        theirs = BayesianRidge(fit_intercept=False).fit(centred, own)
        fit = ridge(
            moments(centred, own[:, None], np.ones(200)),
            np.array([1 / theirs.alpha_]),
            believed(1, *[theirs.lambda_**-0.5] * 4),
        )
        # It stops when what it believes changes by less than 1e-3: its mean is of the step before.
        np.testing.assert_allclose(fit.coefficients[0], theirs.coef_, rtol=2e-3)
        np.testing.assert_allclose(fit.covariance[0], theirs.sigma_, rtol=5e-3, atol=1e-7)


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_a_belief_is_as_good_as_more_data(mean):
    """A prior is a row that says so: least squares on both, weighted by precision."""
    x, y, _ = drawn(seed=3)
    weights = exponential_weights(200, 126)
    data = moments(x, y, weights)
    deviation = np.array([INF, 0.4, 0.5, 5.0, 0.5])
    variance = np.linspace(0.01, 0.03, 6) ** 2
    fit = ridge(data, variance, Prior(np.full((6, 5), mean), deviation))
    for series in range(6):
        rows = x * np.sqrt(data.weights[:, [series]] / variance[series])
        ends = y[:, series] * np.sqrt(data.weights[:, series] / variance[series])
        more = np.diag(1 / deviation)[1:]
        stacked = np.vstack((rows, more))
        solved = np.linalg.lstsq(stacked, np.r_[ends, more @ np.full(5, mean)], rcond=None)[0]
        np.testing.assert_allclose(fit.coefficients[series], solved, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            fit.covariance[series], np.linalg.inv(stacked.T @ stacked), rtol=1e-9
        )


def test_belief_without_strength_leaves_the_data_and_without_doubt_the_belief():
    x, y, _ = drawn(seed=4)
    data, variance = moments(x, y, np.ones(200)), np.full(6, 4e-4)
    plain = least_squares(x, y, data)
    free = ridge(data, variance, believed(6, *[1e6] * 5, mean=1))
    np.testing.assert_allclose(free.coefficients, plain.coefficients, rtol=1e-6, atol=1e-9)
    sure = ridge(data, variance, believed(6, *[1e-7] * 5, mean=1))
    np.testing.assert_allclose(sure.coefficients, 1, atol=1e-6)
    empty = ridge(moments(x, y * NAN, np.ones(200)), variance, believed(6, *[0.4] * 5, mean=1))
    np.testing.assert_allclose(empty.coefficients, 1)
    np.testing.assert_allclose(empty.errors, 0.4)


def test_robust_errors_are_newey_and_west_s_without_a_belief_and_the_ridge_s_with_like_errors():
    x, y, _ = drawn(500, seed=5)
    data = moments(x, y, exponential_weights(500, 126))
    fit = least_squares(x, y, data)
    scores = long_run_covariance(x, data, fit, 4)
    free = believed(6, *[INF] * 5)
    np.testing.assert_allclose(
        robust_covariance(ridge(data, fit.variance, free), fit.variance, free, scores),
        newey_west_covariance(x, data, fit, 4),
        rtol=1e-9,
    )
    prior = believed(6, INF, 0.4, 0.5, 0.5, 0.5)
    posterior = ridge(data, fit.variance, prior)
    alike = fit.variance[:, None, None] * data.gram
    np.testing.assert_allclose(
        robust_covariance(posterior, fit.variance, prior, alike), posterior.covariance, rtol=1e-9
    )


def test_vasicek_s_beta_lies_between_and_is_surer_than_both():
    beta, error = vasicek(
        np.array([2.0, 2.0, 2.0, NAN]),
        np.array([0.4, 0.1, 4.0, NAN]),
        np.ones(4),
        np.full(4, 0.4),
    )
    assert beta == pytest.approx([1.5, (200 + 6.25) / 106.25, (0.125 + 6.25) / 6.3125, 1.0])
    assert error == pytest.approx([0.4 / np.sqrt(2), 106.25**-0.5, 6.3125**-0.5, 0.4])


@given(st.floats(-5, 5), st.floats(1e-3, 3), st.floats(-2, 2), st.floats(0.15, 2), st.booleans())
def test_vasicek_s_beta_is_symmetric(beta, error, prior, deviation, mirrored):
    sign = -1 if mirrored else 1
    one = [np.array([number]) for number in (beta, error, prior, deviation)]
    other = [np.array([number]) for number in (sign * beta, error, sign * prior, deviation)]
    shrunk, uncertain = vasicek(*one)
    assert vasicek(*other)[0] == pytest.approx(sign * shrunk)
    assert min(beta, prior) - 1e-9 <= shrunk[0] <= max(beta, prior) + 1e-9
    assert uncertain[0] <= min(error, deviation) + 1e-12


def test_the_spread_of_true_betas_is_found_behind_the_errors():
    chance = np.random.default_rng(6)
    error = chance.uniform(0.1, 0.5, 20_000)
    beta = 1 + 0.3 * chance.normal(size=20_000) + error * chance.normal(size=20_000)
    assert cross_sectional_deviation(beta, error, np.ones(20_000)) == pytest.approx(0.3, abs=0.01)
    assert cross_sectional_deviation(beta[:10], error[:10], np.ones(10)) == 0.40
    noise = 1 + error * chance.normal(size=20_000) * 0.5
    assert cross_sectional_deviation(noise, error, np.ones(20_000)) == 0.15


def test_blume_s_forecast_lies_towards_one():
    assert blume(np.array([0.0, 1.0, 2.0])) == pytest.approx([0.343, 1.02, 1.697])


def test_folds_are_blocks_and_nobody_is_trained_on_neighbours():
    folds = blocked_folds(103, 5, 5)
    assert (np.sum([judged for _, judged in folds], axis=0) == 1).all()
    for trained, judged in folds:
        assert not (trained & judged).any()
        distance = np.abs(np.subtract.outer(np.flatnonzero(trained), np.flatnonzero(judged)))
        assert distance.min() == 6
        assert np.diff(np.flatnonzero(judged)).max() == 1


def test_out_of_sample_errors_are_those_of_fits_that_have_not_seen_the_fold():
    x, y, _ = drawn(150, seed=7)
    weights = exponential_weights(150, 126)
    prior, variance = believed(6, INF, 0.4, 0.5, 0.5, 0.5), np.full(6, 4e-4)
    left, spread = out_of_sample_errors(x, y, weights, variance, prior)
    expected, around = np.zeros(6), np.zeros(6)
    for trained, judged in blocked_folds(150, 5, 5):
        for series in range(6):
            one = Prior(prior.mean[[series]], prior.deviation)
            data = moments(x[trained], y[trained][:, [series]], weights[trained])
            fit = ridge(data, variance[[series]], one)
            gap = y[judged, series] - x[judged] @ fit.coefficients[0]
            mean = np.average(y[trained, series], weights=weights[trained])
            expected[series] += weights[judged] @ gap**2
            around[series] += weights[judged] @ (y[judged, series] - mean) ** 2
    np.testing.assert_allclose(left, expected, rtol=1e-9)
    np.testing.assert_allclose(spread, around, rtol=1e-9)


def test_noise_has_no_out_of_sample_r_squared():
    """In sample it always has one: five regressors of a hundred and fifty sessions explain 3 %."""
    chance = np.random.default_rng(8)
    x, _, _ = drawn(150, seed=8)
    y = chance.normal(0, 0.02, (150, 400))
    variance, prior = np.full(400, 4e-4), believed(400, INF, 0.4, 0.5, 0.5, 0.5)
    left, spread = out_of_sample_errors(x, y, np.ones(150), variance, prior)
    assert np.mean(1 - left / spread) < 0
    assert least_squares(x, y, moments(x, y, np.ones(150))).r_squared.mean() > 0.02


@pytest.mark.parametrize("truth", [0.1, 0.5, 2.0])
def test_validation_finds_how_wide_loadings_lie(truth):
    chance = np.random.default_rng(9)
    x, _, _ = drawn(252, seed=9)
    loadings = chance.normal(0, truth, (300, 5)) * [0, 1, 1, 1, 1]
    y = x @ loadings.T + chance.normal(0, 0.03, (252, 300))
    widths = [0.02, 0.1, 0.5, 2.0, 10.0]
    candidates = [believed(300, INF, *[width] * 4) for width in widths]
    chosen = choose_prior(x, y, np.ones(252), np.full(300, 9e-4), candidates)
    assert widths[chosen] == truth


WIDTHS = [0.125 * 2 ** (step / 2) for step in range(7)]


@pytest.mark.parametrize(("truth", "noise"), [(0.2, 0.06), (0.35, 0.15), (0.5, 0.15), (0.7, 0.15)])
def test_a_deviation_is_found_between_the_candidates(truth, noise):
    """Where an estimate's error is about as wide: of much less every width is as good."""
    chance = np.random.default_rng(10)
    x, _, _ = drawn(252, seed=10)
    loadings = chance.normal(0, truth, (400, 5)) * [0, 0, 1, 1, 1]
    loadings[:, 1] = chance.normal(1, 0.3, 400)
    y = x @ loadings.T + chance.normal(0, noise, (252, 400))
    prior = Prior(np.tile([0.0, 1, 0, 0, 0], (400, 1)), np.array([INF, 0.3, 9.0, 9.0, 9.0]))
    styles = np.array([False, False, True, True, True])
    common = (x, y, np.ones(252), np.full(400, noise**2), prior)
    found = validated_deviation(*common, regressors=styles, candidates=WIDTHS)
    assert found == pytest.approx(truth, rel=0.15)
    losses = prediction_losses(
        *common[:4],
        [Prior(prior.mean, np.array([INF, 0.3, *[width] * 3])) for width in WIDTHS],
    )
    # The lowest point of the parabola through the three lowest, by somebody else's algebra.
    best = int(np.argmin(losses))
    logs = np.log2(WIDTHS[best - 1 : best + 2])
    square, slope, _ = np.polyfit(logs, losses[best - 1 : best + 2], 2)
    assert found == pytest.approx(2 ** (-slope / (2 * square)), rel=1e-6)


def test_beyond_the_candidates_the_last_one_is_taken_and_of_nothing_none():
    chance = np.random.default_rng(11)
    x, _, _ = drawn(252, seed=11)
    noise = chance.normal(0, 0.03, (252, 300))
    styles = np.array([False, True, True, True, True])
    prior, variance = believed(300, INF, 0.4, 0.5, 0.5, 0.5), np.full(300, 9e-4)
    nothing = noise + x @ (chance.normal(0, 1e-6, (300, 5)) * styles).T
    whatever = noise + x @ (chance.normal(0, 50, (300, 5)) * styles).T
    mean = np.zeros((300, 5))
    free = Prior(mean, prior.deviation)
    for y, width in ((nothing, WIDTHS[0]), (whatever, WIDTHS[-1])):
        found = validated_deviation(
            x, y, np.ones(252), variance, free, regressors=styles, candidates=WIDTHS
        )
        assert found == width
    unknown = np.full((252, 300), NAN)
    assert np.isnan(
        validated_deviation(
            x, unknown, np.ones(252), variance, prior, regressors=styles, candidates=WIDTHS
        )
    )


def test_losses_are_out_of_sample_errors_in_units_of_their_variance():
    x, y, _ = drawn(150, seed=12)
    y[:149, 0] = NAN
    variance = np.linspace(1e-4, 6e-4, 6)
    priors = [believed(6, INF, 0.4, width, width, width) for width in (0.1, 0.5)]
    losses = prediction_losses(x, y, np.ones(150), variance, priors)
    for prior, loss in zip(priors, losses, strict=True):
        left, _ = out_of_sample_errors(x, y, np.ones(150), variance, prior)
        assert np.isnan(left[0])
        assert loss == pytest.approx(np.mean((left / variance)[1:]))


@given(st.integers(0, 200))
@settings(max_examples=10, deadline=None)
def test_no_series_depends_on_its_company(seed):
    x, y, _ = drawn(seed=seed)
    prior, variance = believed(6, INF, 0.4, 0.5, 0.5, 0.5), np.full(6, 4e-4)
    together = ridge(moments(x, y, np.ones(200)), variance, prior)
    alone = ridge(
        moments(x, y[:, [2]], np.ones(200)), variance[:1], Prior(prior.mean[:1], prior.deviation)
    )
    # To the last digits of the largest: a coefficient that nearly cancels has fewer of its own.
    size = np.abs(alone.coefficients[0]).max()
    np.testing.assert_allclose(
        together.coefficients[2], alone.coefficients[0], rtol=1e-12, atol=1e-14 * size
    )

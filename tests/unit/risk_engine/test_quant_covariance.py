"""Covariances against scikit-learn and the papers, the worked examples, and what always holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf

from risk_engine.quant.covariance import (
    ewma_covariance,
    ewma_step,
    ewma_variances,
    exponential_weights,
    garch_step,
    kish,
    ledoit_wolf_constant_correlation,
    ledoit_wolf_identity,
    nearest_correlation,
    pairwise_covariance,
    sample_covariance,
    shrunk_ewma_covariance,
    to_correlation,
)

GRID = [(30, 5, 1), (252, 8, 2), (60, 40, 3), (20, 60, 4), (504, 2, 5)]


def drawn(sessions, series, seed):
    """Return returns of one common source and one each, of unlike sizes."""
    chance = np.random.default_rng(seed)
    common = chance.standard_t(5, (sessions, 1)) * chance.uniform(0.5, 1.5, series)
    own = chance.normal(size=(sessions, series))
    return (common + own) * chance.uniform(0.002, 0.03, series) + 0.0005


def test_c14_21_hull_s_ewma_variance():
    variance = ewma_step(np.array(0.01**2), np.array(0.02**2), 0.90)
    assert np.sqrt(variance) == pytest.approx(0.0114, abs=5e-5)


def test_c14_22_hull_s_garch_variance():
    variance = garch_step(np.array(0.016**2), np.array(0.01**2), 2e-6, 0.13, 0.86)
    assert variance == pytest.approx(0.00023516)
    assert np.sqrt(variance) == pytest.approx(0.0153, abs=5e-5)
    assert garch_step(np.array(0.0002), np.array(0.0002), 2e-6, 0.13, 0.86) == pytest.approx(0.0002)


def test_c14_23_hull_s_ewma_correlation():
    deviation, move = np.array([0.01, 0.02]), np.array([0.005, 0.025])
    before = np.array([[1, 0.6], [0.6, 1]]) * np.outer(deviation, deviation)
    after = ewma_step(before, np.outer(move, move), 0.95)
    np.testing.assert_allclose(np.diag(after), [9.625e-5, 4.1125e-4], rtol=1e-12)
    assert after[0, 1] == pytest.approx(1.2025e-4)
    assert to_correlation(after)[0][0, 1] == pytest.approx(0.6044, abs=5e-5)


def test_c14_33_higham_s_matrix():
    matrix = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
    near = nearest_correlation(matrix)
    expected = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
    np.testing.assert_allclose(near, expected, atol=5e-5)
    assert np.linalg.norm(matrix - near) == pytest.approx(0.5278, abs=5e-5)


@pytest.mark.parametrize(("sessions", "series", "seed"), GRID)
@pytest.mark.parametrize("demean", [False, True])
def test_the_identity_target_is_scikit_learn_s(sessions, series, seed, demean):
    returns = drawn(sessions, series, seed)
    theirs = LedoitWolf(assume_centered=not demean).fit(returns)
    ours, intensity = ledoit_wolf_identity(returns, demean=demean)
    np.testing.assert_allclose(ours, theirs.covariance_, rtol=1e-10, atol=1e-18)
    assert intensity == pytest.approx(theirs.shrinkage_, rel=1e-10)


def constant_correlation(returns):
    """Return the estimator of 2004b, written out index by index as in its appendix."""
    count, series = returns.shape
    sample = returns.T @ returns / count
    root = np.sqrt(np.diag(sample))
    pairs = [(i, j) for i in range(series) for j in range(series) if i != j]
    mean = np.mean([sample[i, j] / (root[i] * root[j]) for i, j in pairs])
    target = np.array(
        [
            [sample[i, i] if i == j else mean * root[i] * root[j] for j in range(series)]
            for i in range(series)
        ]
    )

    def noise(i, j, k):
        away = returns[:, k] ** 2 - sample[k, k]
        return np.mean(away * (returns[:, i] * returns[:, j] - sample[i, j]))

    pi = np.mean((returns[:, :, None] * returns[:, None, :] - sample) ** 2, axis=0)
    rho = np.trace(pi) + sum(
        mean / 2 * (root[j] / root[i] * noise(i, j, i) + root[i] / root[j] * noise(i, j, j))
        for i, j in pairs
    )
    gamma = ((target - sample) ** 2).sum()
    intensity = max(0.0, min(1.0, (pi.sum() - rho) / gamma / count))
    return intensity * target + (1 - intensity) * sample, intensity


@pytest.mark.parametrize(("sessions", "series", "seed"), [(60, 6, 1), (252, 9, 2), (15, 12, 3)])
def test_the_constant_correlation_target_is_the_paper_s(sessions, series, seed):
    returns = drawn(sessions, series, seed)
    theirs, intensity = constant_correlation(returns)
    ours, found = ledoit_wolf_constant_correlation(returns)
    assert intensity > 0
    assert found == pytest.approx(intensity, rel=1e-9)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_shrinking_brings_the_estimate_nearer_to_the_truth():
    chance = np.random.default_rng(8)
    truth = np.full((30, 30), 0.4) + 0.6 * np.eye(30)
    root = np.linalg.cholesky(truth)
    gain = []
    for _ in range(20):
        returns = chance.normal(size=(60, 30)) @ root.T
        plain = np.linalg.norm(sample_covariance(returns) - truth)
        shrunk, _ = ledoit_wolf_constant_correlation(returns)
        gain.append(np.linalg.norm(shrunk - truth) / plain)
    assert max(gain) < 1


@pytest.mark.parametrize(("sessions", "series", "seed"), GRID)
def test_sample_moments_are_numpy_s(sessions, series, seed):
    returns = drawn(sessions, series, seed)
    np.testing.assert_allclose(
        sample_covariance(returns, demean=True), np.cov(returns, rowvar=False), rtol=1e-11
    )
    about_zero = np.einsum("ti,tj->ij", returns, returns) / sessions
    np.testing.assert_allclose(sample_covariance(returns), about_zero, rtol=1e-12)
    moments, common = pairwise_covariance(returns, np.ones(sessions))
    np.testing.assert_allclose(moments, about_zero, rtol=1e-12)
    assert (common == sessions).all()


def test_pairs_are_judged_by_what_they_have_in_common():
    returns = drawn(100, 3, 6)
    returns[:40, 0], returns[60:, 1] = np.nan, np.nan
    moments, common = pairwise_covariance(returns, np.ones(100))
    assert common.tolist() == [[60, 20, 60], [20, 60, 60], [60, 60, 100]]
    assert moments[0, 1] == pytest.approx(np.mean(returns[40:60, 0] * returns[40:60, 1]))
    returns[40:60, 0] = np.nan
    moments, common = pairwise_covariance(returns, np.ones(100))
    assert common[0, 1] == 0
    assert np.isnan(moments[0, 1])
    assert np.isfinite(moments[0, 2])


def test_weights_halve_by_the_half_life_and_kish_counts_them():
    weights = exponential_weights(505, 126)
    assert weights.sum() == pytest.approx(1)
    assert weights[-1] / weights[-127] == pytest.approx(2)
    assert kish(exponential_weights(504, 126)) == pytest.approx(321, abs=1)
    assert kish(exponential_weights(252, 126)) == pytest.approx(218, abs=1)
    assert kish(exponential_weights(100, np.inf)) == pytest.approx(100)


def test_volatilities_and_correlations_have_their_own_memory():
    returns = drawn(800, 4, 7)
    covariance = ewma_covariance(returns, 63, 252)
    for i in range(4):
        fast = np.average(returns[:, i] ** 2, weights=0.5 ** (np.arange(799, -1, -1) / 63))
        assert covariance[i, i] == pytest.approx(fast)
    slow = 0.5 ** (np.arange(799, -1, -1) / 252)
    moments = np.einsum("t,ti,tj->ij", slow, returns, returns)
    expected = moments / np.sqrt(np.outer(np.diag(moments), np.diag(moments)))
    np.testing.assert_allclose(to_correlation(covariance)[0], expected, rtol=1e-10)
    same = ewma_covariance(returns, np.inf, np.inf)
    np.testing.assert_allclose(same, sample_covariance(returns), rtol=1e-10)


def test_shrunk_correlations_are_smaller_and_volatilities_the_same():
    returns = drawn(300, 6, 9)
    plain = ewma_covariance(returns)
    shrunk, intensity = shrunk_ewma_covariance(returns)
    assert 0 < intensity < 0.5
    np.testing.assert_allclose(np.diag(shrunk), np.diag(plain), rtol=1e-12)
    away = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(shrunk[away], (1 - intensity) * plain[away], rtol=1e-12)


@pytest.mark.parametrize(("half_life", "seed"), [(np.inf, 10), (63.0, 11)])
def test_the_intensity_is_the_noise_of_correlations_over_their_size(half_life, seed):
    """Schäfer and Strimmer 2005, pair by pair, with weights in the place of 1/n."""
    returns = drawn(200, 5, seed)
    weights = exponential_weights(200, half_life)
    standard = returns / np.sqrt(weights @ returns**2)
    noise = size = 0.0
    for one in range(5):
        for other in range(5):
            if one != other:
                products = standard[:, one] * standard[:, other]
                correlation = weights @ products
                noise += weights**2 @ (products - correlation) ** 2
                size += correlation**2
    found = shrunk_ewma_covariance(returns, half_life, half_life)[1]
    assert found == pytest.approx(min(noise / size, 1.0), rel=1e-10)


@given(st.integers(0, 1000), st.floats(0.1, 1e4))
@settings(max_examples=25)
def test_a_unit_changes_no_correlation(seed, unit):
    """A series in basis points instead of decimals: only its own row and column are scaled."""
    returns = drawn(120, 4, seed)
    scale = np.array([1.0, unit, 1.0, 1.0])
    for estimate in (ewma_covariance, lambda some: shrunk_ewma_covariance(some)[0]):
        np.testing.assert_allclose(
            estimate(returns * scale),
            estimate(returns) * np.outer(scale, scale),
            rtol=1e-9,
            atol=1e-20,
        )


@given(st.integers(0, 1000), st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_the_nearest_correlation_is_one_and_leaves_one_alone(seed, size):
    chance = np.random.default_rng(seed)
    matrix = chance.uniform(-1, 1, (size, size))
    matrix = np.tril(matrix, -1) + np.tril(matrix, -1).T + np.eye(size)
    near = nearest_correlation(matrix)
    assert (np.diag(near) == 1).all()
    assert np.linalg.eigvalsh(near).min() > -1e-7
    np.testing.assert_allclose(nearest_correlation(near), near, atol=1e-6)
    proper = to_correlation(sample_covariance(drawn(50, size, seed)))[0]
    np.testing.assert_allclose(nearest_correlation(proper), proper, atol=1e-12)


def test_what_is_not_known_has_no_nearest_correlation():
    with pytest.raises(ValueError, match="NaN"):
        nearest_correlation(np.array([[1.0, np.nan], [np.nan, 1.0]]))


def test_a_series_that_never_moves_correlates_with_nothing():
    returns = drawn(100, 3, 11)
    returns[:, 1] = 0
    assert np.isnan(to_correlation(sample_covariance(returns))[0][1]).all()
    for covariance in (ewma_covariance(returns), shrunk_ewma_covariance(returns)[0]):
        assert (covariance[1] == 0).all()
        assert np.isfinite(covariance).all()


def test_a_variance_knows_nothing_of_its_own_session():
    returns = drawn(300, 3, 12)
    returns[5:9, 1], returns[:20, 2] = np.nan, np.nan
    variances = ewma_variances(returns, 0.94)
    assert variances.shape == (301, 3)
    assert np.isnan(variances[0]).all()
    assert np.isnan(variances[:21, 2]).all()
    for row in (1, 40, 300):
        for series in (0, 1, 2):
            past = returns[:row, series]
            known = np.isfinite(past)
            if known.any():
                weights = 0.94 ** np.arange(row - 1, -1, -1)
                expected = np.average(past[known] ** 2, weights=weights[known])
                assert variances[row, series] == pytest.approx(expected)
    stepped = ewma_step(variances[299], returns[299] ** 2, 0.94)
    np.testing.assert_allclose(variances[300], stepped, rtol=1e-7)

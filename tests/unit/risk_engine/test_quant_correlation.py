"""Correlations: against numpy, pandas, scipy, statsmodels, and what signs and gaps do to them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from risk_engine.quant import correlation as c
from risk_engine.quant.covariance import (
    exponential_weights,
    kish,
    ledoit_wolf_constant_correlation,
    sample_covariance,
)
from risk_engine.quant.diversification import diversification


def drawn(sessions=252, series=8, rho=(0.1, 0.8), seed=1, missing=0.0):
    """Return returns that lean on one factor, each unlike the others, with unlike volatilities."""
    chance = np.random.default_rng(seed)
    shared = np.linspace(rho[0], rho[1], series)
    common = chance.normal(size=(sessions, 1))
    own = chance.normal(size=(sessions, series))
    returns = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    returns *= np.linspace(0.005, 0.03, series)
    returns[chance.random(returns.shape) < missing] = np.nan
    return returns


def pairs(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def test_without_gaps_it_is_numpy_s():
    returns = drawn() + 0.01
    correlation, common = c.pairwise_correlation(returns)
    np.testing.assert_allclose(correlation, np.corrcoef(returns, rowvar=False), atol=1e-13)
    assert (common == 252).all()


def test_with_gaps_it_is_pandas_s_over_what_pairs_have_in_common():
    returns = drawn(missing=0.3, seed=2)
    frame, known = pd.DataFrame(returns), np.isfinite(returns).astype(int)
    correlation, common = c.pairwise_correlation(returns)
    np.testing.assert_array_equal(common, known.T @ known)
    expected = frame.corr(min_periods=120).to_numpy()
    assert 0 < np.isnan(expected).sum() < expected.size / 2
    np.testing.assert_allclose(correlation, expected, atol=1e-12)


def test_with_weights_it_is_statsmodels_s():
    returns = drawn(seed=3)
    weights = exponential_weights(252, c.HALF_LIFE)
    correlation, common = c.pairwise_correlation(returns, weights)
    expected = DescrStatsW(returns, weights=weights).corrcoef
    np.testing.assert_allclose(correlation, expected, atol=1e-12)
    np.testing.assert_allclose(common, kish(weights), rtol=1e-12)


def test_what_stands_still_or_hardly_overlaps_has_no_correlation():
    returns = drawn(series=4)
    returns[:, 1] = 0.0001
    returns[:140, 2], returns[140:, 3] = np.nan, np.nan
    correlation, _ = c.pairwise_correlation(returns, minimum=100)
    expected = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]], dtype=bool)
    np.testing.assert_array_equal(np.isfinite(correlation), expected)


def test_shrunk_it_is_the_paper_s_matrix_of_standardised_returns():
    returns = drawn(sessions=130, series=12, seed=4)
    correlation, _ = c.pairwise_correlation(returns)
    shrunk = c.shrunk_correlation(returns, correlation)
    standard = (returns - returns.mean(axis=0)) / returns.std(axis=0)
    expected, intensity = ledoit_wolf_constant_correlation(standard)
    assert 0 < shrunk.intensity < 1
    assert shrunk.intensity == pytest.approx(intensity, rel=1e-12)
    np.testing.assert_allclose(shrunk.matrix, expected, atol=1e-12)
    assert shrunk.mean == pytest.approx(pairs(correlation).mean(), rel=1e-12)


def test_shrinking_brings_it_nearer_to_the_truth():
    truth = np.full((10, 10), 0.3) + 0.7 * np.eye(10)
    better = 0
    for seed in range(40):
        returns = np.random.default_rng(seed).multivariate_normal(np.zeros(10), truth, 130)
        correlation, _ = c.pairwise_correlation(returns)
        shrunk = c.shrunk_correlation(returns, correlation).matrix
        better += np.linalg.norm(shrunk - truth) < np.linalg.norm(correlation - truth)
    assert better == 40


def test_gaps_that_leave_it_indefinite_are_repaired():
    """Few sessions and many gaps: a matrix of pairs that no returns could have."""
    returns = drawn(sessions=60, series=40, seed=5, missing=0.4)
    correlation, _ = c.pairwise_correlation(returns, minimum=5)
    assert np.linalg.eigvalsh(correlation)[0] < -1e-3
    shrunk = c.shrunk_correlation(returns, correlation)
    assert shrunk.repaired
    assert np.linalg.eigvalsh(shrunk.matrix)[0] > -1e-8
    np.testing.assert_array_equal(np.diag(shrunk.matrix), 1.0)


def test_a_pair_known_half_of_the_time_is_no_less_noisy_than_one_half_as_long():
    """A little more: that a product is sometimes unknown, and put at 0, is noise of its own."""
    found: dict[str, list[float]] = {"gaps": [], "short": [], "whole": []}
    for seed in range(60):
        returns = drawn(sessions=400, series=6, seed=seed)
        chance = np.random.default_rng(seed)
        gaps = np.where(chance.random(returns.shape) < np.sqrt(0.5), returns, np.nan)
        for name, some in (("gaps", gaps), ("short", returns[:200]), ("whole", returns)):
            correlation, _ = c.pairwise_correlation(some)
            found[name].append(c.shrunk_correlation(some, correlation).intensity)
    gappy, short, whole = (np.mean(intensities) for intensities in found.values())
    assert 0 < whole < 0.6 * short
    assert short < gappy < 1.25 * short


def test_an_unknown_correlation_cannot_be_shrunk():
    with pytest.raises(ValueError, match="not known"):
        c.shrunk_correlation(drawn(series=2), np.full((2, 2), np.nan))


def test_the_interval_is_scipy_s():
    x, y = drawn(sessions=62, series=2).T
    found = stats.pearsonr(x, y)
    ends = c.fisher_interval(np.array(found.statistic), np.array(62))
    np.testing.assert_allclose(ends, found.confidence_interval(), rtol=1e-9)


def test_of_a_quarter_s_returns_a_half_may_be_a_third_or_two_thirds():
    """What C8 of the plan reproaches the original with: .29 to .67 of 62 returns."""
    low, high = c.fisher_interval(np.array(0.5), np.array(62.0))
    assert low == pytest.approx(0.29, abs=0.005)
    assert high == pytest.approx(0.67, abs=0.005)


def test_p_values_are_scipy_s():
    for rho in (0.0, 0.1, 0.6):
        x, y = drawn(sessions=80, series=2, rho=(rho, rho), seed=7).T
        found = stats.pearsonr(x, y)
        p = c.p_values(np.array(found.statistic), np.array(80))
        assert p == pytest.approx(found.pvalue, rel=1e-9)


def test_false_discovery_rates_are_statsmodels_s_and_nan_is_no_test():
    p = np.random.default_rng(8).random(50) ** 3
    p[[3, 40]] = np.nan
    rates = c.false_discovery_rates(p)
    expected = multipletests(p[np.isfinite(p)], method="fdr_bh")[1]
    np.testing.assert_allclose(rates[np.isfinite(p)], expected, rtol=1e-12)
    np.testing.assert_array_equal(np.isnan(rates), np.isnan(p))


def test_of_unrelated_series_few_pairs_are_found():
    """Of 780 pairs of nothing 39 are below 5 % by themselves; together, in most draws, none."""
    found = []
    for seed in range(20):
        returns = np.random.default_rng(seed).normal(size=(252, 40))
        correlation, common = c.pairwise_correlation(returns)
        rates = c.false_discovery_rates(c.p_values(pairs(correlation), pairs(common)))
        found.append((rates < 0.05).any())
    assert np.mean(found) <= 0.15


def test_the_implied_correlation_is_the_one_that_gives_the_portfolio_its_variance():
    covariance = sample_covariance(drawn(series=5, seed=9))
    exposures = np.array([0.4, 0.3, -0.2, 0.1, 0.6])
    rho = c.implied_correlation(exposures, covariance)
    own = np.abs(exposures) * np.sqrt(np.diag(covariance))
    variance = (own**2).sum() + rho * (own.sum() ** 2 - (own**2).sum())
    assert variance == pytest.approx(exposures @ covariance @ exposures, rel=1e-12)


def test_a_hedge_is_no_concentration():
    """The original took absolute values: long and short of one thing counted as twice as much."""
    same = np.array([[0.04, 0.04], [0.04, 0.04]])
    assert c.implied_correlation(np.array([1.0, 1.0]), same) == pytest.approx(1)
    assert c.implied_correlation(np.array([1.0, -1.0]), same) == pytest.approx(-1)
    assert np.isnan(c.implied_correlation(np.array([1.0, 0.0]), same))


def test_a_hedge_is_no_second_bet():
    same = np.array([[0.04, 0.04], [0.04, 0.04]])
    for sides in ([1.0, 1.0], [1.0, -1.0], [3.0, -1.0]):
        assert c.effective_bets(np.array(sides), same) == pytest.approx(1)
        assert c.absolute_correlation(np.array(sides), same) == pytest.approx(1)
    # An inverse fund held long is one too.
    assert c.effective_bets(np.ones(2), same * [[1, -1], [-1, 1]]) == pytest.approx(1)
    assert np.isnan(c.effective_bets(np.zeros(2), same))
    assert np.isnan(c.absolute_correlation(np.array([1.0, 0.0]), same))


@pytest.mark.parametrize(("names", "rho"), [(10, 0.5), (10, 0.0), (4, 0.9)])
def test_equal_bets_are_counted_as_on_paper(names, rho):
    """Ten equal names, each pair correlated 0.5: 1.818 bets; uncorrelated: ten."""
    covariance = 0.04 * (rho + (1 - rho) * np.eye(names))
    exposures = np.ones(names)
    assert c.effective_bets(exposures, covariance) == pytest.approx(names / (1 + (names - 1) * rho))
    assert c.absolute_correlation(exposures, covariance) == pytest.approx(rho)
    squared = diversification(exposures, covariance).squared_ratio
    assert c.effective_bets(exposures, covariance) == pytest.approx(squared)


@given(st.integers(0, 10_000), st.floats(0.1, 1e6))
def test_bets_are_of_either_side_between_one_and_the_names(seed, scale):
    covariance = sample_covariance(drawn(series=4, seed=seed))
    chance = np.random.default_rng(seed)
    exposures = chance.normal(size=4)
    bets = c.effective_bets(exposures, covariance)
    assert 1 <= bets <= 4
    assert 0 <= c.absolute_correlation(exposures, covariance) <= 1
    sides = scale * exposures * chance.choice([-1, 1], size=4)
    assert c.effective_bets(sides, covariance) == pytest.approx(bets, rel=1e-9)


@given(st.integers(0, 10_000), st.floats(0.1, 1e6))
def test_money_or_fractions_and_the_side_of_the_book_change_nothing(seed, scale):
    covariance = sample_covariance(drawn(series=4, seed=seed))
    exposures = np.random.default_rng(seed).normal(size=4)
    implied = c.implied_correlation(exposures, covariance)
    assert c.implied_correlation(-scale * exposures, covariance) == pytest.approx(implied, rel=1e-9)
    assert -1 <= implied <= 1


@given(st.integers(0, 10_000))
def test_order_and_sign_of_series_go_into_the_matrix_and_nowhere_else(seed):
    returns = drawn(series=5, seed=seed, missing=0.1)
    order = np.random.default_rng(seed).permutation(5)
    correlation, _ = c.pairwise_correlation(returns)
    turned, _ = c.pairwise_correlation(returns[:, order])
    np.testing.assert_allclose(turned, correlation[np.ix_(order, order)], atol=1e-13)
    sign = np.array([1, -1, 1, 1, -1])
    flipped, _ = c.pairwise_correlation(returns * sign)
    np.testing.assert_allclose(flipped, correlation * np.outer(sign, sign), atol=1e-13)


def test_a_packed_triangle_is_unpacked_as_it_was():
    correlation, _ = c.pairwise_correlation(drawn())
    packed = c.pack_upper(correlation)
    assert packed.dtype == np.float32
    assert packed.shape == (28,)
    np.testing.assert_allclose(c.unpack_upper(packed, 8), correlation, atol=1e-7)

"""Clusters: against scikit-learn, and the chains that are not one group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_samples

from risk_engine.quant import clusters as k


def correlated(series=14, seed=1, sessions=60):
    """Return the correlations of series that lean on a few common factors, unequally."""
    chance = np.random.default_rng(seed)
    loadings = chance.normal(size=(3, series)) ** 3
    returns = chance.normal(size=(sessions, 3)) @ loadings
    return np.corrcoef(returns + 0.4 * chance.normal(size=(sessions, series)), rowvar=False)


def same_groups(one, other):
    return np.array_equal(one[:, None] == one, other[:, None] == other)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("cut", [0.7, 0.3])
def test_groups_are_scikit_learn_s(seed, cut):
    correlation = correlated(seed=seed)
    distance = np.sqrt((1 - correlation) / 2)
    theirs = AgglomerativeClustering(
        n_clusters=None,
        metric="precomputed",
        linkage="average",
        distance_threshold=np.sqrt((1 - cut) / 2),
    ).fit(distance)
    labels = k.cluster(correlation, cut)
    assert same_groups(labels, theirs.labels_)
    assert 1 < labels.max() + 1 < len(labels)
    np.fill_diagonal(distance, 0)
    expected = silhouette_samples(distance, theirs.labels_, metric="precomputed")
    np.testing.assert_allclose(k.silhouettes(correlation, labels), expected, atol=1e-12)


def test_groups_are_numbered_by_their_first_members():
    block = np.full((2, 2), 0.9)
    correlation = np.kron(np.eye(3), block)
    np.fill_diagonal(correlation, 1)
    np.testing.assert_array_equal(k.cluster(correlation), [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(
        k.cluster(correlation[np.ix_([4, 0, 5, 1], [4, 0, 5, 1])]), [0, 1, 0, 1]
    )


def test_a_chain_of_neighbours_is_not_one_group():
    """Each correlates .75 with the next and less with those beyond: the ends are strangers."""
    place = np.arange(8)
    chain = 0.75 ** np.abs(place[:, None] - place)
    assert k.cluster(chain).max() + 1 == 4


def test_opposites_are_not_a_group():
    correlation = np.array([[1, -0.95], [-0.95, 1]])
    np.testing.assert_array_equal(k.cluster(correlation), [0, 1])


def test_one_series_or_none_has_no_silhouette():
    np.testing.assert_array_equal(k.cluster(np.ones((1, 1))), [0])
    assert k.cluster(np.ones((0, 0))).shape == (0,)
    assert np.isnan(k.silhouettes(np.ones((3, 3)), np.zeros(3, dtype=np.int64))).all()
    np.testing.assert_array_equal(k.silhouettes(np.eye(3), np.array([0, 1, 2])), 0)


def test_a_hedged_group_has_gross_risk_and_little_net():
    covariance = 0.04 * np.array([[1, 0.99, 0], [0.99, 1, 0], [0, 0, 1]])
    exposures = np.array([1.0, -1.0, 0.5])
    risk = k.cluster_risk(exposures, covariance, np.array([0, 0, 1]))
    np.testing.assert_allclose(risk.gross, [0.4, 0.1])
    np.testing.assert_allclose(risk.net, [np.sqrt(2 * 0.04 * 0.01), 0.1])
    np.testing.assert_allclose(risk.share.sum(), 1)
    np.testing.assert_allclose(risk.share, risk.net**2 / (risk.net**2).sum())


def test_a_group_that_hedges_the_rest_has_a_share_below_zero():
    covariance = 0.04 * np.array([[1, 0.9], [0.9, 1]])
    risk = k.cluster_risk(np.array([1.0, -0.3]), covariance, np.array([0, 1]))
    assert risk.share[1] < 0
    assert risk.share.sum() == pytest.approx(1)
    nothing = k.cluster_risk(np.zeros(2), covariance, np.array([0, 1]))
    assert np.isnan(nothing.share).all()
    assert (nothing.net == 0).all()


def test_what_rounding_leaves_of_a_perfect_hedge_has_no_shares():
    deviation = np.array([0.2, 0.31, 0.17])
    covariance = np.outer(deviation, deviation)
    exposures = np.array([1 / 0.2, -3 / 0.31, 2 / 0.17])
    # In exact numbers nothing is left; in floating point something is.
    assert exposures @ covariance @ exposures > 0
    risk = k.cluster_risk(exposures, covariance, np.array([0, 0, 1]))
    assert np.isnan(risk.share).all()
    np.testing.assert_allclose(risk.net, 2)
    near = k.cluster_risk(exposures * [1, 1, 1.0001], covariance, np.array([0, 0, 1]))
    assert near.share.sum() == pytest.approx(1, rel=1e-6)


@given(st.integers(0, 10_000))
def test_the_order_of_series_does_not_matter(seed):
    correlation = correlated(seed=seed)
    chance = np.random.default_rng(seed)
    order, exposures = chance.permutation(14), chance.normal(size=14)
    labels, turned = k.cluster(correlation), k.cluster(correlation[np.ix_(order, order)])
    assert same_groups(labels[order], turned)
    np.testing.assert_allclose(
        k.silhouettes(correlation[np.ix_(order, order)], turned),
        k.silhouettes(correlation, labels)[order],
        atol=1e-12,
    )
    risk = k.cluster_risk(exposures, correlation, labels)
    again = k.cluster_risk(exposures[order], correlation[np.ix_(order, order)], turned)
    np.testing.assert_allclose(np.sort(again.net), np.sort(risk.net), rtol=1e-9)

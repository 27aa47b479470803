"""Independent bets: the worked examples of C6, the papers' algorithms, and what always holds."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from risk_engine.quant.diversification import (
    MAX_NAMES,
    diversification,
    effective_number,
    principal_shares,
    torsion_shares,
)

NAN = float("nan")


def alike(names, correlation, volatility=0.2):
    """Return the covariance of names that are all alike."""
    matrix = np.full((names, names), correlation)
    np.fill_diagonal(matrix, 1.0)
    return volatility**2 * matrix


def drawn(seed, names=8, factors=3):
    """Return random exposures, long and short, and a covariance of factors and own risks."""
    chance = np.random.default_rng(seed)
    loadings = chance.normal(0, 0.2, (names, factors))
    loadings[:, 0] += 0.25
    own = np.diag(chance.uniform(0.05, 0.4, names) ** 2)
    return chance.normal(0, 1e5, names), loadings @ loadings.T + own


def test_c6_ten_equal_names_half_correlated():
    """One principal bet, ten of least torsion, and 1 / w'Rw = 1 / .55 = 1.818 by variance."""
    found = diversification(np.full(10, 7.0), alike(10, 0.5))
    assert found.principal_bets == pytest.approx(1.0, abs=1e-9)
    assert found.torsion_bets == pytest.approx(10.0, abs=1e-9)
    assert found.squared_ratio == pytest.approx(1 / 0.55, rel=1e-12)
    assert found.variance_herfindahl == pytest.approx(0.1, rel=1e-12)


def test_independent_names_are_as_many_bets_by_every_measure():
    """Risks of 3 and 4: shares of variance 9/25 and 16/25."""
    found = diversification(np.array([3.0, -4.0]), np.eye(2))
    entropy = -(0.36 * math.log(0.36) + 0.64 * math.log(0.64))
    assert found.principal_bets == pytest.approx(math.exp(entropy), rel=1e-12)
    assert found.torsion_bets == pytest.approx(math.exp(entropy), rel=1e-12)
    assert found.diversification_ratio == pytest.approx(7 / 5, rel=1e-12)
    assert found.variance_herfindahl == pytest.approx(0.36**2 + 0.64**2, rel=1e-12)


def test_one_name_is_one_bet():
    found = diversification(np.array([-5.0]), np.array([[0.04]]))
    for number in (found.diversification_ratio, found.principal_bets, found.torsion_bets):
        assert number == pytest.approx(1.0, rel=1e-12)


def test_a_hedge_is_no_concentration():
    """Long 10 and short 8, correlated .9: s^2 = 100 + 64 - 144 = 20, shares (100 - 72) / 20 = 1.4
    and (64 - 72) / 20 = -.4, the ratio 18 / sqrt 20."""
    found = diversification(np.array([10.0, -8.0]), alike(2, 0.9, 1.0))
    assert found.variance_herfindahl == pytest.approx(1.4**2 + 0.4**2, rel=1e-12)
    assert found.diversification_ratio == pytest.approx(18 / math.sqrt(20), rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_principal_shares_are_those_of_scikit_learn_s_components(seed):
    """On a sample whose covariance is exactly the one given."""
    exposure, covariance = drawn(seed)
    sample = np.random.default_rng(seed).normal(0, 1, (400, 8))
    sample = np.linalg.qr(sample - sample.mean(axis=0))[0] * math.sqrt(399)
    returns = sample @ np.linalg.cholesky(covariance).T
    fitted = PCA().fit(returns)
    variance = fitted.explained_variance_ * (fitted.components_ @ exposure) ** 2
    ours = np.sort(principal_shares(exposure, covariance))
    np.testing.assert_allclose(ours, np.sort(variance / variance.sum()), rtol=1e-8, atol=1e-10)


def torsion_of_the_paper(covariance):
    """Return t, as Meucci, Santangelo and Deguest (2015) iterate, with the roots of scipy."""
    volatility = np.sqrt(np.diag(covariance))
    root = scipy.linalg.sqrtm(covariance / np.outer(volatility, volatility)).real
    size, last = np.ones(len(root)), math.inf
    for _ in range(10_000):
        inner = scipy.linalg.sqrtm(np.diag(size) @ root @ root @ np.diag(size)).real
        turned = np.linalg.solve(inner, np.diag(size) @ root)
        size = np.diag(turned @ root)
        perturbation = np.diag(size) @ turned
        change = float(np.linalg.norm(root - perturbation))
        if abs(change - last) < 1e-15:
            break
        last = change
    spread = np.diag(volatility)
    return spread @ perturbation @ np.linalg.inv(root) @ np.linalg.inv(spread)


@pytest.mark.parametrize("seed", range(10))
def test_torsion_shares_are_those_of_the_paper_s_torsion(seed):
    exposure, covariance = drawn(seed)
    torsion = torsion_of_the_paper(covariance)
    on_bets = np.linalg.solve(torsion.T, exposure)
    shares = on_bets * (torsion @ covariance @ exposure) / (exposure @ covariance @ exposure)
    np.testing.assert_allclose(torsion_shares(exposure, covariance), shares, atol=1e-7)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_torsion_is_nearer_to_the_names(seed):
    """The correlations of bets and names, searched over all rotations of three names."""
    _, covariance = drawn(seed, names=3, factors=1)
    volatility = np.sqrt(np.diag(covariance))
    root = scipy.linalg.sqrtm(covariance / np.outer(volatility, volatility)).real

    def nearness(angles):
        turned = scipy.spatial.transform.Rotation.from_rotvec(angles).as_matrix()
        return -np.sum(np.diag(turned @ root) ** 2)

    best = min(
        (scipy.optimize.minimize(nearness, start, tol=1e-14) for start in np.eye(3) / 10),
        key=lambda found: found.fun,
    )
    turned = scipy.spatial.transform.Rotation.from_rotvec(best.x).as_matrix()
    exposure = np.array([1.0, -2.0, 0.5])
    bets = (turned @ root @ (volatility * exposure)) ** 2
    np.testing.assert_allclose(torsion_shares(exposure, covariance), bets / bets.sum(), atol=1e-5)


def test_the_effective_number_is_the_exponential_of_scipy_s_entropy():
    shares = np.random.default_rng(3).dirichlet(np.ones(12), 50)
    for share in shares:
        expected = math.exp(scipy.stats.entropy(share))
        assert effective_number(share) == pytest.approx(expected, rel=1e-13)
    assert effective_number(np.array([1.0, 0.0])) == 1.0


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_nothing_changes_with_order_sign_or_size(seed, shuffler):
    exposure, covariance = drawn(seed, names=6)
    found = diversification(exposure, covariance)
    order = list(range(6))
    shuffler.shuffle(order)
    for same in (
        diversification(exposure[order], covariance[np.ix_(order, order)]),
        diversification(-exposure, covariance),
        diversification(7 * exposure, covariance / 3),
    ):
        for name in vars(found):
            assert getattr(same, name) == pytest.approx(getattr(found, name), rel=1e-9)


@given(st.integers(0, 10_000))
def test_every_measure_stays_in_its_bounds(seed):
    exposure, covariance = drawn(seed, names=7)
    found = diversification(exposure, covariance)
    assert found.diversification_ratio >= 1 - 1e-12
    assert found.variance_herfindahl >= 1 / 7 - 1e-12
    for number in (found.principal_bets, found.torsion_bets):
        assert 1 - 1e-9 <= number <= 7 + 1e-9
    for shares in (principal_shares(exposure, covariance), torsion_shares(exposure, covariance)):
        assert shares.sum() == pytest.approx(1, rel=1e-12)
        assert (shares >= 0).all()


def test_names_without_risk_or_exposure_are_left_aside():
    exposure, covariance = drawn(1, names=5)
    wide = np.zeros((7, 7))
    wide[:5, :5] = covariance
    wide[6, 6] = 0.04
    found = diversification(np.r_[exposure, 1e6, 0.0], wide)
    assert found == diversification(exposure, covariance)


def test_two_names_of_one_company_are_one_bet():
    """A singular covariance: perfectly correlated names, of which one stands for both."""
    found = diversification(np.array([1.0, 1.0]), alike(2, 1.0))
    assert found.principal_bets == pytest.approx(1.0, abs=1e-9)
    assert found.diversification_ratio == pytest.approx(1.0, rel=1e-12)
    assert math.isfinite(found.torsion_bets)


@pytest.mark.parametrize(
    ("exposure", "covariance"),
    [
        pytest.param([1.0, -1.0], alike(2, 1.0), id="a perfect hedge"),
        pytest.param([], np.empty((0, 0)), id="nothing held"),
        pytest.param([1.0, 2.0], np.array([[0.04, NAN], [NAN, NAN]]), id="not known"),
    ],
)
def test_without_known_risk_nothing_is_said(exposure, covariance):
    found = diversification(np.array(exposure), covariance)
    assert all(math.isnan(number) for number in vars(found).values())


def test_very_many_names_have_no_torsion():
    found = diversification(np.ones(MAX_NAMES + 1), alike(MAX_NAMES + 1, 0.3))
    assert math.isnan(found.torsion_bets)
    assert found.principal_bets == pytest.approx(1.0, abs=1e-6)

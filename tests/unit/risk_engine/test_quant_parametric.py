"""Value at risk and expected shortfall of distributions: textbooks, scipy, and integrals."""

import numpy as np
import pytest
from scipy import integrate, stats

from risk_engine.quant.factor_risk import Positions, RiskModel, decompose
from risk_engine.quant.parametric import (
    cornish_fisher_risk,
    is_monotone,
    normal_risk,
    sample_shape,
    student_t_risk,
)
from risk_engine.quant.value_at_risk import CONFIDENCES

ONE = np.ones(1)
FINE = (0.90, 0.95, 0.975, 0.99, 0.999)


def two_assets(exposures, volatilities, correlation):
    """Return a covariance and exposures."""
    s = np.array(volatilities)
    return np.array(exposures, float), np.outer(s, s) * [[1, correlation], [correlation, 1]]


def volatility_of(exposure, covariance):
    """Return the volatility of one book of assets that have this covariance, (1,)."""
    held = Positions(np.zeros(len(exposure), np.int64), np.arange(len(exposure)), exposure)
    model = RiskModel(np.eye(len(exposure)), covariance, np.zeros(len(exposure)))
    return np.sqrt(decompose(held, model, 1).variance)


def test_c14_17_hull_s_two_shares_diversify():
    exposure, covariance = two_assets([10e6, 5e6], [0.02, 0.01], 0.3)
    alone = normal_risk(np.sqrt(np.diag(covariance)) * exposure, (0.99,))
    assert alone.value_at_risk[:, 0] == pytest.approx([465_300, 116_300], abs=50)
    ten = alone.over(10).value_at_risk[:, 0]
    assert ten == pytest.approx([1_471_300, 367_800], abs=50)
    joint = volatility_of(exposure, covariance)
    assert joint[0] == pytest.approx(220_227, abs=0.5)
    together = normal_risk(joint, (0.99,)).over(10).value_at_risk[0, 0]
    assert together == pytest.approx(1_620_100, abs=50)
    assert ten.sum() - together == pytest.approx(219_000, abs=100)


def test_c14_18_hull_s_option_deltas_are_exposures():
    exposure, covariance = two_assets([1_000 * 120, 20_000 * 30], [0.02, 0.01], 0.3)
    volatility = volatility_of(exposure, covariance)
    assert volatility[0] == pytest.approx(7_099, abs=0.5)
    five_days = normal_risk(volatility, (0.95,)).over(5).value_at_risk[0, 0]
    assert five_days == pytest.approx(26_111, abs=0.5)
    assert five_days * 1.65 / stats.norm.ppf(0.95) == pytest.approx(26_193, abs=1)


def test_expected_shortfalls_are_the_known_multiples_of_volatility():
    normal, student = normal_risk(ONE), student_t_risk(ONE)
    assert normal.expected_shortfall[0] == pytest.approx([2.063, 2.338, 2.665], abs=5e-4)
    assert student.expected_shortfall[0] == pytest.approx([2.239, 2.728, 3.449], abs=5e-4)


def test_cornish_fisher_is_read_at_the_negative_quantile():
    risk = cornish_fisher_risk(ONE, np.array([-0.8]), np.array([2.0]), (0.99,))
    assert risk.value_at_risk[0, 0] == pytest.approx(3.14, abs=0.005)


def tail_mean(quantile, confidence):
    """Return the mean loss beyond a confidence, by integrating a quantile function."""
    return -integrate.quad(quantile, 0, 1 - confidence, epsabs=0, epsrel=1e-11, limit=400)[0] / (
        1 - confidence
    )


@pytest.mark.parametrize("confidence", FINE)
def test_scipy_s_quantiles_and_integrals_agree(confidence):
    volatility = np.array([0.3, 2.0, 1e5])
    normal = normal_risk(volatility, (confidence,))
    assert normal.value_at_risk[:, 0] == pytest.approx(
        -stats.norm(0, volatility).ppf(1 - confidence), rel=1e-12
    )
    assert normal.expected_shortfall[:, 0] / volatility == pytest.approx(
        tail_mean(stats.norm.ppf, confidence), rel=1e-7
    )
    for degrees in (3.0, 5.0, 12.0):
        unit = stats.t(degrees, scale=np.sqrt((degrees - 2) / degrees))
        student = student_t_risk(volatility, (confidence,), degrees=degrees)
        assert unit.std() == pytest.approx(1)
        assert student.value_at_risk[:, 0] / volatility == pytest.approx(
            -unit.ppf(1 - confidence), rel=1e-10
        )
        assert student.expected_shortfall[:, 0] / volatility == pytest.approx(
            tail_mean(unit.ppf, confidence), rel=1e-6
        )


@pytest.mark.parametrize(("s", "k"), [(-0.8, 2.0), (0.0, 1.0), (0.5, 1.5), (-0.3, 0.4)])
def test_cornish_fisher_s_shortfall_is_the_mean_beyond_its_quantile(s, k):
    def quantile(p):
        z = stats.norm.ppf(p)
        return z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36

    risk = cornish_fisher_risk(ONE, np.array([s]), np.array([k]))
    for column, confidence in enumerate(CONFIDENCES):
        assert risk.value_at_risk[0, column] == pytest.approx(-quantile(1 - confidence), rel=1e-10)
        assert risk.expected_shortfall[0, column] == pytest.approx(
            tail_mean(quantile, confidence), rel=1e-6
        )


def test_no_skew_and_no_kurtosis_is_normal():
    zero = np.zeros(1)
    assert cornish_fisher_risk(ONE, zero, zero).value_at_risk == pytest.approx(
        normal_risk(ONE).value_at_risk, rel=1e-14
    )
    assert cornish_fisher_risk(ONE, zero, zero).expected_shortfall == pytest.approx(
        normal_risk(ONE).expected_shortfall, rel=1e-14
    )


def test_cornish_fisher_answers_exactly_where_its_quantile_rises_throughout():
    s, k = (axis.ravel() for axis in np.meshgrid(np.linspace(-3, 3, 41), np.linspace(-1, 9, 43)))
    z = np.linspace(-60, 60, 6_001)[:, None]
    slope = 1 + z * s / 3 + (3 * z**2 - 3) * k / 24 - (6 * z**2 - 5) * s**2 / 36
    rises = (slope >= 0).all(axis=0)
    assert 0.1 < rises.mean() < 0.9
    assert np.array_equal(is_monotone(s, k), rises)
    answered = np.isfinite(cornish_fisher_risk(np.ones(s.size), s, k).value_at_risk[:, 0])
    assert np.array_equal(answered, rises)


def test_sample_shape_is_scipy_s():
    pnl = np.random.default_rng(1).standard_t(5, (20, 300)) * 1e5
    skewness, kurtosis = sample_shape(pnl)
    assert skewness == pytest.approx(stats.skew(pnl, axis=1), rel=1e-10)
    assert kurtosis == pytest.approx(stats.kurtosis(pnl, axis=1), rel=1e-10)


def test_what_never_moves_has_no_shape():
    for constant in (0.0, 0.1, 1e9):
        assert np.isnan(sample_shape(np.full((1, 300), constant))).all()


def test_unknown_volatility_is_unknown_risk():
    for risk in (normal_risk, student_t_risk):
        assert np.isnan(risk(np.array([np.nan])).value_at_risk).all()

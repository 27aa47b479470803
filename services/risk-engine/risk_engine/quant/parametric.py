"""Value at risk and expected shortfall of a distribution that is known by its moments.

The mean is zero. Volatility is per session, (portfolios,), money or a fraction of NAV; answers are
(portfolios, confidences) in the same unit, a loss positive. NaN in, NaN out. Formulas: Jorion,
Value at Risk, ch. 5 and 7; RiskMetrics Technical Document, 1996; McNeil, Frey and Embrechts,
Quantitative Risk Management, ch. 2.2; Cornish and Fisher, 1938, with its domain after Maillard,
A User's Guide to the Cornish-Fisher Expansion, 2012.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import gamma, ndtri, stdtrit

from risk_engine.quant.panel import BoolArray, FloatArray
from risk_engine.quant.value_at_risk import CONFIDENCES, TailRisk

DEGREES_OF_FREEDOM = 5.0


def normal_risk(volatility: FloatArray, confidences: Sequence[float] = CONFIDENCES) -> TailRisk:
    """Return VaR = z s and ES = s n(z) / (1 - confidence) of a normal distribution."""
    confidence = np.asarray(confidences)
    z = ndtri(confidence)
    return _scaled(volatility, z, _normal_density(z) / (1 - confidence))


def student_t_risk(
    volatility: FloatArray,
    confidences: Sequence[float] = CONFIDENCES,
    *,
    degrees: float = DEGREES_OF_FREEDOM,
) -> TailRisk:
    """Return VaR and ES of a Student t distribution of that volatility; `degrees` above 2.

    With c = s sqrt((v - 2) / v), q its quantile and g its density: VaR = c q and
    ES = c g(q) (v + q^2) / ((1 - confidence) (v - 1)).
    """
    confidence = np.asarray(confidences)
    quantile = stdtrit(degrees, confidence)
    scale = np.sqrt((degrees - 2) / degrees)
    beyond = _student_density(quantile, degrees) * (degrees + quantile**2) / (degrees - 1)
    return _scaled(volatility, scale * quantile, scale * beyond / (1 - confidence))


def cornish_fisher_risk(
    volatility: FloatArray,
    skewness: FloatArray,
    excess_kurtosis: FloatArray,
    confidences: Sequence[float] = CONFIDENCES,
) -> TailRisk:
    """Return VaR and ES of a normal quantile corrected for skewness and excess kurtosis.

    VaR = -s z', z' = z + (z^2 - 1) S/6 + (z^3 - 3z) K/24 - (2z^3 - 5z) S^2/36 at the *negative*
    quantile z of 1 - confidence; ES is the mean of -s z' beyond it. NaN where z' is not increasing
    in z throughout, as it is no quantile there: see `is_monotone`.
    """
    tail = 1 - np.asarray(confidences)
    z = ndtri(tail)
    s, k = skewness[:, None], excess_kurtosis[:, None]
    quantile = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
    stretch = 1 + z * s / 6 + (z**2 - 1) * k / 24 - (2 * z**2 - 1) * s**2 / 36
    usable = is_monotone(skewness, excess_kurtosis)
    scale = np.where(usable, volatility, np.nan)[:, None]
    return TailRisk(-scale * quantile, scale * _normal_density(z) / tail * stretch)


def is_monotone(skewness: FloatArray, excess_kurtosis: FloatArray) -> BoolArray:
    """Tell where the Cornish-Fisher quantile increases in the normal one throughout.

    Its slope is a z^2 + b z + c with a = K/8 - S^2/6, b = S/3, c = 1 - K/8 + 5 S^2/36.
    """
    a = excess_kurtosis / 8 - skewness**2 / 6
    b = skewness / 3
    c = 1 - excess_kurtosis / 8 + 5 * skewness**2 / 36
    return np.asarray((c > 0) & ((a > 0) | ((a == 0) & (b == 0))) & (b**2 <= 4 * a * c))


def sample_shape(pnl: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return skewness and excess kurtosis of each portfolio's scenarios, both (portfolios,).

    Moments about the mean with n. NaN where nothing varies or a scenario is NaN.
    """
    moved = pnl - pnl.mean(axis=1, keepdims=True)
    # Rounding leaves a constant series a variance of its own last digits.
    variance = (moved**2).mean(axis=1)
    varies = variance > (1e-12 * np.abs(pnl).max(axis=1, initial=0.0)) ** 2
    deviation = np.sqrt(np.where(varies, variance, np.nan))
    skewness = (moved**3).mean(axis=1) / deviation**3
    return skewness, (moved**4).mean(axis=1) / deviation**4 - 3


def _normal_density(z: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))


def _student_density(t: FloatArray, degrees: float) -> FloatArray:
    half = (degrees + 1) / 2
    peak = gamma(half) / (np.sqrt(degrees * np.pi) * gamma(degrees / 2))
    return np.asarray(peak * (1 + t**2 / degrees) ** -half)


def _scaled(volatility: FloatArray, quantile: FloatArray, beyond: FloatArray) -> TailRisk:
    s = volatility[:, None]
    return TailRisk(s * quantile, s * beyond)

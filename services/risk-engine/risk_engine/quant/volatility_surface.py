"""How implied volatilities hang together: near a quoted option, and over the times to expiry.

Axes: asked (asked,), what is quoted for each (asked, quoted), padded with NaN.
"""

import numpy as np

from risk_engine.quant.panel import FloatArray
from risk_engine.quant.pricing import DAYS

REFERENCE_YEARS = 30 / DAYS
"""To expiry: longer implied volatilities move by the root of the time, shorter ones alike."""
_MONEYNESS_SCALE, _MATURITY_SCALE = 0.1, 0.5
"""So far apart do ln(K/F) / sqrt(T), and ln T, count as one step."""
_SAME = 1e-6


def damping(years: FloatArray) -> FloatArray:
    """Return how much of a 30-day volatility's move reaches one with `years` to go: to 1.

    min(1, sqrt(30 days / T)), 1 at and after expiry; NaN for NaN.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.minimum(1.0, np.sqrt(REFERENCE_YEARS / np.maximum(years, 0.0)))


def nearby_volatility(
    moneyness: FloatArray,
    years: FloatArray,
    quoted_moneyness: FloatArray,
    quoted_years: FloatArray,
    quoted_volatility: FloatArray,
) -> FloatArray:
    """Return a volatility for each option asked about, (asked,), from those quoted for it.

    An average by the inverse squared distance (Shepard, 1968), in `moneyness` = ln(K/F) / sqrt(T)
    and in ln T: at a quoted point it is that point's, and it is never outside what is quoted. A
    quote with NaN in anything counts for nothing; NaN where none is left.
    """
    across = (quoted_moneyness - moneyness[:, None]) / _MONEYNESS_SCALE
    along = np.log(quoted_years / years[:, None]) / _MATURITY_SCALE
    weight = 1 / (across**2 + along**2 + _SAME)
    known = np.isfinite(weight + quoted_volatility)
    total = np.where(known, weight, 0.0).sum(axis=1)
    summed = np.where(known, weight * quoted_volatility, 0.0).sum(axis=1)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan)

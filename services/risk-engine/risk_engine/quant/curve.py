"""Discount with a curve of zero rates, and take scheduled dividends out of a spot.

Rates are continuously compounded decimals per year, times are years (ACT/365). Between two tenors
the forward rate is constant, outside all of them the zero rate is (Hagan and West 2006,
Interpolation Methods for Curve Construction: raw interpolation). Hull, Options, Futures and Other
Derivatives, ch. 4 (compounding) and 15.12 (dividends).
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import FloatArray, IntArray, sum_by

DEFAULT_RATE = 0.04


@dataclass(frozen=True, eq=False)
class ZeroCurve:
    """Zero rates at tenors in years, (tenors,), ascending; `is_default` where none were known."""

    years: FloatArray
    rate: FloatArray
    is_default: bool


def zero_curve(years: FloatArray, rate: FloatArray, default: float = DEFAULT_RATE) -> ZeroCurve:
    """Return the curve through the rates that are known, (tenors,) in any order.

    A tenor whose rate is NaN is skipped; without any the curve is flat at `default`, and says so.

    Raises:
        ValueError: a tenor is not positive, or is there twice.
    """
    known = np.isfinite(years + rate)
    if not known.any():
        return ZeroCurve(np.ones(1), np.full(1, default), is_default=True)
    order = np.argsort(years[known], kind="stable")
    tenors, rates = years[known][order], rate[known][order]
    if tenors[0] <= 0 or (np.diff(tenors) <= 0).any():
        raise ValueError(f"tenors must be positive and distinct, not {tenors.tolist()}")
    return ZeroCurve(tenors, rates, is_default=False)


def zero_rate(curve: ZeroCurve, years: FloatArray) -> FloatArray:
    """Return the zero rate for each time; that of the ends outside, NaN where the time is NaN."""
    inside = np.clip(years, curve.years[0], curve.years[-1])
    return np.asarray(np.interp(inside, curve.years, curve.rate * curve.years) / inside)


def discount_factor(curve: ZeroCurve, years: FloatArray) -> FloatArray:
    """Return what a unit paid at each time is worth now."""
    return np.asarray(np.exp(-zero_rate(curve, years) * years))


def continuous_rate(rate: FloatArray, periods: int) -> FloatArray:
    """Return the continuous equivalent of a rate compounded `periods` times a year (bonds: 2)."""
    return np.asarray(periods * np.log1p(rate / periods))


def dividends_present_value(
    curve: ZeroCurve,
    *,
    option: IntArray,
    years: FloatArray,
    amount: FloatArray,
    expiry: FloatArray,
) -> FloatArray:
    """Return the value now of the dividends before each option's expiry, (options,), per share.

    Dividends are (dividends,): `option` is the place of the option they matter for, `years` the
    time to the ex-date, `amount` in cash per share. `expiry`, (options,), is in years. What has
    been paid, and what is paid at expiry or after, counts nothing; an unknown amount makes the
    answer NaN.
    """
    before = (years > 0) & (years < expiry[option])
    worth = np.where(before, amount * discount_factor(curve, np.maximum(years, 0.0)), 0.0)
    return sum_by(option, worth, len(expiry))

"""What interest rates do to bonds, and what the returns of anything say of its duration.

Durations are in years: minus the relative change of the price per unit of yield (1 = 100 %), so
that at a duration of 7 a rise by 100 basis points costs 7 %. Yields and their changes are decimals
per year. Sources: Hull, Options, Futures and Other Derivatives, ch. 4; Fabozzi, Bond Markets,
Analysis and Strategies, ch. 4; Litterman and Scheinkman 1991 (level and slope).
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.covariance import exponential_weights
from risk_engine.quant.panel import FloatArray, IntArray
from risk_engine.quant.regression import (
    errors_of,
    least_squares,
    moments,
    newey_west_covariance,
    newey_west_lag,
)

WINDOW = 504
HALF_LIFE = 126.0
MIN_OBSERVATIONS = 90
WITH_SLOPE = 252
"""Sessions from which on the curve's slope is a regressor too."""


@dataclass(frozen=True, eq=False)
class BondMeasures:
    """Price, and its relative sensitivities to the yield, (bonds,): years and years squared.

    -price'/price and price''/price. With a continuously compounded yield the first is Macaulay's
    duration too; with any other it is the modified one.
    """

    price: FloatArray
    duration: FloatArray
    convexity: FloatArray


@dataclass(frozen=True, eq=False)
class EmpiricalDurations:
    """Minus the slope of returns on the change of the 10-year yield, (securities,), in years.

    With the market's return (and the curve's slope where there is enough history) beside it. NaN
    for a security with fewer than MIN_OBSERVATIONS sessions.
    """

    duration: FloatArray
    error: FloatArray
    observations: IntArray


def bond_measures(
    years: FloatArray, payments: FloatArray, bond_yield: FloatArray, periods: int | None = None
) -> BondMeasures:
    """Measure bonds by their payments, (bonds, payments); a payment of 0 is none.

    `bond_yield`, (bonds,), is compounded `periods` times a year, or continuously for None.
    """
    rate = bond_yield[:, np.newaxis]
    if periods is None:
        worth = payments * np.exp(-rate * years)
        first, second = years, years**2
    else:
        growth = 1 + rate / periods
        worth = payments * growth ** (-periods * years)
        first = years / growth
        second = years * (years + 1 / periods) / growth**2
    price = worth.sum(axis=1)
    return BondMeasures(
        price, (worth * first).sum(axis=1) / price, (worth * second).sum(axis=1) / price
    )


def rate_pnl(
    value: FloatArray, duration: FloatArray, convexity: FloatArray, yield_change: FloatArray
) -> FloatArray:
    """Return value * (-D dy + C dy^2 / 2), in the currency of the value; shapes broadcast."""
    return np.asarray(value * (-duration * yield_change + convexity * yield_change**2 / 2))


def carried_over(rate: FloatArray, most: int) -> FloatArray:
    """Return yields with gaps of at most `most` sessions at the level before them, (sessions,).

    The bond market rests on days on which shares trade: all that yields then moved by is seen when
    it opens again. What is not known at the end has not been said yet, and stays NaN.
    """
    place = np.arange(len(rate))
    known = np.isfinite(rate)
    before = np.maximum.accumulate(np.where(known, place, -1))
    after = np.minimum.accumulate(np.where(known, place, len(rate))[::-1])[::-1]
    bridged = ~known & (before >= 0) & (after < len(rate)) & (after - before <= most + 1)
    return np.where(bridged, rate[np.maximum(before, 0)], rate)


def yield_changes(rate: FloatArray) -> FloatArray:
    """Return changes from one session to the next, first axis; the first NaN, NaN over gaps."""
    change = np.full(rate.shape, np.nan)
    change[1:] = np.diff(rate, axis=0)
    return change


def yield_changes_of_fund(returns: FloatArray, duration: float) -> FloatArray:
    """Return what a Treasury fund's returns say of its yield: -r / D, where no yields are known."""
    return np.asarray(-returns / duration)


def empirical_durations(
    excess: FloatArray, market: FloatArray, level: FloatArray, slope: FloatArray
) -> EmpiricalDurations:
    """Regress excess returns on the market, dy10 and the slope's change over the last WINDOW.

    `excess` is (sessions, securities); the others are (sessions,): excess returns of the market,
    changes of the 10-year yield and of the 10-year less the 2-year one. Securities with fewer than
    WITH_SLOPE sessions, and all of them where the slope is unknown, do without the slope. Weights
    halve every HALF_LIFE sessions; errors are Newey and West's.
    """
    excess, market = excess[-WINDOW:], market[-WINDOW:]
    both = [np.ones_like(market), market, level[-WINDOW:]]
    short = _durations(np.column_stack(both), excess)
    long = _durations(np.column_stack((*both, slope[-WINDOW:])), excess)
    longer = long.observations >= WITH_SLOPE
    observations = np.where(longer, long.observations, short.observations)
    enough = observations >= MIN_OBSERVATIONS
    return EmpiricalDurations(
        np.where(enough, np.where(longer, long.duration, short.duration), np.nan),
        np.where(enough, np.where(longer, long.error, short.error), np.nan),
        observations,
    )


def _durations(x: FloatArray, excess: FloatArray) -> EmpiricalDurations:
    data = moments(x, excess, exponential_weights(len(x), HALF_LIFE))
    fit = least_squares(x, excess, data)
    errors = errors_of(newey_west_covariance(x, data, fit, newey_west_lag(len(x))))
    return EmpiricalDurations(-fit.coefficients[:, 2], errors[:, 2], data.observations)

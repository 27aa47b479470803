"""Find the volatility at which the model that prices an option gives the price it is quoted at.

Axes: everything is (options,). A European option is inverted in closed form and two corrections, an
American one on the tree that prices it: to read an American price with the European formula would
give a volatility that is too high (a put worth exercising by points). Sources: Jaeckel (2015),
Let's Be Rational, for the normalised price and Householder's third-order correction on a
transformed price; Stefanica and Radoicic (2017), An Explicit Implied Volatility Formula, for the
first guess. With both, two corrections give all digits that the price has, in deep wings too.
"""

from dataclasses import dataclass, replace
from math import pi, sqrt

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from risk_engine.quant.american import american_bounds, american_price
from risk_engine.quant.panel import BoolArray, FloatArray
from risk_engine.quant.pricing import BLOCK, Options, european_greeks, net_spot

LEAST, MOST = 1e-4, 5.0
"""Per year: a volatility outside is a fault of the price."""

SOLVED, UNKNOWN, EXPIRED, TOO_CHEAP, TOO_DEAR, OUTSIDE = range(6)
"""Why there is a volatility or none: an input is missing, no time is left, the price is at or below
what certainty is worth, at or above what the option can ever be worth, or the volatility is outside
LEAST and MOST."""

ReasonArray = npt.NDArray[np.int8]

_CORRECTIONS = 2
_TRIES = 60
"""A bracket of 5 halved so often is smaller than a float can tell."""
_PRECISION = 1e-9
"""To which an American price is met, relative to what it is above its least."""
_ROUNDING = 4 * np.finfo(float).eps
_LEAST_EXCESS = 1e-10
"""Of the strike: a price on the tree nearer than this to its least says nothing."""
_TREE_ROUNDING = 1e-13
"""Of the strike."""


@dataclass(frozen=True, eq=False)
class ImpliedVolatility:
    """Volatilities per year, (options,), NaN where `reason` is not SOLVED."""

    volatility: FloatArray
    reason: ReasonArray


def implied_volatility(
    options: Options, price: FloatArray, american: BoolArray
) -> ImpliedVolatility:
    """Return the volatility that each price per share implies; `options.volatility` is not read.

    Each option is inverted with the model that prices it: `american` tells which are on the tree.
    """
    answer = ImpliedVolatility(np.full(len(options), np.nan), np.zeros(len(options), np.int8))
    for mask, solve in ((~american, european_volatility), (american, american_volatility)):
        if mask.any():
            part = solve(options.part(mask), price[mask])
            answer.volatility[mask], answer.reason[mask] = part.volatility, part.reason
    return answer


def european_volatility(options: Options, price: FloatArray) -> ImpliedVolatility:
    """Return the volatility that each price implies in the generalised Black-Scholes formula."""
    answer = ImpliedVolatility(np.empty(len(options)), np.empty(len(options), np.int8))
    for first in range(0, len(options), BLOCK):
        some = slice(first, first + BLOCK)
        with np.errstate(all="ignore"):  # what is at a bound or unknown is replaced by its reason
            block = _european_block(options.part(some), price[some])
        answer.volatility[some], answer.reason[some] = block
    return answer


def american_volatility(options: Options, price: FloatArray) -> ImpliedVolatility:
    """Return the volatility at which the tree of `american` gives each price.

    Secants from the European answer, which is at or above the American one, kept inside a bracket
    and replaced by a bisection where they leave it. What a price is above its least is met to 1e-9.
    """
    lowest, highest = american_bounds(options)
    years, excess = options.years, price - lowest
    known = np.isfinite(lowest + highest + price + years)
    reason = np.select(
        [~known, years <= 0, excess <= _LEAST_EXCESS * options.strike, price >= highest],
        [UNKNOWN, EXPIRED, TOO_CHEAP, TOO_DEAR],
        SOLVED,
    ).astype(np.int8)
    volatility = np.full(len(options), np.nan)
    open_ = np.flatnonzero(reason == SOLVED)
    if open_.size:
        tolerance = _PRECISION * excess[open_] + _TREE_ROUNDING * options.strike[open_]
        found, met = _on_the_tree(options.part(open_), price[open_], tolerance)
        volatility[open_] = np.where(met, found, np.nan)
        reason[open_[~met]] = OUTSIDE
    return ImpliedVolatility(volatility, reason)


def _european_block(options: Options, price: FloatArray) -> tuple[FloatArray, ReasonArray]:
    years = options.years
    grown = net_spot(options) * np.exp(-options.dividend_yield * years)
    owed = options.strike * np.exp(-options.rate * years)
    inside = np.maximum(np.where(options.is_call, grown - owed, owed - grown), 0.0)
    # What is in the money is worth as much more than its certain value as its counterpart outside.
    beyond = price - inside
    most = np.minimum(grown, owed)
    unit = np.sqrt(grown * owed)
    root = np.sqrt(years)
    moneyness = -np.abs(np.log(grown / owed))
    scale = _normalised_volatility(moneyness, beyond / unit, (most - beyond) / unit)
    volatility = scale / root
    reason = np.select(
        [
            ~np.isfinite(grown + owed + price + years),
            years <= 0,
            beyond <= _ROUNDING * inside,
            beyond >= most,
            ~((volatility >= LEAST) & (volatility <= MOST)),
        ],
        [UNKNOWN, EXPIRED, TOO_CHEAP, TOO_DEAR, OUTSIDE],
        SOLVED,
    ).astype(np.int8)
    return np.where(reason == SOLVED, volatility, np.nan), reason


def _normalised_volatility(
    moneyness: FloatArray, value: FloatArray, room: FloatArray
) -> FloatArray:
    """Return volatility times root of time, from log moneyness <= 0 and the price out of the money.

    `value` is over the geometric mean of forward and strike, both discounted; `room` is what is
    missing to the most it can be, which keeps the digits of a price near that bound.
    """
    root_ratio = np.exp(moneyness / 2)
    low = value < root_ratio / 2
    side = np.where(low, -1.0, 1.0)
    target = np.log(np.where(low, value, room))
    scale = _first_guess(moneyness, root_ratio, value, room)
    for _ in range(_CORRECTIONS):
        scale = scale + _correction(scale, moneyness, root_ratio, side, target)
    return scale


def _first_guess(
    moneyness: FloatArray, root_ratio: FloatArray, value: FloatArray, room: FloatArray
) -> FloatArray:
    """Return Stefanica's and Radoicic's guess, within 6 %: Polya's distribution, inverted."""
    ratio = root_ratio * root_ratio
    call = value * root_ratio  # over the discounted strike
    two = 2 * call + 1 - ratio
    power = np.exp((1 - 2 / pi) * moneyness)
    other = np.exp((2 / pi) * moneyness)
    first = (power - 1 / power) ** 2
    second = 4 * (other + 1 / other)
    second -= 2 / ratio * (power + 1 / power) * (ratio * ratio + 1 - two * two)
    # (two^2 - (ratio - 1)^2) ((ratio + 1)^2 - two^2) / ratio^2, without taking near numbers apart.
    third = 16 * call * (call + 1 - ratio) * room * (1 + call) / (ratio * root_ratio)
    gamma = -pi / 2 * np.log(2 * third / (second + np.sqrt(second * second + 4 * first * third)))
    wide = np.sqrt(gamma - moneyness)
    narrow = np.sqrt(np.maximum(gamma + moneyness, 0.0))
    turn = ratio / 2 - 0.5 + 0.5 * np.sqrt(-np.expm1(4 / pi * moneyness))
    return np.where(call <= turn, -2 * moneyness / (wide + narrow), wide + narrow)


def _correction(
    scale: FloatArray,
    moneyness: FloatArray,
    root_ratio: FloatArray,
    side: FloatArray,
    target: FloatArray,
) -> FloatArray:
    """Return Householder's third-order step: on 1/ln of a low price, ln of the room of a high one.

    With v the price (side -1) or the room (side 1), v' = -side * density, v''/v' = bend.
    """
    h = moneyness / scale
    d1 = h + scale / 2
    density = root_ratio * np.exp(-0.5 * d1 * d1) / sqrt(2 * pi)
    value = root_ratio * ndtr(-side * d1) + side / root_ratio * ndtr(d1 - scale)
    slope = -side * density / value
    log_value = np.log(value)
    low = side < 0
    inverse = np.where(low, 1 / log_value, 0.0)
    newton = (target - log_value) / slope * np.where(low, log_value / target, 1.0)
    bend = h * h / scale - scale / 4
    bend_slope = -3 * h * h / (scale * scale) - 0.25
    # The transformation's second and third derivative over its first, times v and v^2.
    one = -(1 + 2 * inverse) * slope
    two = (2 + 6 * inverse * (1 + inverse)) * slope * slope
    second = bend + one
    third = bend * bend + bend_slope + 3 * bend * one + two
    bent = 1 + newton * (second + newton * third / 6)
    return np.asarray(newton * (1 + 0.5 * newton * second) / bent)


def _on_the_tree(
    options: Options, price: FloatArray, tolerance: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Return volatilities, and whether the tree meets the price there."""
    size = len(options)
    low, high = np.full(size, LEAST), np.full(size, MOST)
    guess = european_volatility(options, price).volatility
    now = np.where(np.isnan(guess), MOST, guess)
    miss, before, miss_before = np.full((3, size), np.nan)
    met = np.zeros(size, dtype=bool)
    for _ in range(_TRIES):
        on = np.flatnonzero(~met & (high - low > _ROUNDING * low))
        if not on.size:
            break
        trial = replace(options.part(on), volatility=now[on])
        miss[on] = american_price(trial) - price[on]
        met[on] = np.abs(miss[on]) <= tolerance[on]
        over = miss[on] > 0
        high[on] = np.where(over, now[on], high[on])
        low[on] = np.where(over, low[on], now[on])
        slope = (miss[on] - miss_before[on]) / (now[on] - before[on])
        # The first step has no secant yet: the European slope is nearly that of the tree.
        first = np.isnan(slope)
        if first.any():
            slope[first] = 100 * european_greeks(trial.part(first)).vega
        with np.errstate(divide="ignore", invalid="ignore"):
            following = now[on] - miss[on] / slope
        inside = (following > low[on]) & (following < high[on])
        before[on], miss_before[on] = now[on], miss[on]
        halfway = np.sqrt(low[on] * high[on])
        now[on] = np.where(met[on], now[on], np.where(inside, following, halfway))
    return now, met

"""Price European options and their Greeks: generalised Black, Scholes and Merton.

Axes: everything is (options,). Prices and Greeks are per share of the underlying, in its currency.
NaN in any input of an option is NaN in all of its answers. Formulas: Hull, Options, Futures and
Other Derivatives, ch. 15, 17, 18 (Black 1976: the spot is the future and yields the rate) and 19;
Haug, The Complete Guide to Option Pricing Formulas, ch. 1 and 2.
"""

from dataclasses import dataclass, field, fields
from math import pi, sqrt

import numpy as np
from scipy.special import ndtr

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray

BLOCK = 8192
"""Options whose working arrays fit a processor's cache."""
DAYS = 365.0
_LEAST_SPOT = 1e-6
"""Of the spot: what is left of it where dividends would take more."""
LEAST_VOLATILITY = 1e-8
"""Per year: below it the formula divides by nothing, and the price is that of certainty."""


@dataclass(frozen=True, eq=False)
class Options:
    """Terms and market, (options,).

    `spot` and `strike` are above zero; `years` to expiry are ACT/365, and an option with none left
    is worth its intrinsic value. `volatility` is a decimal per year; `rate` and `dividend_yield`
    are continuously compounded decimals per year, borrow costs part of the yield. `dividend` is a
    scheduled one in cash per share, paid `ex_years` from now to whoever held the share just before:
    what it is worth now is taken out of the spot, if it comes before the expiry, and what is left
    has the volatility (escrowed: Hull, ch. 15.12 and 21.3). Both are 0 where none are given.
    """

    is_call: BoolArray
    spot: FloatArray
    strike: FloatArray
    years: FloatArray
    volatility: FloatArray
    rate: FloatArray
    dividend_yield: FloatArray
    dividend: FloatArray = field(default_factory=lambda: np.empty(0))
    ex_years: FloatArray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        for name in ("dividend", "ex_years"):
            if not getattr(self, name).size:
                object.__setattr__(self, name, np.zeros(np.shape(self.spot)))

    def __len__(self) -> int:
        return len(self.spot)

    def part(self, some: slice | IntArray | BoolArray) -> "Options":
        """Return some of the options: a slice of them, or those of a mask or of places."""
        return Options(*(getattr(self, one.name)[some] for one in fields(self)))


@dataclass(frozen=True, eq=False)
class Greeks:
    """Price and sensitivities, (options,), of one option held long.

    `delta` per unit of spot; `gamma` is its change per unit of spot; `vega` per volatility point
    (0.01); `theta` per calendar day that passes; `rho` per 100 basis points of the rate.
    """

    price: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray


def on_futures(
    *,
    is_call: BoolArray,
    future: FloatArray,
    strike: FloatArray,
    years: FloatArray,
    volatility: FloatArray,
    rate: FloatArray,
) -> Options:
    """Return options on futures: of Black (1976), where the future's yield is the rate.

    The rho of `european_greeks` holds the yield still; with a future that stands still when rates
    move it is -T x price instead (Haug, ch. 2).
    """
    return Options(is_call, future, strike, years, volatility, rate, rate)


def dividend_value(options: Options, after: FloatArray | float = 0.0) -> FloatArray:
    """Return what the dividend is worth `after` so many years, per share; it broadcasts.

    Nothing once it has been paid, and nothing at all where it comes at expiry or later.
    """
    to_come = (options.ex_years > after) & (options.ex_years < options.years)
    worth = options.dividend * np.exp(-options.rate * (options.ex_years - after))
    return np.where(to_come, worth, 0.0)


def net_spot(options: Options, spot: FloatArray | None = None) -> FloatArray:
    """Return the spot, or another one, less what the dividend is worth: always above zero."""
    gross = options.spot if spot is None else spot
    if not options.dividend.any():
        return gross
    return np.maximum(gross - dividend_value(options), _LEAST_SPOT * gross)


def european_price(options: Options) -> FloatArray:
    """Return the price of each option."""
    return european_greeks(options).price


def european_greeks(options: Options) -> Greeks:
    """Return price and Greeks of each option."""
    size = len(options)
    greeks = Greeks(*(np.empty(size) for _ in fields(Greeks)))
    for first in range(0, size, BLOCK):
        some = slice(first, min(first + BLOCK, size))
        for one, values in zip(fields(Greeks), _block(options.part(some)), strict=True):
            getattr(greeks, one.name)[some] = values
    _at_expiry(options, greeks)
    return greeks


def vanna_and_volga(options: Options) -> tuple[FloatArray, FloatArray]:
    """Return how vega changes: per unit of spot, and per volatility point.

    Vega is taken per volatility point here too; both are zero at expiry. Haug, ch. 2.
    """
    years = np.maximum(options.years, 0.0)
    volatility = np.maximum(options.volatility, LEAST_VOLATILITY)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = volatility * np.sqrt(years)
        spot = net_spot(options)
        d1 = _d1(options, spot, years, scale)
        d2 = d1 - scale
        density = np.exp(-options.dividend_yield * years - d1 * d1 / 2) / sqrt(2 * pi)
        vanna = -density * d2 / volatility / 100
        volga = spot * density * np.sqrt(years) * d1 * d2 / volatility / 1e4
    alive = options.years > 0
    nothing = np.where(np.isnan(options.spot + options.years), np.nan, 0.0)
    return np.where(alive, vanna, nothing), np.where(alive, volga, nothing)


def _d1(options: Options, spot: FloatArray, years: FloatArray, scale: FloatArray) -> FloatArray:
    drift = (options.rate - options.dividend_yield) * years
    return np.asarray((np.log(spot / options.strike) + drift) / scale + scale / 2)


def _block(options: Options) -> tuple[FloatArray, ...]:
    sign = np.where(options.is_call, 1.0, -1.0)
    spot, strike = net_spot(options), options.strike
    # An option that has expired is set right afterwards; here it only must not divide by zero.
    years = np.where(options.years > 0, options.years, np.where(options.years <= 0, 1.0, np.nan))
    volatility = np.maximum(options.volatility, LEAST_VOLATILITY)
    root = np.sqrt(years)
    scale = volatility * root
    d1 = _d1(options, spot, years, scale)
    grown = spot * np.exp(-options.dividend_yield * years)
    owed = strike * np.exp(-options.rate * years)
    density = np.exp(-0.5 * d1 * d1) / sqrt(2 * pi)
    with_spot = grown * ndtr(sign * d1)
    with_strike = owed * ndtr(sign * (d1 - scale))
    vega = grown * density * root
    carry = options.dividend_yield * with_spot - options.rate * with_strike
    theta = sign * carry - vega * volatility / (2 * years)
    rho = sign * years * with_strike
    if options.dividend.any():
        # What a dividend is worth grows with time and shrinks with the rate.
        taken = sign * with_spot / spot * dividend_value(options)
        theta -= options.rate * taken
        rho += options.ex_years * taken
    return (
        sign * (with_spot - with_strike),
        sign * with_spot / spot,
        vega / (spot * spot * volatility * years),
        vega / 100,
        theta / DAYS,
        rho / 100,
    )


def _at_expiry(options: Options, greeks: Greeks) -> None:
    over = options.years <= 0
    if not over.any():
        return
    sign = np.where(options.is_call[over], 1.0, -1.0)
    # What makes an answer NaN alive makes it so now.
    known = options.volatility[over] + options.rate[over] + options.dividend_yield[over]
    gain = sign * (options.spot[over] - options.strike[over]) + 0 * known
    greeks.price[over] = np.maximum(gain, 0.0)
    greeks.delta[over] = np.where(gain > 0, sign, 0.0) + 0 * gain
    for nothing in (greeks.gamma, greeks.vega, greeks.theta, greeks.rho):
        nothing[over] = 0 * gain

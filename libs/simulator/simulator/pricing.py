"""Option prices of the simulated market: European in closed form, American on a tree.

Prices are per share, in the currency of the spot price.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.draws import Floats

Flags = NDArray[np.bool_]

STEPS = 101

_erfc = np.frompyfunc(math.erfc, 1, 1)


class Terms(NamedTuple):
    """What options are priced by, one after the other: arrays of one length."""

    is_call: Flags
    spot: Floats
    strike: Floats
    years: Floats
    """To expiry, ACT/365, above zero."""
    volatility: Floats
    """Per year, above zero."""
    rate: Floats
    """Per year, continuously compounded."""
    dividend_yield: Floats
    """The same; equal to `rate`, `spot` is a future."""

    def where(self, chosen: Flags) -> "Terms":
        """Return those of some of the options."""
        is_call, *numbers = self
        return Terms(is_call[chosen], *(number[chosen] for number in numbers))


def european(terms: Terms) -> Floats:
    """Return Black-Scholes-Merton prices (Hull, *Options, Futures, and Other Derivatives*, ch. 17).

    On a future they are those of Black (1976).
    """
    is_call, spot, strike, years, volatility, rate, dividend_yield = terms
    sign = np.where(is_call, 1.0, -1.0)
    deviation = volatility * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate - dividend_yield) * years) / deviation + deviation / 2
    price: Floats = sign * (
        spot * np.exp(-dividend_yield * years) * _normal(sign * d1)
        - strike * np.exp(-rate * years) * _normal(sign * (d1 - deviation))
    )
    return np.maximum(price, 0.0)


def american(terms: Terms) -> Floats:
    """Return prices with early exercise.

    On the tree of Leisen and Reimer (1996), its early-exercise premium added to the European price
    in closed form: what the tree gets wrong, it gets wrong in both.
    """
    price = european(terms)
    # A call is exercised for the dividend, a put for the interest on the strike; where rates are
    # negative, paying the strike early is what a call is exercised for.
    earned = np.where(terms.is_call, terms.dividend_yield, terms.rate) > 0
    early = earned | (terms.is_call & (terms.rate < 0))
    if early.any():
        price[early] += _early_exercise_premium(terms.where(early))
    intrinsic = np.where(terms.is_call, 1, -1) * (terms.spot - terms.strike)
    return np.maximum(price, intrinsic)


def _early_exercise_premium(terms: Terms) -> Floats:
    is_call, spot, strike, years, volatility, rate, dividend_yield = terms
    sign = np.where(is_call, 1.0, -1.0)[:, None]
    step = years / STEPS
    growth = np.exp((rate - dividend_yield) * step)
    discount = np.exp(-rate * step)[:, None]
    deviation = volatility * np.sqrt(years)
    d2 = (np.log(spot / strike) + (rate - dividend_yield) * years) / deviation - deviation / 2
    up_chance = _peizer_pratt(d2)
    up = growth * _peizer_pratt(d2 + deviation) / up_chance
    down = (growth - up_chance * up) / (1 - up_chance)
    ups = np.arange(STEPS + 1)
    log_up, log_down = np.log(up)[:, None], np.log(down)[:, None]
    ends = spot[:, None] * np.exp(ups * log_up + (STEPS - ups) * log_down)
    american = np.maximum(sign * (ends - strike[:, None]), 0.0)
    european = american.copy()
    chance, back = up_chance[:, None], 1 / down[:, None]
    for _ in range(STEPS):
        ends = ends[:, :-1] * back
        american = discount * (chance * american[:, 1:] + (1 - chance) * american[:, :-1])
        european = discount * (chance * european[:, 1:] + (1 - chance) * european[:, :-1])
        american = np.maximum(american, sign * (ends - strike[:, None]))
    return np.asarray(np.maximum(american[:, 0] - european[:, 0], 0.0))


def _peizer_pratt(z: Floats) -> Floats:
    """Return the probability whose binomial of `STEPS` steps matches a normal at `z`."""
    # Held away from 0 and 1: deep in or out of the money there is no premium to compute.
    bounded = np.clip(z, -6, 6)
    exponent = (bounded / (STEPS + 1 / 3 + 0.1 / (STEPS + 1))) ** 2 * (STEPS + 1 / 6)
    chance: Floats = 0.5 + np.copysign(0.5, z) * np.sqrt(-np.expm1(-exponent))
    return np.clip(chance, 1e-9, 1 - 1e-9)


def _normal(z: Floats) -> Floats:
    """Return the standard normal distribution function."""
    # From the standard library: chains are hundreds of contracts, not worth another dependency.
    return np.asarray(_erfc(-z / math.sqrt(2)), np.float64) / 2

"""Price options at any shocked spot, volatility and rate, without a tree for each.

What early exercise adds is tabulated by `early_exercise` at RATE_SHIFTS and interpolated between
them; the rest is the exact formula. Where exercise begins, what it adds bends sharply as the rate
moves, so the rates are near each other around none, at the shifts of the scenario table, and what
is between them is a cubic that stays as monotone as they are (Fritsch and Butland, 1984). Axes,
units and NaN policy are those of `pricing`.

A contract that `is_wide` or `is_deep` by `early_exercise` is priced by a tree at every
market: what the other is worth above its exercise is little beside a table's errors.

Against a tree for every price, on contracts of 8 days to 2.5 years, volatilities of 10 to 500 % and
moneyness to e^1.2 and beyond either way: what a move of spot, volatility and rate is worth is
within half a percent, or a hundredth of a percent of the spot, for 99.7 in a hundred.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from risk_engine.quant.early_exercise import (
    SPOTS,
    VOLATILITIES,
    is_deep,
    is_wide,
    looked_up,
    premium_tables,
    spot_position,
    table_reach,
)
from risk_engine.quant.greeks import with_an_hour_left
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.pricing import LEAST_VOLATILITY, Options, net_spot
from risk_engine.quant.revaluation import revalue
from risk_engine.quant.volatility_surface import damping

RATE_SHIFTS: Final = (-0.015, -0.01, -0.005, 0.0, 0.005, 0.015, 0.03)
"""Where early exercise is tabulated; beyond them its value there is used."""
_RATES = np.array(RATE_SHIFTS)
_CENTRE = 0.6
"""Of the table of volatilities, in log, times the damping: shocks are more often up than down."""
_CELLS = 8192
"""Prices whose working arrays fit a processor's cache."""


@dataclass(frozen=True, eq=False)
class StressedPrices:
    """Contracts whose price can be asked for at any market; it is a `stressed_options.Revalue`.

    `premium` of early exercise is (contracts, RATE_SHIFTS, volatilities, spots), the tables of
    `early_exercise` in single precision, which halves what a night's contracts take of memory.
    `on_future` marks options whose yield is the rate, wherever that goes.
    """

    options: Options
    american: BoolArray
    on_future: BoolArray
    premium: npt.NDArray[np.float32]

    def __call__(
        self, rows: IntArray, spot: FloatArray, volatility: FloatArray, shift: FloatArray
    ) -> FloatArray:
        """Price contracts (rows,) at markets (rows, scenarios), per share."""
        by_tree = self._by_tree[rows]
        price = self._anew(rows, by_tree, spot, volatility, shift)
        early = np.flatnonzero(self.american[rows] & ~by_tree)
        if early.size:
            some = rows[early]
            options = self.options.part(some)
            sign = np.where(options.is_call, 1.0, -1.0)[:, None]
            exercised = sign * (spot[early] - options.strike[:, None])
            added = self._early_exercise(some, spot[early], volatility[early], shift[early])
            price[early] = np.maximum(price[early] + added, np.maximum(exercised, 0.0))
        return price

    @cached_property
    def _by_tree(self) -> BoolArray:
        return np.asarray(self.american & priced_by_tree(self.options))

    def _anew(
        self,
        rows: IntArray,
        by_tree: BoolArray,
        spot: FloatArray,
        volatility: FloatArray,
        shift: FloatArray,
    ) -> FloatArray:
        options = self.options.part(rows)
        carried = np.where(self.on_future[rows][:, None], shift, 0.0)
        return revalue(
            options,
            by_tree,
            spot=spot,
            volatility=volatility,
            rate=options.rate[:, None] + shift,
            dividend_yield=options.dividend_yield[:, None] + carried,
        )

    def _early_exercise(
        self, rows: IntArray, spot: FloatArray, volatility: FloatArray, shift: FloatArray
    ) -> FloatArray:
        row = np.repeat(rows, spot.shape[1])
        market = (spot.ravel(), volatility.ravel(), np.ravel(shift))
        added = np.empty(len(row))
        for first in range(0, len(row), _CELLS):
            some = slice(first, first + _CELLS)
            added[some] = self._block(row[some], *(values[some] for values in market))
        return added.reshape(spot.shape)

    def _block(
        self, row: IntArray, spot: FloatArray, volatility: FloatArray, shift: FloatArray
    ) -> FloatArray:
        inside = np.clip(shift, RATE_SHIFTS[0], RATE_SHIFTS[-1])
        node = np.minimum(np.searchsorted(_RATES, inside), len(_RATES) - 1)
        added = np.empty(len(row))
        apart = inside != _RATES[node]
        at = ~apart
        added[at] = self._at_node(row[at], spot[at], volatility[at], node[at])
        market = (row[apart], spot[apart], volatility[apart])
        nodes = node[apart] + np.arange(-2, 2)[:, None]
        inner = np.clip(nodes, 0, len(_RATES) - 1)
        values = np.stack([self._at_node(*market, each) for each in inner])
        added[apart] = _between(inside[apart], values, nodes)
        return added

    def _at_node(
        self, row: IntArray, spot: FloatArray, volatility: FloatArray, node: IntArray
    ) -> FloatArray:
        # Premium at a node's rate, all (prices,).
        options, shift = with_an_hour_left(self.options.part(row)), _RATES[node]
        options = replace(options, rate=options.rate + shift)
        carry = options.rate - options.dividend_yield - np.where(self.on_future[row], shift, 0.0)
        alive = options.years > 0
        years = np.where(alive, options.years, 1.0)
        centre = np.maximum(_centre(options), LEAST_VOLATILITY)
        shocked = np.maximum(volatility, LEAST_VOLATILITY)
        scale = shocked * np.sqrt(years)
        away = np.log(net_spot(options, spot) / options.strike)
        position = spot_position((away + carry * years) / scale - scale / 2, scale)
        change = np.log(shocked / centre) / table_reach(options.years)
        tables = self.premium.reshape(-1, VOLATILITIES, SPOTS)
        premium = looked_up(tables, row * len(_RATES) + node, position, change)
        return np.where(alive, premium, 0.0)


def priced_by_tree(options: Options) -> BoolArray:
    """Tell of each American contract whether it is priced by a tree, at every market."""
    return is_wide(options) | is_deep(options)


def stressed_prices(options: Options, american: BoolArray, on_future: BoolArray) -> StressedPrices:
    """Tabulate early exercise: 35 lattices for each contract that is `american` and has a table."""
    lasting = with_an_hour_left(options)
    tabled = np.flatnonzero(american & (options.years > 0) & ~priced_by_tree(options))
    premium = np.zeros((len(options), len(_RATES), VOLATILITIES, SPOTS), np.float32)
    some = lasting.part(tabled)
    reach, centre = table_reach(some.years), _centre(some)
    for place, shift in enumerate(RATE_SHIFTS):
        carried = np.where(on_future[tabled], shift, 0.0)
        moved = replace(
            some,
            volatility=centre,
            rate=some.rate + shift,
            dividend_yield=some.dividend_yield + carried,
        )
        premium[tabled, place] = premium_tables(moved, reach)
    return StressedPrices(options, american, on_future, premium)


def _centre(options: Options) -> FloatArray:
    return np.asarray(options.volatility * np.exp(_CENTRE * damping(options.years)))


def _between(shift: FloatArray, values: FloatArray, nodes: IntArray) -> FloatArray:
    """Return what is between the middle two of four rates' values, (4, prices)."""
    last = len(_RATES) - 1
    # Beyond the first and the last rate the cubic goes straight on.
    rates = _RATES[np.clip(nodes, 0, last)]
    gap = np.diff(rates, axis=0)
    inner = gap > 0
    slope = np.diff(values, axis=0) / np.where(inner, gap, 1.0)
    slope = np.where(inner, slope, slope[1])
    gap = np.where(inner, gap, gap[1])
    below, above = (_slope(gap[i : i + 2], slope[i : i + 2]) for i in (0, 1))
    width, part = gap[1], (shift - rates[1]) / gap[1]
    rest = 1 - part
    return np.asarray(
        rest**2 * ((1 + 2 * part) * values[1] + part * width * below)
        + part**2 * ((1 + 2 * rest) * values[2] - rest * width * above)
    )


def _slope(gap: FloatArray, slope: FloatArray) -> FloatArray:
    # Brodlie's harmonic mean, (2, prices) to (prices,): none where the values turn.
    monotone = slope[0] * slope[1] > 0
    first, second = np.where(monotone, slope, 1.0)
    part = (gap[0] + 2 * gap[1]) / (3 * (gap[0] + gap[1]))
    mean = first * second / (part * second + (1 - part) * first)
    return np.where(monotone, mean, 0.0)

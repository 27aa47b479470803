"""Tabulate what early exercise adds to an option at many spots, and look it up between them.

Axes: contracts (options,), spots of a table (options, SPOTS), scenarios (options, scenarios); units
and NaN policy are those of `pricing`, per share.

What early exercise adds to the exact European price is small and smooth, and one lattice gives it
for many spots at once. The spots are nodes of d2 (the standardised log moneyness), on which the
lattices of all contracts and volatilities nearly coincide: see `spot_position`. Lattice: equal
chances, the strike midway between two nodes, after Jarrow and Rudd (1983). They have the forward as
a step's mean to second order only; here it is exact, or at volatilities of hundreds of percent a
deep call would be exercised for the lattice's own drift. Control variate: Hull and White (1988);
cubic: Keys (1981).
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.pricing import LEAST_VOLATILITY, Options, dividend_value
from risk_engine.quant.volatility_surface import damping

Tables = npt.NDArray[np.float64] | npt.NDArray[np.float32]
STEPS = 50
_WIDTH = 5.0
"""The table reaches to as many standard deviations either side of the strike."""
_GAPS = 2 * int(np.ceil(_WIDTH * np.sqrt(STEPS) / 2)) + 1
"""Between spots of the table; odd, as STEPS is even, so that the strike falls midway."""
_GAPS_PER_DEVIATION = np.sqrt(STEPS) / 2
SPOTS = _GAPS + 1
VOLATILITIES = 5
_REACH = 1.2
"""Of the table, in log volatility, for an option of a month or less: beyond, its edge is used."""
_NARROW = 0.1
"""A standard deviation below which the lattice's steps move the place by less than 1e-5 gaps."""
_WIDE = 1.0
"""A standard deviation above which steps of the lattice, and gaps of the table, are too coarse."""
_DEEP = 1.25
_ROWS = 128
"""Lattices whose nodes fit a processor's cache."""


def is_wide(options: Options) -> BoolArray:
    """Tell of each option whether its spots are too far apart for a table: it wants a tree.

    Deep in the money that is so at half the deviation: the table's errors are large beside what the
    option is worth above its exercise.
    """
    scale = deviation(options)
    return np.asarray((scale > _WIDE) | (scale > _WIDE / 2) & is_deep(options))


def is_deep(options: Options) -> BoolArray:
    """Tell of each option whether it is far in the money, in its own standard deviations."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.log(options.spot / options.strike)
    return np.asarray(np.where(options.is_call, inside, -inside) > _DEEP * deviation(options))


def deviation(options: Options) -> FloatArray:
    """Return the standard deviation of the log spot until expiry, (options,)."""
    return np.asarray(options.volatility * np.sqrt(np.maximum(options.years, 0.0)))


def early_exercise_premium(options: Options) -> FloatArray:
    """Return what early exercise adds at the spots of the table, (options, SPOTS).

    The spot of the options is not read, only where the table's are: see `spot_position`. Every
    option has time left.
    """
    premium = np.empty((len(options), SPOTS))
    for first in range(0, len(options), _ROWS):
        some = slice(first, first + _ROWS)
        premium[some] = _on_lattice(options.part(some)).T
    return premium


def premium_tables(options: Options, reach: FloatArray) -> FloatArray:
    """Return what early exercise adds, (options, VOLATILITIES, SPOTS).

    Volatilities are even in their log, from `reach` below the options' to as far above it.
    """
    tables = np.empty((len(options), VOLATILITIES, SPOTS))
    for place, shift in enumerate(np.linspace(-1, 1, VOLATILITIES)):
        moved = replace(options, volatility=options.volatility * np.exp(shift * reach))
        tables[:, place] = early_exercise_premium(moved)
    return tables


def table_reach(years: FloatArray) -> FloatArray:
    """Return how far a table reaches in log volatility, (options,): with `damping`."""
    return np.asarray(_REACH * damping(years))


def _on_lattice(options: Options) -> FloatArray:
    """Return the premium at the spots of the table, (spots, options)."""
    sign = np.where(options.is_call, 1.0, -1.0)
    volatility = np.maximum(options.volatility, LEAST_VOLATILITY)
    step = options.years / STEPS
    move = volatility * np.sqrt(step)
    # The mean of a step is the forward's whatever the step: a call is not exercised for a drift.
    drift = (options.rate - options.dividend_yield) * step - _log_cosh(move)
    last = _GAPS + 1 + STEPS
    place = np.arange(last)[:, None] - (last - 1) / 2
    # Per unit of strike. A node's neighbours one step later are one move up and one down of it.
    nodes = sign * np.exp(2 * place * move)
    american = np.maximum(nodes - sign, 0.0)
    european = american.copy()
    spare = np.empty_like(american)
    to_come = None
    if options.dividend.any():
        to_come = sign * dividend_value(options, np.arange(STEPS)[:, None] * step) / options.strike
    half, back = 0.5 * np.exp(-options.rate * step), np.exp(move - drift)
    for size in range(last - 1, _GAPS, -1):
        here, exercised = nodes[:size], spare[:size]
        np.multiply(here, back, out=here)
        for values in (american, european):
            held = values[:size]
            np.add(held, values[1 : size + 1], out=held)
            np.multiply(held, half, out=held)
        np.subtract(here, sign, out=exercised)
        if to_come is not None:
            np.add(exercised, to_come[size - _GAPS - 1], out=exercised)
        np.maximum(american[:size], exercised, out=american[:size])
    return np.asarray((american[: _GAPS + 1] - european[: _GAPS + 1]) * options.strike)


def spot_position(d2: FloatArray, scale: FloatArray) -> FloatArray:
    """Return where options lie among the spots of the table, in gaps from the first.

    `scale` is the standard deviation of the log spot until expiry. What the lattice's drift lacks
    of the formula's, of which a node's d2 is, is made up for.
    """
    position = d2 * _GAPS_PER_DEVIATION + _GAPS / 2
    moved = scale > _NARROW
    if moved.any():
        apart = np.zeros(scale.shape)
        move = scale[moved] / np.sqrt(STEPS)
        apart[moved] = STEPS * (move**2 / 2 - _log_cosh(move)) / (2 * move)
        position = position + apart
    return np.asarray(position)


def looked_up(
    tables: Tables, which: IntArray, position: FloatArray, change: FloatArray | None
) -> FloatArray:
    """Return the premium between the nodes of (tables, volatilities, spots), never below zero.

    `which` table, the `position` among its spots and the `change` of volatility, in parts of the
    table's reach, are broadcast; None is no change: the volatility in the middle.
    """
    _, volatilities, spots = tables.shape
    flat = tables.ravel()
    first = which * (volatilities * spots)
    columns, weights = _between(position, spots)
    if change is None:
        middle = first + volatilities // 2 * spots
        return np.maximum(_weighted(flat, middle, columns, weights), 0.0)
    rows, row_weights = _between((change + 1) * (volatilities - 1) / 2, volatilities)
    premium = np.zeros(position.shape)
    for row, weight in zip(rows, row_weights, strict=True):
        premium += weight * _weighted(flat, first + row * spots, columns, weights)
    return np.maximum(premium, 0.0)


def _log_cosh(move: FloatArray) -> FloatArray:
    return np.asarray(move + np.log1p(np.exp(-2 * move)) - np.log(2))


def _between(position: FloatArray, nodes: int) -> tuple[list[IntArray], list[FloatArray]]:
    """Return the two nodes below and the two above, and their weights; the edge is repeated."""
    inside = np.fmin(np.fmax(position, 0.0), nodes - 1.0)  # NaN goes to 0: the formula keeps it
    below = np.minimum(inside.astype(np.int64), nodes - 2)
    part = inside - below
    rest = 1 - part
    return [np.maximum(below - 1, 0), below, below + 1, np.minimum(below + 2, nodes - 1)], [
        -0.5 * part * rest * rest,
        1 + part * part * (1.5 * part - 2.5),
        1 + rest * rest * (1.5 * rest - 2.5),
        -0.5 * rest * part * part,
    ]


def _weighted(
    flat: Tables, first: IntArray, columns: list[IntArray], weights: list[FloatArray]
) -> FloatArray:
    total = weights[0] * flat.take(first + columns[0])
    for column, weight in zip(columns[1:], weights[1:], strict=True):
        total += weight * flat.take(first + column)
    return np.asarray(total)

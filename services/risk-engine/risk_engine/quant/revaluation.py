"""Value options again under many scenarios: by the formula and a table of early exercise, or anew.

Axes: contracts are (options,), scenarios (options, scenarios); units are those of `pricing`, per
share. NaN in a contract or in a scenario is NaN in its answers.

A tree per scenario is too dear for a simulation. What early exercise adds to the exact European
price, however, is small and smooth, and one lattice gives it for many spots at once. So for each
contract it is tabulated on volatilities times spots, and a scenario is priced by the formula plus a
cubic through the table. The spots are nodes of d2 (the standardised log moneyness), on which the
lattices of all contracts and volatilities coincide. Lattice: Jarrow and Rudd (1983), equal chances,
the strike midway between two nodes; control variate: Hull and White (1988); cubic: Keys (1981).

Against a tree for every scenario, on 99 % losses over a day of contracts of 2 days to 2.5 years:
0.003 % off in the median, 0.05 % for nineteen in twenty, 0.2 % for 99 in a hundred.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from risk_engine.quant.american import american_price
from risk_engine.quant.greeks import LEAST_YEARS, with_an_hour_left
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.pricing import (
    DAYS,
    LEAST_VOLATILITY,
    Options,
    dividend_value,
    european_price,
    net_spot,
)

STEPS = 50
_WIDTH = 5.0
"""The table reaches to as many standard deviations either side of the strike."""
_GAPS = 2 * int(np.ceil(_WIDTH * np.sqrt(STEPS) / 2)) + 1
"""Between spots of the table; odd, as STEPS is even, so that the strike falls midway."""
_GAPS_PER_DEVIATION = np.sqrt(STEPS) / 2
_VOLATILITIES = 5
_REACH = 1.2
"""Of the table, in log volatility, for an option of a month or less: beyond, its edge is used."""
_MONTH = 30 / DAYS
_ROWS = 128
"""Lattices whose nodes fit a processor's cache."""
_CELLS = 8192
"""Scenarios times options whose working arrays fit a processor's cache."""
_NOTHING = 1e-7
"""Of the strike: early exercise that adds no more than this at any node is not looked up."""
_EUROPEAN, _EARLY_FOR_NOTHING, _EARLY = range(3)


@dataclass(frozen=True, eq=False)
class RevaluationGrid:
    """Contracts as they will be when the scenarios happen, and what they are worth before.

    `options.years` is what is left then; `value`, (options,), is today's, by the same method, so
    that what is wrong with it cancels. `premium` of early exercise is (options, volatilities,
    spots); `reach`, (options,), the largest log change of volatility it covers.
    """

    options: Options
    american: BoolArray
    value: FloatArray
    premium: FloatArray
    reach: FloatArray

    def __len__(self) -> int:
        return len(self.options)


def revaluation_grid(options: Options, american: BoolArray, days: float = 1.0) -> RevaluationGrid:
    """Return what is needed to revalue contracts `days` later; `american` may be exercised early.

    An American contract costs about 60 us, a European one next to nothing.
    """
    now = with_an_hour_left(options)
    later = with_an_hour_left(_later(now, days / DAYS))
    damped = np.sqrt(_MONTH / np.maximum(now.years, _MONTH))
    grid = RevaluationGrid(
        options=later,
        american=american,
        value=_value_now(now, american),
        premium=np.zeros((len(now), _VOLATILITIES, _GAPS + 1)),
        reach=_REACH * damped,
    )
    alive = np.flatnonzero(american & (later.years > 0))
    contracts, reach = later.part(alive), grid.reach[alive]
    for place, shift in enumerate(np.linspace(-1, 1, _VOLATILITIES)):
        moved = replace(contracts, volatility=contracts.volatility * np.exp(shift * reach))
        grid.premium[alive, place] = early_exercise_premium(moved)
    return grid


def _later(now: Options, years: float) -> Options:
    """Return the options so much later.

    Returns of scenarios are total: a dividend of the time between is out of the spot, whatever that
    does (a hundredth of it for a move of 1 %).
    """
    paid = (now.ex_years > 0) & (now.ex_years <= years)
    return replace(
        now,
        spot=np.where(paid, net_spot(now), now.spot),
        years=now.years - years,
        dividend=np.where(paid, 0.0, now.dividend),
        ex_years=now.ex_years - years,
    )


def profit_and_loss(
    grid: RevaluationGrid, spot_return: FloatArray, volatility_change: FloatArray | None = None
) -> FloatArray:
    """Return what each contract gains per share in each scenario, (options, scenarios).

    `spot_return` is simple, a decimal above -1; `volatility_change` is ln(new / old), and None
    leaves volatility as it is. The gain is the model's price then less the model's price now.
    """
    gain = np.empty(spot_return.shape)
    rows = max(1, _CELLS // max(1, spot_return.shape[1]))
    for kind in (_EUROPEAN, _EARLY_FOR_NOTHING, _EARLY):
        places = np.flatnonzero(_kinds(grid) == kind)
        for first in range(0, len(places), rows):
            some = places[first : first + rows]
            change = None if volatility_change is None else volatility_change[some]
            worth = _worth(grid, some, spot_return[some], change, kind)
            gain[some] = worth - grid.value[some, None]
    return gain


def revalue(
    options: Options,
    american: BoolArray,
    *,
    spot: FloatArray,
    volatility: FloatArray,
    rate: FloatArray,
    dividend_yield: FloatArray | None = None,
) -> FloatArray:
    """Return prices anew, (options, scenarios), from what the scenarios make of the market.

    What is given is (options, scenarios) or broadcasts to it. Style, strike and time left are the
    contracts'; so is the yield where none is given (an option on a future wants its rate there).
    """
    options = with_an_hour_left(options)
    held = options.dividend_yield[:, None] if dividend_yield is None else dividend_yield
    market = np.broadcast_arrays(spot, volatility, rate, held, options.strike[:, None])
    shape = market[0].shape
    spots, volatilities, rates, yields, strikes = (np.ravel(values) for values in market)

    flat = Options(
        is_call=np.repeat(options.is_call, shape[1]),
        spot=spots,
        strike=strikes,
        years=np.repeat(options.years, shape[1]),
        volatility=volatilities,
        rate=rates,
        dividend_yield=yields,
        dividend=np.repeat(options.dividend, shape[1]),
        ex_years=np.repeat(options.ex_years, shape[1]),
    )
    price = np.empty(len(flat))
    early = np.repeat(american, shape[1])
    for mask, model in ((~early, european_price), (early, american_price)):
        if mask.any():
            price[mask] = model(flat.part(mask))
    return price.reshape(shape)


def early_exercise_premium(options: Options) -> FloatArray:
    """Return what early exercise adds at the spots of the table, (options, spots).

    The spots are those with d2 = (0 - _GAPS / 2, ..., _GAPS / 2) / _GAPS_PER_DEVIATION; the spot of
    the options is not read. Every option has time left.
    """
    premium = np.empty((len(options), _GAPS + 1))
    for first in range(0, len(options), _ROWS):
        some = slice(first, first + _ROWS)
        premium[some] = _on_lattice(options.part(some)).T
    return premium


def _on_lattice(options: Options) -> FloatArray:
    """Return the premium at the spots of the table, (spots, options)."""
    sign = np.where(options.is_call, 1.0, -1.0)
    volatility = np.maximum(options.volatility, LEAST_VOLATILITY)
    step = options.years / STEPS
    move = volatility * np.sqrt(step)
    drift = (options.rate - options.dividend_yield - volatility**2 / 2) * step
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


def _value_now(options: Options, american: BoolArray) -> FloatArray:
    value = european_price(options)
    early = np.flatnonzero(american & (options.years > 0))
    contracts = options.part(early)
    volatility = np.maximum(contracts.volatility, LEAST_VOLATILITY)
    scale = volatility * np.sqrt(contracts.years)
    carry = (contracts.rate - contracts.dividend_yield) * contracts.years
    d2 = (np.log(net_spot(contracts) / contracts.strike) + carry) / scale - scale / 2
    premium = early_exercise_premium(contracts)[:, None]
    sign = np.where(contracts.is_call, 1.0, -1.0)
    added = _looked_up(premium, d2[:, None], None)[:, 0]
    value[early] = np.maximum(value[early] + added, sign * (contracts.spot - contracts.strike))
    return value


def _kinds(grid: RevaluationGrid) -> IntArray:
    nothing = grid.premium.max(axis=(1, 2)) <= _NOTHING * grid.options.strike
    return np.where(grid.american, np.where(nothing, _EARLY_FOR_NOTHING, _EARLY), _EUROPEAN)


def _worth(
    grid: RevaluationGrid,
    some: IntArray,
    spot_return: FloatArray,
    volatility_change: FloatArray | None,
    kind: int,
) -> FloatArray:
    """Return prices in the scenarios of some contracts, (some, scenarios)."""
    options = grid.options.part(some)
    column = replace(
        options, **{name: getattr(options, name)[:, None] for name in options.__dataclass_fields__}
    )
    sign = np.where(column.is_call, 1.0, -1.0)
    growth = 1 + spot_return
    exercised = np.maximum(sign * (column.spot * growth - column.strike), 0.0)
    alive = column.years > 0
    years = np.where(column.years <= 0, LEAST_YEARS, column.years)
    volatility = np.maximum(column.volatility, LEAST_VOLATILITY)
    if volatility_change is not None:
        volatility = volatility * np.exp(volatility_change)
    scale = volatility * np.sqrt(years)
    carry = (column.rate - column.dividend_yield) * years
    if column.dividend.any():
        left = net_spot(column, column.spot * growth)
        away = np.log(left / column.strike)
    else:
        left = column.spot * growth
        away = np.log(growth) + np.log(column.spot / column.strike)
    d2 = (away + carry) / scale - scale / 2
    grown = left * np.exp(-column.dividend_yield * years)
    owed = column.strike * np.exp(-column.rate * years)
    worth = grown * ndtr(sign * (d2 + scale)) - owed * ndtr(sign * d2)
    worth *= sign
    if kind == _EARLY:
        change = None if volatility_change is None else volatility_change / grid.reach[some, None]
        table = grid.premium[some]
        if change is None:
            table = table[:, _VOLATILITIES // 2 : _VOLATILITIES // 2 + 1]
        worth += _looked_up(table, d2, change)
    if kind != _EUROPEAN:
        np.maximum(worth, exercised, out=worth)
    return np.asarray(np.where(alive, worth, exercised + 0 * worth))


def _looked_up(table: FloatArray, d2: FloatArray, change: FloatArray | None) -> FloatArray:
    """Return the premium between the nodes of (options, volatilities, spots), never below zero.

    `change` is that of volatility, in parts of the table's reach.
    """
    contracts, volatilities, spots = table.shape
    # A cubic wants a neighbour on both sides: the edge is repeated.
    edge = np.pad(table, ((0, 0), (1, 1) if change is not None else (0, 0), (1, 1)), mode="edge")
    flat = edge.ravel()
    place, weights = _between(d2 * _GAPS_PER_DEVIATION + _GAPS / 2, spots)
    first = np.arange(contracts)[:, None] * (edge.shape[1] * edge.shape[2]) + place
    if change is None:
        return np.maximum(_weighted(flat, first, weights), 0.0)
    row, row_weights = _between((change + 1) * (volatilities - 1) / 2, volatilities)
    first += row * edge.shape[2]
    premium = row_weights[0] * _weighted(flat, first, weights)
    for number in range(1, 4):
        premium += row_weights[number] * _weighted(flat, first + number * edge.shape[2], weights)
    return np.maximum(premium, 0.0)


def _between(position: FloatArray, nodes: int) -> tuple[IntArray, list[FloatArray]]:
    """Return the node below, and the weights of it, its neighbour below and the two above."""
    inside = np.fmin(np.fmax(position, 0.0), nodes - 1.0)  # NaN goes to 0: the formula keeps it
    below = np.minimum(inside.astype(np.int64), nodes - 2)
    part = inside - below
    rest = 1 - part
    return below, [
        -0.5 * part * rest * rest,
        1 + part * part * (1.5 * part - 2.5),
        1 + rest * rest * (1.5 * rest - 2.5),
        -0.5 * rest * part * part,
    ]


def _weighted(flat: FloatArray, first: IntArray, weights: list[FloatArray]) -> FloatArray:
    total = weights[0] * flat.take(first)
    for number in range(1, 4):
        total += weights[number] * flat.take(first + number)
    return np.asarray(total)

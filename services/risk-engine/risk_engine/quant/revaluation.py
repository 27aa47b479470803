"""Value options again under many scenarios: by the formula and a table of early exercise, or anew.

Axes: contracts are (options,), scenarios (options, scenarios); units are those of `pricing`, per
share. NaN in a contract or in a scenario is NaN in its answers.

A tree per scenario is too dear for a simulation, so a scenario is priced by the exact formula plus
what early exercise adds by the table of `early_exercise`. A contract that `is_wide` there has no
table and is dear: a tree for every scenario, and for its value before.

Against a tree for every scenario, on 99 % losses over a day of contracts of 2 days to 2.5 years:
0.003 % off in the median, 0.05 % for nineteen in twenty, 0.2 % for 99 in a hundred.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from risk_engine.quant.american import american_price
from risk_engine.quant.early_exercise import (
    SPOTS,
    VOLATILITIES,
    early_exercise_premium,
    is_wide,
    looked_up,
    premium_tables,
    spot_position,
    table_reach,
)
from risk_engine.quant.greeks import LEAST_YEARS, with_an_hour_left
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.pricing import (
    DAYS,
    LEAST_VOLATILITY,
    Options,
    european_price,
    net_spot,
)

_CELLS = 8192
"""Scenarios times options whose working arrays fit a processor's cache."""
_NOTHING = 1e-7
"""Of the strike: early exercise that adds no more than this at any node is not looked up."""
_EUROPEAN, _EARLY_FOR_NOTHING, _EARLY, _BY_TREE = range(4)


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
    by_tree = american & is_wide(later)
    grid = RevaluationGrid(
        options=later,
        american=american,
        value=_value_now(now, american, by_tree),
        premium=np.zeros((len(now), VOLATILITIES, SPOTS)),
        reach=table_reach(now.years),
    )
    alive = np.flatnonzero(american & ~by_tree & (later.years > 0))
    contracts, reach = later.part(alive), grid.reach[alive]
    grid.premium[alive] = premium_tables(contracts, reach)
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
    kinds = _kinds(grid)
    for kind in (_EUROPEAN, _EARLY_FOR_NOTHING, _EARLY, _BY_TREE):
        places = np.flatnonzero(kinds == kind)
        for first in range(0, len(places), rows):
            some = places[first : first + rows]
            change = None if volatility_change is None else volatility_change[some]
            if kind == _BY_TREE:
                worth = _by_tree(grid.options.part(some), spot_return[some], change)
            else:
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


def _value_now(options: Options, american: BoolArray, by_tree: BoolArray) -> FloatArray:
    value = european_price(options)
    value[by_tree] = american_price(options.part(by_tree))
    early = np.flatnonzero(american & ~by_tree & (options.years > 0))
    contracts = options.part(early)
    volatility = np.maximum(contracts.volatility, LEAST_VOLATILITY)
    scale = volatility * np.sqrt(contracts.years)
    carry = (contracts.rate - contracts.dividend_yield) * contracts.years
    d2 = (np.log(net_spot(contracts) / contracts.strike) + carry) / scale - scale / 2
    premium = early_exercise_premium(contracts)[:, None]
    row = np.arange(len(contracts))[:, None]
    sign = np.where(contracts.is_call, 1.0, -1.0)
    added = looked_up(premium, row, spot_position(d2, scale)[:, None], None)[:, 0]
    value[early] = np.maximum(value[early] + added, sign * (contracts.spot - contracts.strike))
    return value


def _kinds(grid: RevaluationGrid) -> IntArray:
    nothing = grid.premium.max(axis=(1, 2)) <= _NOTHING * grid.options.strike
    kinds = np.where(grid.american, np.where(nothing, _EARLY_FOR_NOTHING, _EARLY), _EUROPEAN)
    return np.where(grid.american & is_wide(grid.options), _BY_TREE, kinds)


def _by_tree(
    options: Options, spot_return: FloatArray, volatility_change: FloatArray | None
) -> FloatArray:
    """Return prices in the scenarios, (options, scenarios), on a tree for each."""
    volatility = options.volatility[:, None]
    if volatility_change is not None:
        volatility = volatility * np.exp(volatility_change)
    return revalue(
        options,
        np.ones(len(options), dtype=np.bool_),
        spot=options.spot[:, None] * (1 + spot_return),
        volatility=volatility,
        rate=options.rate[:, None],
    )


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
        worth += looked_up(grid.premium, some[:, None], spot_position(d2, scale), change)
    if kind != _EUROPEAN:
        np.maximum(worth, exercised, out=worth)
    return np.asarray(np.where(alive, worth, exercised + 0 * worth))

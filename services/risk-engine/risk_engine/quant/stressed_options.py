"""Revalue options in scenarios, and take what happens apart: the yield, the spot, the volatility.

Axes: (contracts, scenarios). Values are per share of the underlying, of a contract held long, and
model less model: never against a market price. Time stands still and each contract keeps its own
implied volatility as the spot moves (sticky strike), shocked as `stress` says. NaN in what is known
of a contract is NaN in its answers.

The three legs are taken one after the other: first the yield at the old spot and volatility, then
the spot, then the volatility. Each is a full revaluation, so they add up to the change of value.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.stress import Moves, shocked_volatility

Revalue = Callable[[IntArray, FloatArray, FloatArray, FloatArray], FloatArray]
"""Price contracts, given by their rows (rows,), at spots, volatilities and parallel shifts of the
rate, each (rows, scenarios), per share. Where nothing moves it is `Contracts.price`."""

_SMALL = 1e-6
"""A log return below which a quotient of differences is noise, and the delta exact enough."""


@dataclass(frozen=True, eq=False)
class Contracts:
    """Distinct option contracts as they stand, (contracts,), per share.

    `underlying` is a row of `Underlyings`. `spot` is the underlying's price (the future's for an
    option on one), `volatility` a decimal per year, `years` to expiry. `delta` and `gamma` are per
    unit of spot, `vega` per volatility point, `rho` per 100 basis points. `keeps_volatility` marks
    options on volatility, whose own implied volatility no scenario moves.
    """

    underlying: IntArray
    spot: FloatArray
    volatility: FloatArray
    years: FloatArray
    price: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    rho: FloatArray
    keeps_volatility: BoolArray

    def __len__(self) -> int:
        return len(self.underlying)


@dataclass(frozen=True, eq=False)
class OptionMoves:
    """What scenarios do to each contract, (contracts, scenarios), per share held long.

    `change` is the whole change of value and the sum of `rate`, `spot` and `volatility`, the legs.
    `without_volatility` and `double_volatility` are the change when the volatility shock is 0 and
    when it is twice as large. `slope` is the spot leg per unit of log return of the underlying.
    `by_greek` are the terms of the Taylor series, (contracts, scenarios, 4): delta, gamma, vega,
    rho.
    """

    change: FloatArray
    rate: FloatArray
    spot: FloatArray
    volatility: FloatArray
    without_volatility: FloatArray
    double_volatility: FloatArray
    slope: FloatArray
    by_greek: FloatArray


def option_changes(
    contracts: Contracts,
    moves: Moves,
    shock: FloatArray,
    yield_move: FloatArray,
    revalue: Revalue,
) -> FloatArray:
    """Return the change of value of every contract in every scenario, (contracts, scenarios).

    `moves` are the underlyings', `shock` and `yield_move` the relative move of 30-day implied
    volatility and the parallel move of the rate, (scenarios,).
    """
    spot, volatility = _spot(contracts, moves.returns), _volatility(contracts, shock)
    after = _priced(contracts, yield_move, revalue, spot, volatility)
    return after - contracts.price[:, None]


def option_moves(
    contracts: Contracts,
    moves: Moves,
    shock: FloatArray,
    yield_move: FloatArray,
    revalue: Revalue,
) -> OptionMoves:
    """Revalue every contract in every scenario, and take the changes apart.

    The arguments are those of `option_changes`.
    """

    def at(spot: FloatArray, volatility: FloatArray) -> FloatArray:
        return _priced(contracts, yield_move, revalue, spot, volatility)

    driven = moves.from_volatility
    now, old_spot, old_volatility = (
        values[:, None] for values in (contracts.price, contracts.spot, contracts.volatility)
    )
    spot, volatility = _spot(contracts, moves.returns), _volatility(contracts, shock)
    # The future on volatility stands still without the shock and goes twice as far with two.
    still = _spot(contracts, np.where(driven, 0.0, moves.returns))
    twice = _spot(contracts, np.where(driven, 2 * moves.returns, moves.returns))
    after_rate = at(old_spot, old_volatility)
    after_spot = at(still, old_volatility)
    after_all = at(spot, volatility)
    spot_leg = after_spot - after_rate
    return OptionMoves(
        change=after_all - now,
        rate=after_rate - now,
        spot=spot_leg,
        volatility=after_all - after_spot,
        without_volatility=after_spot - now,
        double_volatility=at(twice, _volatility(contracts, 2 * shock)) - now,
        slope=_slope(contracts, spot_leg, moves),
        by_greek=_taylor(contracts, spot - old_spot, volatility - old_volatility, yield_move),
    )


def _priced(
    contracts: Contracts,
    yield_move: FloatArray,
    revalue: Revalue,
    spot: FloatArray,
    volatility: FloatArray,
) -> FloatArray:
    shape = (len(contracts), len(yield_move))
    market = (np.broadcast_to(values, shape) for values in (spot, volatility, yield_move))
    return revalue(np.arange(len(contracts)), *market)


def _spot(contracts: Contracts, returns: FloatArray) -> FloatArray:
    return np.asarray(contracts.spot[:, None] * (1 + returns[contracts.underlying]))


def _volatility(contracts: Contracts, shock: FloatArray) -> FloatArray:
    old = contracts.volatility[:, None]
    moved = shocked_volatility(old, contracts.years[:, None], shock)
    return np.where(contracts.keeps_volatility[:, None], old, moved)


def _slope(contracts: Contracts, spot_leg: FloatArray, moves: Moves) -> FloatArray:
    log_return = moves.parts.sum(axis=-1)[contracts.underlying]
    small = np.abs(log_return) < _SMALL
    at_zero = (contracts.delta * contracts.spot)[:, None]
    return np.where(small, at_zero, spot_leg / np.where(small, 1.0, log_return))


def _taylor(
    contracts: Contracts, move: FloatArray, added: FloatArray, yield_move: FloatArray
) -> FloatArray:
    terms = (
        contracts.delta[:, None] * move,
        contracts.gamma[:, None] * move**2 / 2,
        contracts.vega[:, None] * 100 * added,
        contracts.rho[:, None] * 100 * yield_move,
    )
    return np.stack(np.broadcast_arrays(*terms), axis=-1)

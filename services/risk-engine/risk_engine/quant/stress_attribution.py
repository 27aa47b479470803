"""Add stressed positions up to portfolios, by factor and by Greek.

Axes: (positions, scenarios), (portfolios, scenarios) and, apart, (portfolios, scenarios, causes).
Money in the portfolio's currency, profit positive. A position without a known profit is left out of
every sum, and of the attribution with it; `known_share` says how much is in.
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import FloatArray, IntArray, sum_by
from risk_engine.quant.stress import Moves
from risk_engine.quant.stressed_options import OptionMoves

NO_CONTRACT = -1
GREEKS = ("delta", "gamma", "vega", "rho", "residual")


@dataclass(frozen=True, eq=False)
class Positions:
    """What portfolios hold, (positions,).

    `underlying` is a row of `Underlyings`; `contract` one of `Contracts`, NO_CONTRACT for what
    moves with its underlying one for one. `units` are signed: the market value in money of such a
    position, quantity times multiplier of an option.
    """

    portfolio: IntArray
    underlying: IntArray
    contract: IntArray
    units: FloatArray

    def __len__(self) -> int:
        return len(self.portfolio)


def position_profit(
    positions: Positions, returns: FloatArray, option_change: FloatArray
) -> FloatArray:
    """Return each position's profit in each scenario, (positions, scenarios).

    `returns` are the underlyings' (underlyings, scenarios), `option_change` per share of contracts
    held long (contracts, scenarios).
    """
    return np.asarray(positions.units[:, None] * _picked(positions, returns, option_change))


def portfolio_profit(positions: Positions, profit: FloatArray, portfolios: int) -> FloatArray:
    """Return the sum of the known profits of each portfolio, (portfolios, scenarios)."""
    return _totals(positions, np.where(np.isnan(profit), 0.0, profit), portfolios)


def known_share(
    positions: Positions, profit: FloatArray, size: FloatArray, portfolios: int
) -> FloatArray:
    """Return how much of each portfolio's gross `size` has a known profit, (portfolios, scenarios).

    `size` is what each position counts for, (positions,), not negative. NaN without any size.
    """
    known = _totals(positions, np.where(np.isnan(profit), 0.0, size[:, None]), portfolios)
    whole = sum_by(positions.portfolio, size, portfolios)[:, None]
    share = np.full(known.shape, np.nan)
    np.divide(known, whole, out=share, where=whole > 0)
    return share


def profit_by_factor(
    positions: Positions, moves: Moves, options: OptionMoves, rates: int, portfolios: int
) -> FloatArray:
    """Return each portfolio's profit by factor and, last, by implied volatility.

    (portfolios, scenarios, factors + 1). What a position earns by its underlying's return is split
    as the factors make up the log return, r u_k/u. The yield has besides what discounting does to
    options; volatility has the options' volatility leg and all of what depends on a future on it.
    The sum over causes is the portfolio's profit.
    """
    slope = positions.units[:, None] * _picked(positions, moves.slope, options.slope)
    no_rate, driven = np.zeros(moves.returns.shape), moves.from_volatility
    by_volatility = np.where(driven, moves.returns, 0.0)
    rate = position_profit(positions, no_rate, options.rate)
    volatility = position_profit(positions, by_volatility, options.volatility)
    known = ~np.isnan(slope + rate + volatility)
    factors = moves.parts.shape[-1]
    by_factor = np.empty((portfolios, slope.shape[1], factors + 1))
    for factor in range(factors):
        amount = slope * moves.parts[positions.underlying, :, factor]
        amount = amount + rate if factor == rates else amount
        by_factor[..., factor] = _totals(positions, np.where(known, amount, 0.0), portfolios)
    by_factor[..., -1] = _totals(positions, np.where(known, volatility, 0.0), portfolios)
    return by_factor


def profit_by_greek(
    positions: Positions, moves: Moves, options: OptionMoves, portfolios: int
) -> FloatArray:
    """Return each portfolio's profit by Greek, (portfolios, scenarios, GREEKS).

    Terms of the Taylor series at today's Greeks; the residual is what the full revaluation says
    beyond them. What moves with its underlying one for one is all delta.
    """
    profit = position_profit(positions, moves.returns, options.change)
    known = ~np.isnan(profit)
    zero = np.zeros(moves.returns.shape)
    by_greek = np.zeros((portfolios, profit.shape[1], len(GREEKS)))
    for place in range(options.by_greek.shape[-1]):
        linear = moves.returns if place == 0 else zero
        amount = position_profit(positions, linear, options.by_greek[..., place])
        by_greek[..., place] = _totals(positions, np.where(known, amount, 0.0), portfolios)
    whole = portfolio_profit(positions, profit, portfolios)
    by_greek[..., -1] = whole - by_greek[..., :-1].sum(axis=-1)
    return by_greek


def residual_deviation(
    owner: IntArray,
    dollars: FloatArray,
    daily_variance: FloatArray,
    horizon: FloatArray,
    portfolios: int,
) -> FloatArray:
    """Return the standard deviation of specific risk over each horizon, (portfolios, scenarios).

    sqrt(h sum H_u^2 D_u): `dollars` H are each portfolio's (`owner`) net dollar delta in one
    underlying, `daily_variance` D that underlying's specific variance, all (exposures,); `horizon`
    h in sessions (scenarios,). An exposure without a known variance adds nothing.
    """
    variance = dollars**2 * daily_variance
    daily = sum_by(owner, np.where(np.isnan(variance), 0.0, variance), portfolios)
    return np.sqrt(daily[:, None] * horizon)


def _picked(positions: Positions, by_underlying: FloatArray, by_contract: FloatArray) -> FloatArray:
    amount = by_underlying[positions.underlying]
    is_option = positions.contract != NO_CONTRACT
    amount[is_option] = by_contract[positions.contract[is_option]]
    return amount


def _totals(positions: Positions, amount: FloatArray, portfolios: int) -> FloatArray:
    # One portfolio's sum runs over its positions in their order, whoever else is there.
    scenarios = amount.shape[1]
    cell = positions.portfolio[:, None] * scenarios + np.arange(scenarios)
    summed = sum_by(cell.ravel(), amount.ravel(), portfolios * scenarios)
    return summed.reshape(portfolios, scenarios)

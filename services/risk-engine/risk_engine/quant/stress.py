"""Move underlyings and their volatility by scenarios of risk factors, in full and at every size.

Axes: (underlyings, scenarios) and, by factor, (underlyings, scenarios, factors). Shocks are those
of `conditional`: decimals, the yield's too. Returns are simple and decimal. A price P moves to
P (1 + r) with r = exp(u) - 1 and u = b_MKT ln(1 + f_MKT) + sum b_k f_k + b_R dy: continuous in the
shocks and never below -100 %. Only the market's shock is logged, as the log of a spread depends on
which way round it is taken. A fund that keeps k times its index each day moves by k times what the
index does at one blow, all of it at most: r = max(k (exp(u/k) - 1), -1); over many sessions it
rebalances, and r = exp(u) - 1 again. NaN in what is known of an underlying is NaN in its answers.

Sources: Hull, Options, Futures and Other Derivatives, ch. 4 (duration and convexity); Meucci, Risk
and Asset Allocation, ch. 3 (log returns linear in factors); Alexander, Market Risk Analysis IV,
ch. 7 (scenarios on factors; sticky strike); Cheng and Madhavan (2009), The Dynamics of Leveraged
and Inverse Exchange-Traded Funds, Journal of Investment Management 7(4) (a day's return is k times
the index's, that over a path exp(k ln(1 + f)) less what swings cost).
"""

from dataclasses import dataclass, fields

import numpy as np

from risk_engine.quant.fixed_income import rate_pnl
from risk_engine.quant.panel import BoolArray, FloatArray
from risk_engine.quant.volatility_surface import damping

VOLATILITY_PER_MARKET = -4.0
"""Implied volatility rises by 40 % of itself when the market falls by 10 %."""
LEAST_VOLATILITY_SHOCK, MOST_VOLATILITY_SHOCK = -0.30, 2.00
MOST_ADDED_VOLATILITY = 0.60
"""Per year, of one option: 60 volatility points."""
LEAST_RETURN = -0.9999
"""Where duration or leverage would take more than all: options are still priced on what is left."""


@dataclass(frozen=True)
class FactorAxis:
    """Which factor is the market and which the yield: places on the axis of factors."""

    market: int
    rates: int


@dataclass(frozen=True, eq=False)
class Underlyings:
    """What is known of each underlying, (underlyings,).

    `betas` are (underlyings, factors): log return per unit of each factor, for the market per unit
    of its log return, for the yield per unit of its move. `duration` and `convexity` (years, years
    squared) stand in for the yield's beta where `duration` is not NaN: bonds and funds of bonds.
    `future_years` is the time to expiry of a future on implied volatility, NaN for all else; its
    betas do not matter. `multiple` is how many times its index's return a fund has in a day (-3,
    2), 1 for all else; betas, duration and convexity are the fund's own, the multiple included.
    """

    betas: FloatArray
    duration: FloatArray
    convexity: FloatArray
    future_years: FloatArray
    multiple: FloatArray

    def __len__(self) -> int:
        return len(self.betas)

    def rows(self, some: object) -> "Underlyings":
        """Return some of the underlyings, in the order of an index."""
        return Underlyings(*(getattr(self, field.name)[some] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Moves:
    """How far each underlying moves: `returns` (..., scenarios), `parts` also by factor.

    `parts` are log returns, 0 for a future on volatility, whose return comes from the volatility
    shock. `slope` is return per unit of log return, r/u and 1 at u = 0, so that slope
    times parts adds up to the return, (..., scenarios); it is 1 for a future on volatility, which
    `from_volatility` marks.
    """

    parts: FloatArray
    returns: FloatArray
    slope: FloatArray
    from_volatility: BoolArray


def volatility_shock(market: FloatArray, stated: FloatArray) -> FloatArray:
    """Return the relative move of 30-day implied volatility in each scenario, (scenarios,).

    It is -4 times the market's shock, within -30 % and +200 %, unless `stated` is not NaN.
    """
    rule = np.clip(VOLATILITY_PER_MARKET * market, LEAST_VOLATILITY_SHOCK, MOST_VOLATILITY_SHOCK)
    return np.where(np.isnan(stated), rule, stated)


def shocked_volatility(volatility: FloatArray, years: FloatArray, shock: FloatArray) -> FloatArray:
    """Return implied volatility (decimal per year) after a relative shock of the 30-day one.

    What is added is at most 60 points before it is damped by the time to expiry. The arguments are
    broadcast against each other.
    """
    added = np.minimum(volatility * shock, MOST_ADDED_VOLATILITY)
    return np.asarray(volatility + added * damping(years))


def bond_return(yield_move: FloatArray, duration: FloatArray, convexity: FloatArray) -> FloatArray:
    """Return a bond's price change by duration and convexity: -D dy + C dy^2/2, a decimal.

    A parabola turns where dy = D/C; from there on the price is held, as a higher yield never makes
    a bond dearer, and it is never below LEAST_RETURN. The arguments are broadcast.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        turning = np.where(convexity > 0, duration / convexity, np.inf)
    move = np.where(duration >= 0, np.minimum(yield_move, turning), yield_move)
    return np.maximum(rate_pnl(np.ones(1), duration, convexity, move), LEAST_RETURN)


def underlying_moves(
    underlyings: Underlyings,
    shocks: FloatArray,
    volatility: FloatArray,
    axis: FactorAxis,
    *,
    over_sessions: bool = False,
) -> Moves:
    """Return how every underlying moves in every scenario, (underlyings, scenarios).

    `shocks` are (scenarios, factors) without free factors, `volatility` the relative shocks of
    30-day implied volatility, (scenarios,). Shocks are one blow unless they took sessions, over
    which funds with a daily multiple rebalance.
    """
    rows = underlyings.rows((slice(None), np.newaxis))
    return matched_moves(rows, shocks, volatility, axis, over_sessions=over_sessions)


def matched_moves(
    underlyings: Underlyings,
    shocks: FloatArray,
    volatility: FloatArray,
    axis: FactorAxis,
    *,
    over_sessions: bool = False,
) -> Moves:
    """Return the moves of underlyings broadcast against scenarios, each row with its own."""
    driver = shocks.copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        driver[..., axis.market] = np.log1p(shocks[..., axis.market])
    parts = underlyings.betas * driver
    times = underlyings.multiple
    by_duration = bond_return(
        shocks[..., axis.rates], underlyings.duration / times, underlyings.convexity / times
    )
    parts[..., axis.rates] = np.where(
        np.isnan(underlyings.duration), parts[..., axis.rates], times * np.log1p(by_duration)
    )
    is_future = np.broadcast_to(~np.isnan(underlyings.future_years), parts.shape[:-1])
    parts[is_future] = 0.0
    log_return = parts.sum(axis=-1)
    moved = np.expm1(log_return)
    if not over_sessions:
        at_once = np.maximum(times * np.expm1(log_return / times), LEAST_RETURN)
        moved = np.where(times == 1, moved, at_once)
    returns = np.where(is_future, volatility * damping(underlyings.future_years), moved)
    still = log_return == 0
    slope = np.where(still, 1.0, moved / np.where(still, 1.0, log_return))
    return Moves(parts, returns, slope, is_future)

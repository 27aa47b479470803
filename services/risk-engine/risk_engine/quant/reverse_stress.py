"""Find the most likely shocks under which each portfolio loses a given amount.

Axes: (portfolios,) and (portfolios, factors); money in the portfolio's currency. Of all shocks with
the same linear loss the most likely are along -S x, where x is the gradient of profit and S the
covariance of the factors. How far along is found on the full revaluation.

Sources: Breuer, Jandacka, Rheinberger and Summer (2009), How to find plausible, severe, and useful
stress scenarios, International Journal of Central Banking 5(3); Kopeliovich et al. (2015), Robust
risk estimation and hedging: a reverse stress testing approach. The root is bracketed and found by
the Illinois method (Dahlquist and Bjorck, Numerical Methods in Scientific Computing I, ch. 6),
which asks for a fifth of the revaluations that halving does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray, sum_by
from risk_engine.quant.stress import (
    VOLATILITY_PER_MARKET,
    FactorAxis,
    Underlyings,
    matched_moves,
    shocked_volatility,
    volatility_shock,
)
from risk_engine.quant.stress_attribution import NO_CONTRACT, Positions
from risk_engine.quant.stressed_options import Contracts, Revalue
from risk_engine.quant.volatility_surface import damping

MOST_SHOCK = 1.00
MOST_MARKET_FALL = 0.95
MOST_YIELD_MOVE = 0.10
"""Beyond these no answer is sought: the model of returns is about nothing that happens there."""
NEGLIGIBLE = 1e-9
"""Of the gross: a net this small is what rounding leaves of longs and shorts that cancel."""
_GROWTH = 1.6
_EXPANSIONS = 16
_FIRST_MOVE = 0.02  # of the market, where its own direction is tried
_SCAN = 22
"""Points of a ray at which a loss is looked for that lies between the doubling steps."""
_STEPS = 60
_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class Book:
    """All that portfolios hold and what is known of it; see the modules of each."""

    positions: Positions
    underlyings: Underlyings
    contracts: Contracts
    revalue: Revalue
    axis: FactorAxis
    portfolios: int


@dataclass(frozen=True, eq=False)
class ReverseStress:
    """The shocks that cost each portfolio the loss asked for, (portfolios,).

    `shocks` are by factor too, `volatility` the relative shock of 30-day implied volatility that
    goes with them, `loss` the full revaluation there, positive. All NaN where no shock within the
    limits costs that much, or nothing the portfolio holds depends on the factors.
    """

    shocks: FloatArray
    volatility: FloatArray
    loss: FloatArray


def profit_gradient(book: Book) -> FloatArray:
    """Return the change of profit per unit of each factor at none, (portfolios, factors).

    It includes what a move of the market does to options by their volatility, -4 times as much, and
    what the yield does to them by discounting. A position of which something is not known is left
    out. Where positions cancel it is exactly 0: NEGLIGIBLE of their gross is rounding.
    """
    held, axis = book.positions, book.axis
    known, option = book.underlyings.rows(held.underlying), held.contract != NO_CONTRACT
    contract = held.contract[option]
    terms, units = book.contracts, held.units[option]
    dollars = held.units.copy()
    dollars[option] = units * terms.delta[contract] * terms.spot[contract]
    sensitivity = known.betas.copy()
    is_bond, is_future = ~np.isnan(known.duration), ~np.isnan(known.future_years)
    sensitivity[is_bond, axis.rates] = -known.duration[is_bond]
    sensitivity[is_future] = 0.0
    sensitivity[is_future, axis.market] = VOLATILITY_PER_MARKET * damping(
        known.future_years[is_future]
    )
    gradient = dollars[:, None] * sensitivity
    by_volatility = units * terms.vega[contract] * 100 * terms.volatility[contract]
    moves = np.where(terms.keeps_volatility[contract], 0.0, damping(terms.years[contract]))
    gradient[option, axis.market] += VOLATILITY_PER_MARKET * by_volatility * moves
    gradient[option, axis.rates] += units * terms.rho[contract] * 100
    gradient[np.isnan(gradient).any(axis=1)] = 0.0
    net, gross = (
        np.stack([sum_by(held.portfolio, column, book.portfolios) for column in parts.T], axis=1)
        for parts in (gradient, np.abs(gradient))
    )
    return np.where(np.abs(net) > NEGLIGIBLE * gross, net, 0.0)


def worst_direction(gradient: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the most likely shocks per unit of linear loss, (portfolios, factors).

    -S x/(x'S x): NaN where nothing depends on the factors.
    """
    # Not a matrix product: BLAS rounds a row differently in other company.
    spread = (gradient[:, None, :] * covariance).sum(axis=-1)
    variance = (spread * gradient).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance[:, None] > 0, -spread / variance[:, None], np.nan)


def full_profit(
    book: Book, shocks: FloatArray, volatility: FloatArray, wanted: BoolArray
) -> FloatArray:
    """Return the profit of each portfolio under shocks of its own, fully revalued, (portfolios,).

    `shocks` are (portfolios, factors), `volatility` (portfolios,). Only `wanted` portfolios are
    revalued; the others' answer is 0. A position of which something is not known is left out.
    """
    held = book.positions
    mine = np.flatnonzero(wanted[held.portfolio])
    owner = held.portfolio[mine]
    moves = matched_moves(
        book.underlyings.rows(held.underlying[mine]), shocks[owner], volatility[owner], book.axis
    )
    change = moves.returns
    option = held.contract[mine] != NO_CONTRACT
    contract = held.contract[mine][option]
    terms = book.contracts
    shocked = shocked_volatility(
        terms.volatility[contract], terms.years[contract], volatility[owner[option]]
    )
    market = (
        terms.spot[contract] * (1 + change[option]),
        np.where(terms.keeps_volatility[contract], terms.volatility[contract], shocked),
        shocks[owner[option], book.axis.rates],
    )
    after = book.revalue(contract, *(values[:, None] for values in market))[:, 0]
    change[option] = after - terms.price[contract]
    profit = held.units[mine] * change
    return sum_by(owner, np.where(np.isnan(profit), 0.0, profit), book.portfolios)


def reverse_stress(book: Book, covariance: FloatArray, loss: FloatArray) -> ReverseStress:
    """Return the most likely shocks under which each portfolio loses `loss`, (portfolios,).

    They are sought along the direction that the first order says is the likeliest. Where nothing
    along it costs that much, as options may turn, they are sought the other way and along what a
    fall and a rise of the market imply for the other factors, and the least far is taken.
    `covariance` is of the factors, (factors, factors). A loss that is NaN or not positive has no
    answer.
    """
    direction = worst_direction(profit_gradient(book), covariance)
    wanted = np.where(np.isfinite(direction).all(axis=1), loss, np.nan)
    found = _along(book, direction, wanted)
    lacking = np.where(np.isfinite(found.loss), np.nan, wanted)
    if not (lacking > 0).any():
        return found
    inverse = np.asarray(np.linalg.pinv(covariance, hermitian=True), dtype=np.float64)
    distance = np.full(len(loss), np.inf)
    market = _market_ray(covariance, book.axis, loss)
    for ray in (-direction, -market, market):
        other = _along(book, ray, lacking)
        reached = np.isfinite(other.loss)
        far = np.where(reached, _distance(other.shocks, inverse), np.inf)
        nearer = far < distance
        distance = np.where(nearer, far, distance)
        found = ReverseStress(
            np.where(nearer[:, None], other.shocks, found.shocks),
            np.where(nearer, other.volatility, found.volatility),
            np.where(nearer, other.loss, found.loss),
        )
    return found


def _along(book: Book, direction: FloatArray, loss: FloatArray) -> ReverseStress:
    """Return the shocks along one direction for each portfolio, (portfolios, factors)."""
    sought = np.isfinite(direction).all(axis=1) & (direction != 0).any(axis=1) & (loss > 0)
    limit = _limit(np.where(sought[:, None], direction, 0.0), book.axis)

    def lost(scale: FloatArray, wanted: BoolArray) -> FloatArray:
        shocks = np.where(wanted[:, None], direction * scale[:, None], 0.0)
        return -full_profit(book, shocks, _rule(shocks, book.axis), wanted)

    scale = _root(lost, np.where(sought, loss, np.nan), limit)
    found = np.isfinite(scale)
    shocks = direction * scale[:, None]
    answer = np.where(found, lost(scale, found), np.nan)
    return ReverseStress(shocks, _rule(shocks, book.axis), answer)


def _market_ray(covariance: FloatArray, axis: FactorAxis, loss: FloatArray) -> FloatArray:
    # What a rise of the market implies for all factors, for one unit of loss: the search begins
    # where the scale is the loss, and so with a small move.
    variance = covariance[axis.market, axis.market]
    implied = covariance[:, axis.market] / variance if variance > 0 else np.zeros(len(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(_FIRST_MOVE * implied / loss[:, None])


def _distance(shocks: FloatArray, inverse: FloatArray) -> FloatArray:
    # Added up within a row alone: a product of matrices would depend on how many there are.
    turned = (shocks[:, None, :] * inverse).sum(axis=-1)
    return np.asarray((turned * shocks).sum(axis=-1))


def _rule(shocks: FloatArray, axis: FactorAxis) -> FloatArray:
    return volatility_shock(shocks[:, axis.market], np.full(len(shocks), np.nan))


def _limit(direction: FloatArray, axis: FactorAxis) -> FloatArray:
    most = np.full(direction.shape, MOST_SHOCK)
    falls = direction[:, axis.market] < 0
    most[falls, axis.market] = MOST_MARKET_FALL
    most[:, axis.rates] = MOST_YIELD_MOVE
    with np.errstate(divide="ignore"):
        return np.asarray((most / np.abs(direction)).min(axis=1))


def _root(
    lost: Callable[[FloatArray, BoolArray], FloatArray], loss: FloatArray, limit: FloatArray
) -> FloatArray:
    """Return a scale in (0, limit] at which as much is lost; NaN where there is none."""
    low, low_miss = np.zeros(len(loss)), -loss
    high = np.minimum(loss, limit)
    open_ = np.isfinite(loss)
    high_miss = np.where(open_, lost(high, open_) - loss, np.nan)
    for _ in range(_EXPANSIONS):
        short = open_ & (high_miss < 0) & (high < limit)
        if not short.any():
            break
        low, low_miss = np.where(short, high, low), np.where(short, high_miss, low_miss)
        high = np.where(short, np.minimum(high * _GROWTH, limit), high)
        high_miss = np.where(short, lost(high, short) - loss, high_miss)
    low, low_miss, high, high_miss = _scanned(
        lost, loss, limit, open_ & (high_miss < 0), ((low, low_miss), (high, high_miss))
    )
    bracketed = open_ & (high_miss >= 0)
    return _between(lost, loss, bracketed, (low, low_miss), (high, high_miss))


def _scanned(
    lost: Callable[[FloatArray, BoolArray], FloatArray],
    loss: FloatArray,
    limit: FloatArray,
    sought: BoolArray,
    ends: tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]],
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return ends between which the loss is met, where the doubling steps `sought` it in vain.

    Profits of options turn: a loss may be there between two steps and gone again at both.
    """
    (low, low_miss), (high, high_miss) = ends
    before, miss_before = np.zeros(len(loss)), -loss
    for point in range(1, _SCAN + 1):
        if not sought.any():
            break
        here = limit * point / _SCAN
        miss = np.where(sought, lost(here, sought) - loss, np.nan)
        met = sought & (miss >= 0)
        low, low_miss = np.where(met, before, low), np.where(met, miss_before, low_miss)
        high, high_miss = np.where(met, here, high), np.where(met, miss, high_miss)
        before, miss_before = np.where(sought, here, before), np.where(sought, miss, miss_before)
        sought = sought & ~met
    return low, low_miss, high, high_miss


def _between(
    lost: Callable[[FloatArray, BoolArray], FloatArray],
    loss: FloatArray,
    bracketed: BoolArray,
    below: tuple[FloatArray, FloatArray],
    above: tuple[FloatArray, FloatArray],
) -> FloatArray:
    (low, low_miss), (high, high_miss) = below, above
    scale, miss = high, high_miss
    was_above = was_below = np.zeros(len(loss), dtype=np.bool_)
    for step in range(_STEPS):
        going = bracketed & (np.abs(miss) > _TOLERANCE * loss)
        if not going.any():
            break
        with np.errstate(invalid="ignore", divide="ignore"):
            secant = high - high_miss * (high - low) / (high_miss - low_miss)
        # Every fourth step halves, in case the secant creeps up on a kink.
        tried = (low + high) / 2 if step % 4 == 3 else secant
        scale = np.where(going, tried, scale)
        miss = np.where(going, lost(scale, going) - loss, miss)
        rises, falls = going & (miss >= 0), going & (miss < 0)
        # Illinois: an end that stays twice counts for half, or the other would creep.
        low_miss = np.where(rises & was_above, low_miss / 2, low_miss)
        high_miss = np.where(falls & was_below, high_miss / 2, high_miss)
        was_above, was_below = rises, falls
        low_miss, high_miss = np.where(falls, miss, low_miss), np.where(rises, miss, high_miss)
        low, high = np.where(falls, scale, low), np.where(rises, scale, high)
    return np.where(bracketed, scale, np.nan)

"""Compare forecasts of risk with what happened: coverage, independence and expected shortfall.

Axes: P&L is (portfolios, days), forecasts (portfolios, confidences, days) and made before the day;
answers are (portfolios, confidences). Forecasts are losses, positive; an exceedance is a loss above
the value at risk. A portfolio with NaN on any day has NaN answers. P-values are chances of a result
at least as far from what was forecast, if the forecast is right.

Kupiec, Techniques for Verifying the Accuracy of Risk Measurement Models, 1995; Christoffersen,
Evaluating Interval Forecasts, 1998; Basel Committee, MAR32; Acerbi and Szekely, Backtesting
Expected Shortfall, 2014. Jorion, Value at Risk, ch. 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import bdtr, chdtrc, xlogy

from risk_engine.quant.filtered_simulation import WINDOW
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.value_at_risk import (
    CONFIDENCES,
    shortfall_weights,
    tail_depth,
    tail_risk,
    worst_losses,
)

DAYS = 250
GREEN, YELLOW, RED = 0, 1, 2
_YELLOW_FROM, _RED_FROM = 0.95, 0.9999
_MULTIPLIERS = np.array([1.50] * 5 + [1.70, 1.76, 1.83, 1.88, 1.92, 2.00])
"""MAR32: what capital is multiplied by, for 0 to 10 exceedances at 99 % in 250 days."""
_SIMULATIONS = 5_000
_SEED = 20_000_102


@dataclass(frozen=True, eq=False)
class Coverage:
    """How often losses exceeded the value at risk, (portfolios, confidences) each.

    `unconditional`, `independence` and `conditional` are likelihood ratios, chi-square with 1, 1
    and 2 degrees of freedom; each with its p-value.
    """

    exceedances: FloatArray
    unconditional: FloatArray
    unconditional_p: FloatArray
    independence: FloatArray
    independence_p: FloatArray
    conditional: FloatArray
    conditional_p: FloatArray


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Portfolios' forecasts and what happened; days are the last of the history, in order.

    `pnl` is (portfolios, days); `value_at_risk` and `expected_shortfall` are (portfolios,
    confidences, days); `tail` (portfolios, days, depth) holds the worst losses of each day's
    scenarios, the worst first.
    """

    pnl: FloatArray
    value_at_risk: FloatArray
    expected_shortfall: FloatArray
    tail: FloatArray


@dataclass(frozen=True, eq=False)
class Holdings:
    """One portfolio's gain as a function of returns: constant + exposure r + curvature r^2.

    `exposure` and `curvature` are (symbols,), dollars.
    """

    constant: float
    exposure: FloatArray
    curvature: FloatArray


def filtered_forecasts(
    holdings: Holdings,
    surprises: FloatArray,
    volatility: FloatArray,
    returns: FloatArray,
    *,
    days: int = DAYS,
    window: int = WINDOW,
    confidences: Sequence[float] = CONFIDENCES,
) -> Forecasts:
    """Forecast each of the last `days` of one portfolio, filtered, from `window` sessions before.

    The holdings are today's, on every day. `surprises` and `returns` are (sessions, symbols),
    `volatility` (sessions + 1, symbols): see `filtered_simulation`.

    Raises:
        ValueError: there are fewer than days + window sessions.
    """
    sessions = len(returns)
    if sessions < days + window:
        raise ValueError(f"{days} days after {window} sessions want more than {sessions} sessions")
    on = np.arange(sessions - days, sessions)
    first = on[0] - window
    past, tomorrow = surprises[first:-1], volatility[on].T
    # (sessions, days): every past surprise in every day's volatility; a day's window is a band.
    everything = past @ (holdings.exposure[:, None] * tomorrow) + holdings.constant
    if holdings.curvature.any():
        everything += past**2 @ (holdings.curvature[:, None] * tomorrow**2)
    bands = sliding_window_view(np.ascontiguousarray(everything.T), window, axis=1)
    scenarios = bands[np.arange(days), np.arange(days)]
    losses = worst_losses(scenarios, tail_depth(window, confidences))
    risk = tail_risk(losses, window, confidences)
    happened = returns[on] @ holdings.exposure + returns[on] ** 2 @ holdings.curvature
    return Forecasts(
        pnl=(happened + holdings.constant)[None],
        value_at_risk=risk.value_at_risk.T[None],
        expected_shortfall=risk.expected_shortfall.T[None],
        tail=losses[None],
    )


def joined(forecasts: Sequence[Forecasts]) -> Forecasts:
    """Return the forecasts of some portfolios as one, of the same days."""
    return Forecasts(
        *(
            np.concatenate([getattr(one, field.name) for one in forecasts])
            for field in fields(Forecasts)
        )
    )


def coverage(
    pnl: FloatArray, value_at_risk: FloatArray, confidences: Sequence[float] = CONFIDENCES
) -> Coverage:
    """Count exceedances and test their number, their independence, and both."""
    exceeded = -pnl[:, None] > value_at_risk
    days = pnl.shape[1]
    count = exceeded.sum(axis=2).astype(np.float64)
    count[np.isnan(pnl[:, None] + value_at_risk).any(axis=2)] = np.nan
    unconditional = unconditional_ratio(count, days, 1 - np.asarray(confidences))
    independence = np.where(np.isnan(count), np.nan, independence_ratio(exceeded))
    conditional = unconditional + independence
    return Coverage(
        count,
        unconditional,
        chdtrc(1, unconditional),
        independence,
        chdtrc(1, independence),
        conditional,
        chdtrc(2, conditional),
    )


def unconditional_ratio(
    exceedances: FloatArray, days: int | IntArray, tail: FloatArray | float
) -> FloatArray:
    """Return Kupiec's likelihood ratio of `exceedances` in `days` when each has the chance `tail`.

    -2 ln[(1 - p)^(n - x) p^x / ((1 - x/n)^(n - x) (x/n)^x)], with 0 ln 0 = 0.
    """
    rest, share = days - exceedances, exceedances / days
    expected = xlogy(rest, 1 - tail) + xlogy(exceedances, tail)
    observed = xlogy(rest, 1 - share) + xlogy(exceedances, share)
    # Where both are the same, rounding may leave the difference below zero.
    return np.asarray(np.maximum(2 * (observed - expected), 0.0))


def independence_ratio(exceeded: BoolArray) -> FloatArray:
    """Return Christoffersen's likelihood ratio that a day's exceedance depends on the day before.

    `exceeded` is (..., days), the answer (...).
    """
    before, after = exceeded[..., :-1], exceeded[..., 1:]

    def pairs(first: BoolArray, second: BoolArray) -> FloatArray:
        return np.asarray((first & second).sum(axis=-1), dtype=np.float64)

    calm_calm, calm_loss = pairs(~before, ~after), pairs(~before, after)
    loss_calm, loss_loss = pairs(before, ~after), pairs(before, after)
    dependent = _likelihood(calm_calm, calm_loss) + _likelihood(loss_calm, loss_loss)
    independent = _likelihood(calm_calm + loss_calm, calm_loss + loss_loss)
    return np.asarray(np.maximum(2 * (dependent - independent), 0.0))


def basel_zone(exceedances: FloatArray, days: int = DAYS, tail: float = 0.01) -> FloatArray:
    """Return GREEN, YELLOW or RED by how unlikely no more exceedances are; NaN for NaN.

    Yellow from a cumulative chance of 95 %, red from 99.99 %: 5 and 10 in 250 days at 99 %.
    """
    chance = bdtr(exceedances, days, tail)
    zone = np.where(chance >= _RED_FROM, RED, np.where(chance >= _YELLOW_FROM, YELLOW, GREEN))
    return np.where(np.isnan(exceedances), np.nan, zone)


def capital_multiplier(exceedances: FloatArray) -> FloatArray:
    """Return the Basel multiplier for exceedances at 99 % in 250 days (MAR32); NaN for NaN."""
    known = np.isfinite(exceedances)
    place = np.clip(np.where(known, exceedances, 0), 0, len(_MULTIPLIERS) - 1).astype(np.int64)
    return np.where(known, _MULTIPLIERS[place], np.nan)


def shortfall_statistic(
    pnl: FloatArray,
    value_at_risk: FloatArray,
    expected_shortfall: FloatArray,
    confidences: Sequence[float] = CONFIDENCES,
) -> FloatArray:
    """Return Acerbi and Szekely's second statistic, (portfolios, confidences).

    Z = 1 + sum(P&L over ES, of the days beyond VaR) / (days (1 - confidence)): 0 if the forecast is
    right on average, below it if losses beyond VaR are more or larger than ES says. NaN where an ES
    is not above zero.
    """
    beyond = np.where(-pnl[:, None] > value_at_risk, pnl[:, None], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.where(expected_shortfall > 0, beyond / expected_shortfall, np.nan).sum(axis=2)
    statistic = 1 + total / (pnl.shape[1] * (1 - np.asarray(confidences)))
    unknown = np.isnan(pnl[:, None] + value_at_risk).any(axis=2)
    return np.where(unknown, np.nan, statistic)


def shortfall_p_value(
    statistic: FloatArray,
    tail: FloatArray,
    expected_shortfall: FloatArray,
    scenarios: int,
    confidences: Sequence[float] = CONFIDENCES,
) -> FloatArray:
    """Return the chance of a statistic as low as that if the forecasts are right, simulated.

    Each day exceeds with the chance it should have, and then by one of its own worst scenarios.
    `tail` is (portfolios, days, depth) of `scenarios`: see `Forecasts`. The draws are the same for
    every portfolio.
    """
    _, days, depth = tail.shape
    p_value = np.full(statistic.shape, np.nan)
    weights = shortfall_weights(scenarios, confidences, depth)
    for column, confidence in enumerate(confidences):
        counted, day, rank = _drawn_exceedances(days, 1 - confidence, weights[column])
        for row in np.flatnonzero(np.isfinite(statistic[:, column])):
            ratio = tail[row] / expected_shortfall[row, column][:, None]
            drawn = (ratio[day, rank] * counted).sum(axis=1)
            simulated = 1 - drawn / (days * (1 - confidence))
            below = (simulated <= statistic[row, column] + 1e-12).sum()
            p_value[row, column] = (below + 1) / (_SIMULATIONS + 1)
    return p_value


def _drawn_exceedances(
    days: int, tail: float, weights: FloatArray
) -> tuple[BoolArray, IntArray, IntArray]:
    # Which of a simulation's draws count, and the day and rank of each, (simulations, most).
    chance = np.random.Generator(np.random.Philox(key=[_SEED, round(1 / tail)]))
    number = chance.binomial(days, tail, _SIMULATIONS)
    shape = (_SIMULATIONS, max(int(number.max()), 1))
    day = chance.integers(0, days, shape)
    rank = chance.choice(len(weights), shape, p=weights)
    return np.arange(shape[1]) < number[:, None], day, rank.astype(np.int64)


def _likelihood(calm: FloatArray, loss: FloatArray) -> FloatArray:
    share = loss / np.maximum(calm + loss, 1.0)
    return np.asarray(xlogy(calm, 1 - share) + xlogy(loss, share))

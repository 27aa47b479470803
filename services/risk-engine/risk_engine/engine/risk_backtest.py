"""Whether filtered VaR of today's holdings would have held on each of the last 250 days.

Of what has a history of its own: what the factor model says is no witness for the factor model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from risk_engine.engine.frame import Frame
from risk_engine.engine.results import table
from risk_engine.engine.risk_scenarios import NEGLIGIBLE, Held, Scenarios
from risk_engine.quant.backtest import (
    DAYS,
    Forecasts,
    Holdings,
    basel_zone,
    capital_multiplier,
    coverage,
    filtered_forecasts,
    joined,
    shortfall_p_value,
    shortfall_statistic,
)
from risk_engine.quant.filtered_simulation import WINDOW
from risk_engine.quant.panel import FloatArray, IntArray, sum_by
from risk_engine.quant.value_at_risk import CONFIDENCES, worst_scenarios
from risk_engine.quant.volatility import EWMA_MINIMUM

ZONES: Final = ("green", "yellow", "red")
LISTED: Final = 10
_ZONED = CONFIDENCES.index(0.99)
_JUDGED = (0.975,)
"""Expected shortfall is judged at 97.5 %, as the Basel rules use it."""


Untested = Literal["no_backtest", "backtest_of_nothing_observed", "backtest_of_nothing_at_risk"]


@dataclass(frozen=True)
class Backtest:
    """A book's backtest, or why there is none; neither where nothing of it is modelled."""

    payload: dict[str, Any] | None = None
    reason: Untested | None = None


def backtests(frame: Frame, scenarios: Scenarios, held: Sequence[Held]) -> list[Backtest]:
    """Backtest each book's modelled holdings but those that are proxied.

    Options count as the parabolas of their revaluation, in the forecasts and in what happened.
    """
    if scenarios.underlyings.sessions < DAYS + WINDOW + EWMA_MINIMUM:
        return [Backtest(reason="no_backtest" if len(one.row) else None) for one in held]
    found = [
        Backtest(reason="backtest_of_nothing_observed" if len(one.row) else None) for one in held
    ]
    made: dict[int, Forecasts] = {}
    for place, one in enumerate(held):
        observed = one.part(~one.proxied)
        if not len(observed.row):
            continue
        forecasts = _forecasts(scenarios, observed)
        if forecasts is None:
            found[place] = Backtest(reason="backtest_of_nothing_at_risk")
        else:
            made[place] = forecasts
    if made:
        payloads = _payloads(frame, joined(list(made.values())))
        for place, payload in zip(made, payloads, strict=True):
            scope = "without_proxied" if held[place].proxied.any() else "all"
            found[place] = Backtest({"scope": scope} | payload)
    return found


def _forecasts(scenarios: Scenarios, held: Held) -> Forecasts | None:
    """Forecast the last days of one book; None where nothing happens but rounding."""
    series = scenarios.underlyings
    rows, holdings = _quadratic(scenarios, held)
    made = filtered_forecasts(
        holdings, series.surprises[rows].T, series.volatility[rows].T, series.returns[rows].T
    )
    happened = max(np.abs(made.pnl).max(), np.abs(made.value_at_risk).max())
    return made if happened > NEGLIGIBLE * _gross(scenarios, held) else None


def _gross(scenarios: Scenarios, held: Held) -> float:
    # What the holdings would make on their underlyings' worst days if none hedged another.
    returns: FloatArray = np.abs(scenarios.underlyings.returns[held.underlying, -DAYS:])
    most, options = returns.max(axis=1), held.is_option
    parabola = held.units[options, None] * scenarios.gains.parabola[held.contract[options]]
    powers = np.power(most[options, None], np.arange(3))
    linear = np.abs(held.dollar_delta[~options]) * most[~options]
    return float(linear.sum() + np.abs(parabola * powers).sum())


def _payloads(frame: Frame, made: Forecasts) -> Iterator[dict[str, Any]]:
    tests = coverage(made.pnl, made.value_at_risk)
    zone = basel_zone(tests.exceedances[:, _ZONED])
    multiplier = capital_multiplier(tests.exceedances[:, _ZONED])
    some = [CONFIDENCES.index(one) for one in _JUDGED]
    risk = (made.value_at_risk[:, some], made.expected_shortfall[:, some])
    statistic = shortfall_statistic(made.pnl, *risk, _JUDGED)
    p_value = shortfall_p_value(statistic, made.tail, risk[1], WINDOW, _JUDGED)
    sessions = frame.market.prices.sessions[-DAYS:]
    worst = worst_scenarios(made.pnl, LISTED)
    for row, days in enumerate(worst):
        yield {
            "days": DAYS,
            "first": sessions[0].isoformat(),
            "last": sessions[-1].isoformat(),
            "coverage": table(
                confidence=list(CONFIDENCES),
                expected=DAYS * (1 - np.array(CONFIDENCES)),
                exceedances=tests.exceedances[row],
                unconditional_p=tests.unconditional_p[row],
                independence_p=tests.independence_p[row],
                conditional_p=tests.conditional_p[row],
            ),
            "basel_zone": None if np.isnan(zone[row]) else ZONES[int(zone[row])],
            "capital_multiplier": float(multiplier[row]),
            "expected_shortfall": {
                "confidence": _JUDGED[0],
                "statistic": float(statistic[row, 0]),
                "p": float(p_value[row, 0]),
            },
            "worst_days": table(
                session=[sessions[day].isoformat() for day in days.tolist()],
                pnl=made.pnl[row, days],
                value_at_risk=made.value_at_risk[row, _ZONED, days],
                expected_shortfall=made.expected_shortfall[row, _ZONED, days],
            ),
        }


def _quadratic(scenarios: Scenarios, held: Held) -> tuple[IntArray, Holdings]:
    # What the book gains as a function of its distinct underlyings' returns.
    column, place = np.unique(held.underlying, return_inverse=True)
    linear, options = ~held.is_option, held.is_option
    parabola = held.units[options, None] * scenarios.gains.parabola[held.contract[options]]
    count, on = len(column), place[options]
    return column, Holdings(
        constant=float(parabola[:, 0].sum()),
        exposure=sum_by(place[linear], held.dollar_delta[linear], count)
        + sum_by(on, parabola[:, 1], count),
        curvature=sum_by(on, parabola[:, 2], count),
    )

"""Whether filtered VaR of today's holdings would have held on each of the last 250 days."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from risk_engine.engine.frame import Frame
from risk_engine.engine.results import table
from risk_engine.engine.risk_scenarios import Held, Scenarios
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
from risk_engine.quant.panel import IntArray, sum_by
from risk_engine.quant.value_at_risk import CONFIDENCES, worst_scenarios
from risk_engine.quant.volatility import EWMA_MINIMUM

ZONES: Final = ("green", "yellow", "red")
LISTED: Final = 10
_ZONED = CONFIDENCES.index(0.99)
_JUDGED = (0.975,)
"""Expected shortfall is judged at 97.5 %, as the Basel rules use it."""


def backtests(
    frame: Frame, scenarios: Scenarios, held: Sequence[Held]
) -> list[dict[str, Any] | None]:
    """Backtest each book's modelled holdings; None where there is nothing or too little history.

    Options count as the parabolas of their revaluation, in the forecasts and in what happened.
    """
    found: list[dict[str, Any] | None] = [None] * len(held)
    if scenarios.underlyings.sessions < DAYS + WINDOW + EWMA_MINIMUM:
        return found
    tested = [place for place, one in enumerate(held) if len(one.row)]
    if tested:
        made = joined([_forecasts(scenarios, held[place]) for place in tested])
        for place, payload in zip(tested, _payloads(frame, made), strict=True):
            found[place] = payload
    return found


def _forecasts(scenarios: Scenarios, held: Held) -> Forecasts:
    series = scenarios.underlyings
    rows, holdings = _quadratic(scenarios, held)
    return filtered_forecasts(
        holdings, series.surprises[rows].T, series.volatility[rows].T, series.returns[rows].T
    )


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

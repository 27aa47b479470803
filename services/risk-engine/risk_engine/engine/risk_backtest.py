"""Whether filtered VaR of today's holdings would have held on each of the last 250 days."""

from typing import Any, Final

import numpy as np

from risk_engine.engine.frame import Frame
from risk_engine.engine.results import table
from risk_engine.engine.risk_scenarios import Held, Scenarios
from risk_engine.quant.backtest import (
    DAYS,
    Holdings,
    basel_zone,
    capital_multiplier,
    coverage,
    filtered_forecasts,
    shortfall_p_value,
    shortfall_statistic,
)
from risk_engine.quant.filtered_simulation import WINDOW
from risk_engine.quant.value_at_risk import CONFIDENCES, TailRisk, worst_scenarios
from risk_engine.quant.volatility import EWMA_MINIMUM

ZONES: Final = ("green", "yellow", "red")
LISTED: Final = 10
_ZONED = CONFIDENCES.index(0.99)
_SHORTFALL = CONFIDENCES.index(0.975)
"""Expected shortfall is judged at 97.5 %, as the Basel rules use it."""


def backtest(frame: Frame, scenarios: Scenarios, held: Held) -> dict[str, Any] | None:
    """Backtest modelled holdings; None where there is too little history.

    Options count as the parabolas of their revaluation, in the forecasts and in what happened.
    """
    series = scenarios.underlyings
    if len(series.returns) < DAYS + WINDOW + EWMA_MINIMUM or not len(held.row):
        return None
    column, holdings = _quadratic(scenarios, held)
    made = filtered_forecasts(
        holdings,
        series.surprises[:, column],
        series.volatility[:, column],
        series.returns[:, column],
    )
    tests = coverage(made.pnl, made.value_at_risk)
    zone = basel_zone(tests.exceedances[:, _ZONED])[0]
    statistic, p_value = _shortfall(
        made.pnl, TailRisk(made.value_at_risk, made.expected_shortfall), made.tail
    )
    sessions = frame.market.prices.sessions[-DAYS:]
    worst = worst_scenarios(made.pnl, LISTED)[0]
    return {
        "days": DAYS,
        "first": sessions[0].isoformat(),
        "last": sessions[-1].isoformat(),
        "coverage": table(
            confidence=list(CONFIDENCES),
            expected=DAYS * (1 - np.array(CONFIDENCES)),
            exceedances=tests.exceedances[0],
            unconditional_p=tests.unconditional_p[0],
            independence_p=tests.independence_p[0],
            conditional_p=tests.conditional_p[0],
        ),
        "basel_zone": None if np.isnan(zone) else ZONES[int(zone)],
        "capital_multiplier": float(capital_multiplier(tests.exceedances[:, _ZONED])[0]),
        "expected_shortfall": {
            "confidence": CONFIDENCES[_SHORTFALL],
            "statistic": statistic,
            "p": p_value,
        },
        "worst_days": table(
            session=[sessions[day].isoformat() for day in worst.tolist()],
            pnl=made.pnl[0, worst],
            value_at_risk=made.value_at_risk[0, _ZONED, worst],
            expected_shortfall=made.expected_shortfall[0, _ZONED, worst],
        ),
    }


def _quadratic(scenarios: Scenarios, held: Held) -> tuple[Any, Holdings]:
    # What the book gains as a function of its distinct underlyings' returns.
    column, place = np.unique(held.underlying, return_inverse=True)
    linear, options = ~held.is_option, held.is_option
    parabola = held.units[options, None] * scenarios.gains.parabola[held.contract[options]]
    count, on = len(column), place[options]
    return column, Holdings(
        constant=float(parabola[:, 0].sum()),
        exposure=np.bincount(place[linear], held.dollar_delta[linear], minlength=count)
        + np.bincount(on, parabola[:, 1], minlength=count),
        curvature=np.bincount(on, parabola[:, 2], minlength=count),
    )


def _shortfall(pnl: Any, risk: TailRisk, tail: Any) -> tuple[float, float]:
    some = slice(_SHORTFALL, _SHORTFALL + 1)
    confidence = CONFIDENCES[some]
    statistic = shortfall_statistic(
        pnl, risk.value_at_risk[:, some], risk.expected_shortfall[:, some], confidence
    )
    p_value = shortfall_p_value(
        statistic, tail, risk.expected_shortfall[:, some], WINDOW, confidence
    )
    return float(statistic[0, 0]), float(p_value[0, 0])

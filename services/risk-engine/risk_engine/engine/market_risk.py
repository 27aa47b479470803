"""The seventh engine: what each book may lose, which positions and factors that comes from, and
whether such forecasts have held.
"""

from typing import Any, Final

import numpy as np

from risk_engine.engine.amounts import Amounts, amounts_of
from risk_engine.engine.book_at_risk import BookAtRisk, NormalRisk, normal_risk_of
from risk_engine.engine.frame import Frame
from risk_engine.engine.liquidity import liquidity_of
from risk_engine.engine.market_risk_notes import notes_of, status_of
from risk_engine.engine.results import Answer, EngineResult
from risk_engine.engine.risk_backtest import Backtest, backtests
from risk_engine.engine.risk_components import components, worst_days
from risk_engine.engine.risk_scenarios import Held, held_in, is_flat, scenarios_of
from risk_engine.engine.simulated_risk import SimulatedRisk, simulate
from risk_engine.quant.panel import FloatArray
from risk_engine.quant.parametric import (
    cornish_fisher_risk,
    normal_risk,
    sample_shape,
    student_t_risk,
)
from risk_engine.quant.value_at_risk import (
    CONFIDENCES,
    TailRisk,
    age_weighted_risk,
    historical_risk,
)

MODEL_VERSION: Final = "market_risk-3"
METHODS: Final = (
    "filtered_historical",
    "historical",
    "historical_age_weighted",
    "parametric_normal",
    "parametric_student_t",
    "cornish_fisher",
    "monte_carlo",
)
SCOPES: Final = ("all", "without_proxied")
LEAST_SCENARIOS: Final = 50
"""With fewer not even the loss of one day in twenty is known."""


def calculate(frame: Frame) -> list[Answer]:
    """Measure the market risk of each book of the frame, in order."""
    scenarios = scenarios_of(frame)
    held = held_in(frame, scenarios)
    simulated, normal = simulate(frame, scenarios, held), normal_risk_of(frame, held)
    liquidity = liquidity_of(frame)
    scale = liquidity.of_holdings(liquidity.scale, len(frame.exposures.account))[held.row]
    accounts, amounts = range(len(frame.books)), _amounts(frame, held)
    tested = backtests(
        frame, scenarios, [held.part(held.modelled & (held.account == one)) for one in accounts]
    )
    return [
        _result(
            BookAtRisk(frame, scenarios, held, scale, account),
            simulated,
            normal,
            tested[account],
            amounts,
        )
        for account in accounts
    ]


def _amounts(frame: Frame, held: Held) -> Amounts:
    usable = np.zeros(len(frame.exposures.account), dtype=np.bool_)
    usable[held.row] = held.modelled
    return amounts_of(frame, frame.return_histories, usable=usable)


def _result(
    book: BookAtRisk,
    simulated: SimulatedRisk,
    normal: NormalRisk,
    tested: Backtest,
    amounts: Amounts,
) -> EngineResult:
    frame, scenarios = book.frame, book.scenarios
    whole_book = _by_method(book, simulated, normal, 0)
    risks = [
        whole_book,
        _by_method(book, simulated, normal, 1) if book.held.proxied.any() else whole_book,
    ]
    whole = risks[0][0]
    known = np.flatnonzero(np.isfinite(whole.value_at_risk[0]))
    worth = float(frame.net_asset_value[book.account])
    payload: dict[str, Any] = {
        "net_asset_value": worth,
        "shares_of": "net asset value",
        "scenarios": {
            "count": scenarios.count,
            "first": scenarios.sessions[0].isoformat() if scenarios.count else None,
            "last": scenarios.sessions[-1].isoformat() if scenarios.count else None,
            "volatility_moves": scenarios.gains.volatility_moves,
        },
        "measures": {
            "scopes": list(SCOPES),
            "methods": list(METHODS),
            "confidences": list(CONFIDENCES),
            "value_at_risk": _stacked(risks, "value_at_risk"),
            "expected_shortfall": _stacked(risks, "expected_shortfall"),
        },
        "liquidity_adjusted": _liquidity_adjusted(book),
        "components": components(book, whole, normal, int(known[-1])) if known.size else None,
        "worst_days": worst_days(book) if known.size and not book.is_flat else None,
        "backtest": tested.payload,
        "quality": amounts.quality(book.account, worth),
    }
    known_flat = bool(known.size) and book.is_flat
    found = notes_of(
        frame,
        scenarios,
        book.everything,
        payload,
        book.account,
        nothing_at_risk=known_flat,
        untested=tested.reason,
    )
    payload["notes"] = [{"code": one.code, "message": one.message} for one in found]
    return EngineResult(status_of(frame, book.everything, payload, book.account), payload)


def _by_method(
    book: BookAtRisk, simulated: SimulatedRisk, normal: NormalRisk, scope: int
) -> list[TailRisk]:
    # In the order of METHODS, (1, confidences) each.
    nothing = np.full((1, len(CONFIDENCES)), np.nan)
    if book.is_unknown(scope):
        return [TailRisk(nothing, nothing)] * len(METHODS)
    some = book.in_scope[scope]
    volatility = normal.volatility[scope][book.account : book.account + 1]
    drawn = simulated.observed if scope else simulated.whole
    mine = slice(book.account, book.account + 1)
    parametric = [
        normal_risk(volatility),
        student_t_risk(volatility),
    ]
    monte_carlo = TailRisk(drawn.value_at_risk[mine], drawn.expected_shortfall[mine])
    if book.scenarios.count < LEAST_SCENARIOS:
        unknown = TailRisk(nothing, nothing)
        return [unknown, unknown, unknown, *parametric, unknown, monte_carlo]
    filtered, plain = book.filtered[some].sum(axis=0)[None], book.plain[some].sum(axis=0)[None]
    return [
        historical_risk(filtered),
        historical_risk(plain),
        age_weighted_risk(plain),
        *parametric,
        cornish_fisher_risk(volatility, *_shape(book.plain[some])),
        monte_carlo,
    ]


def _shape(gains: FloatArray) -> tuple[FloatArray, FloatArray]:
    # What no scenario moves has no shape, and no risk in any.
    if is_flat(gains):
        return np.zeros(1), np.zeros(1)
    return sample_shape(gains.sum(axis=0)[None])


def _liquidity_adjusted(book: BookAtRisk) -> dict[str, Any]:
    known = np.isfinite(book.scale)
    scaled = (np.where(known, book.scale, 1.0)[:, None] * book.filtered).sum(axis=0)[None]
    if book.is_unknown(0) or book.scenarios.count < LEAST_SCENARIOS:
        unknown = np.full(len(CONFIDENCES), np.nan)
        risk = TailRisk(unknown[None], unknown[None])
    else:
        risk = historical_risk(scaled)
    return {
        "value_at_risk": risk.value_at_risk[0],
        "expected_shortfall": risk.expected_shortfall[0],
        "positions_without_volume": int((~known).sum()),
    }


def _stacked(risks: list[list[TailRisk]], name: str) -> FloatArray:
    # By scope, method and confidence.
    return np.array([[getattr(one, name)[0] for one in scope] for scope in risks])

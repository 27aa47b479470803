"""The seventh engine: what each book may lose, which positions and factors that comes from, and
whether such forecasts have held.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from risk_engine.engine.frame import Frame
from risk_engine.engine.liquidity import liquidity_of
from risk_engine.engine.market_risk_notes import notes_of, quality_of, status_of
from risk_engine.engine.results import Answer, EngineResult, table
from risk_engine.engine.risk_backtest import Backtest, backtests
from risk_engine.engine.risk_scenarios import (
    Held,
    Scenarios,
    held_in,
    is_flat,
    position_gains,
    scenarios_of,
)
from risk_engine.engine.simulated_risk import SimulatedRisk, simulate
from risk_engine.quant.components import (
    NormalComponents,
    component_depth,
    incremental_risk,
    normal_components,
    tail_components,
)
from risk_engine.quant.factor_risk import Decomposition, Positions, RiskModel, decompose
from risk_engine.quant.panel import FloatArray, IntArray
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
    worst_scenarios,
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
WORST_DAYS: Final = 10
SPECIFIC: Final = "SPECIFIC"
LEAST_SCENARIOS: Final = 50
"""With fewer not even the loss of one day in twenty is known."""


@dataclass(frozen=True, eq=False)
class _Normal:
    """The factor model's word on all books, in dollars; NaN where it does not know all of one.

    `volatility` is (books,) for each scope; `components` are of the modelled holdings of all books.
    """

    volatility: tuple[FloatArray, FloatArray]
    parts: Decomposition
    components: NormalComponents
    held: Held


class _Book:
    """One account's holdings and what they gain in the scenarios."""

    def __init__(
        self, frame: Frame, scenarios: Scenarios, held: Held, scale: FloatArray, account: int
    ) -> None:
        mine = held.account == account
        self.frame, self.scenarios, self.account = frame, scenarios, account
        self.everything = held.part(mine)
        self.held = self.everything.part(self.everything.modelled)
        self.scale = scale[mine][self.everything.modelled]
        self.filtered = position_gains(scenarios, self.held, filtered=True)
        self.plain = position_gains(scenarios, self.held, filtered=False)
        self.in_scope = (np.ones_like(self.held.proxied), ~self.held.proxied)
        self.is_flat = is_flat(self.filtered)

    def is_unknown(self, scope: int) -> bool:
        """Tell whether the book holds something, but nothing that the scope's scenarios move."""
        return len(self.everything.row) > 0 and not self.in_scope[scope].any()


def calculate(frame: Frame) -> list[Answer]:
    """Measure the market risk of each book of the frame, in order."""
    scenarios = scenarios_of(frame)
    held = held_in(frame, scenarios)
    simulated, normal = simulate(frame, scenarios, held), _normal(frame, held)
    liquidity = liquidity_of(frame)
    scale = liquidity.of_holdings(liquidity.scale, len(frame.exposures.account))[held.row]
    accounts = range(len(frame.books))
    tested = backtests(
        frame, scenarios, [held.part(held.modelled & (held.account == one)) for one in accounts]
    )
    return [
        _result(_Book(frame, scenarios, held, scale, account), simulated, normal, tested[account])
        for account in accounts
    ]


def _result(
    book: _Book, simulated: SimulatedRisk, normal: _Normal, tested: Backtest
) -> EngineResult:
    frame, scenarios = book.frame, book.scenarios
    whole_book = _by_method(book, simulated, normal, 0)
    risks = [
        whole_book,
        _by_method(book, simulated, normal, 1) if book.held.proxied.any() else whole_book,
    ]
    whole = risks[0][0]
    quality = quality_of(frame, book.everything, book.account)
    known = np.flatnonzero(np.isfinite(whole.value_at_risk[0]))
    payload: dict[str, Any] = {
        "net_asset_value": float(frame.net_asset_value[book.account]),
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
        "components": _components(book, whole, normal, int(known[-1])) if known.size else None,
        "worst_days": _worst_days(book) if known.size and not book.is_flat else None,
        "backtest": tested.payload,
        "quality": quality,
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
    book: _Book, simulated: SimulatedRisk, normal: _Normal, scope: int
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


def _normal(frame: Frame, held: Held) -> _Normal:
    estimated, books = frame.factor_model, len(frame.books)
    model = RiskModel(estimated.loadings, estimated.covariance, estimated.specific_variance)
    modelled = held.part(held.modelled)
    decomposed, volatility = [], []
    for some in (modelled, modelled.part(~modelled.proxied)):
        parts = decompose(Positions(some.account, some.underlying, some.sensitivity), model, books)
        unknown = np.bincount(some.account[~model.known[some.underlying]], minlength=books)
        empty = np.bincount(some.account, minlength=books) == 0
        deviation = np.sqrt(np.where(empty, 0.0, parts.variance))
        volatility.append(np.where(unknown > 0, np.nan, deviation))
        decomposed.append(parts)
    components = normal_components(decomposed[0], modelled.dollar_delta, modelled.account)
    return _Normal((volatility[0], volatility[1]), decomposed[0], components, modelled)


def _liquidity_adjusted(book: _Book) -> dict[str, Any]:
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


def _components(book: _Book, whole: TailRisk, normal: _Normal, place: int) -> dict[str, Any]:
    scenarios, pnl = book.scenarios, book.filtered.sum(axis=0)[None]
    worst = worst_scenarios(pnl, component_depth(scenarios.count))[0]
    owner = np.zeros(len(book.held.row), dtype=np.int64)
    parts = _of_risk(book, tail_components(book.filtered[:, worst], owner, whole, scenarios.count))
    without = incremental_risk(pnl, book.filtered, owner)
    mine = normal.held.account == book.account
    columns = {
        "value_at_risk": parts.value_at_risk[:, place],
        "expected_shortfall": parts.expected_shortfall[:, place],
        "incremental_value_at_risk": without.value_at_risk[:, place],
        "incremental_expected_shortfall": without.expected_shortfall[:, place],
        "normal_value_at_risk": _of_any(book, normal.components.component[mine, place]),
        "normal_marginal_value_at_risk": _of_any(book, normal.components.marginal[mine, place]),
    }
    lines = book.frame.valued.ledger.lines[book.account]
    positions = {line.row: line.position for line in lines if line.row is not None}
    listed = [positions[row] for row in book.everything.row.tolist()]
    return {
        "confidence": CONFIDENCES[place],
        "positions": table(
            position_id=[str(one.id) for one in listed],
            symbol=[one.symbol for one in listed],
            dollar_delta=book.everything.dollar_delta,
            modelled=book.everything.modelled,
            proxied=book.everything.proxied,
            **{name: _spread(values, book.everything) for name, values in columns.items()},
        ),
        "factors": _by_factor(book, whole, normal, place, worst),
    }


def _by_factor(
    book: _Book, whole: TailRisk, normal: _Normal, place: int, worst: IntArray
) -> dict[str, Any]:
    scenarios, model = book.scenarios, book.frame.factor_model
    exposure = normal.parts.exposures[book.account]
    every = np.arange(len(model.factors))
    by_factor = exposure[:, None] * scenarios.factors.filtered(scenarios.count, every)[:, worst]
    specific = book.filtered[:, worst].sum(axis=0) - by_factor.sum(axis=0)
    rows = np.concatenate((by_factor, specific[None]))
    owner = np.zeros(len(rows), dtype=np.int64)
    parts = _of_risk(book, tail_components(rows, owner, whole, scenarios.count))
    share = np.append(
        normal.parts.factor_contributions[book.account], normal.parts.specific_share[book.account]
    )
    volatility = normal.volatility[0][book.account : book.account + 1]
    return table(
        factor=[*model.factors, SPECIFIC],
        exposure=np.append(exposure, np.nan),
        value_at_risk=parts.value_at_risk[:, place],
        expected_shortfall=parts.expected_shortfall[:, place],
        normal_value_at_risk=_of_any(book, share * normal_risk(volatility).value_at_risk[0, place]),
    )


def _of_any(book: _Book, parts: FloatArray) -> FloatArray:
    # Parts of no risk would be what arbitrary days, or rounding, say.
    return np.full_like(parts, np.nan) if book.is_flat else parts


def _of_risk(book: _Book, parts: TailRisk) -> TailRisk:
    return TailRisk(_of_any(book, parts.value_at_risk), _of_any(book, parts.expected_shortfall))


def _worst_days(book: _Book) -> dict[str, Any]:
    filtered = book.filtered.sum(axis=0)
    worst = worst_scenarios(filtered[None], WORST_DAYS)[0]
    return table(
        session=[book.scenarios.sessions[day].isoformat() for day in worst.tolist()],
        filtered_pnl=filtered[worst],
        pnl=book.plain.sum(axis=0)[worst],
    )


def _spread(values: FloatArray, held: Held) -> FloatArray:
    spread = np.full(len(held.row), np.nan)
    spread[held.modelled] = values
    return spread


def _stacked(risks: list[list[TailRisk]], name: str) -> FloatArray:
    # By scope, method and confidence.
    return np.array([[getattr(one, name)[0] for one in scope] for scope in risks])

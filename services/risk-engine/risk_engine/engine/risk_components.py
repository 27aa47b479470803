"""Where a book's market risk comes from: by position, by factor, and on which days."""

from typing import Any, Final

import numpy as np

from risk_engine.engine.book_at_risk import BookAtRisk, NormalRisk
from risk_engine.engine.results import table
from risk_engine.engine.risk_scenarios import Held
from risk_engine.quant.components import component_depth, incremental_risk, tail_components
from risk_engine.quant.panel import FloatArray, IntArray
from risk_engine.quant.parametric import normal_risk
from risk_engine.quant.value_at_risk import CONFIDENCES, TailRisk, worst_scenarios

WORST_DAYS: Final = 10
SPECIFIC: Final = "SPECIFIC"


def components(book: BookAtRisk, whole: TailRisk, normal: NormalRisk, place: int) -> dict[str, Any]:
    """Return the parts of the risk at the confidence at `place`, by position and by factor."""
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
    book: BookAtRisk, whole: TailRisk, normal: NormalRisk, place: int, worst: IntArray
) -> dict[str, Any]:
    scenarios, model = book.scenarios, book.frame.factor_model
    exposure, known = normal.parts.exposures[book.account], np.flatnonzero(model.available)
    by_factor = exposure[:, None] * scenarios.factors.filtered(scenarios.count, known)[:, worst]
    specific = book.filtered[:, worst].sum(axis=0) - by_factor.sum(axis=0)
    rows = np.concatenate((by_factor, specific[None]))
    owner = np.zeros(len(rows), dtype=np.int64)
    parts = _of_risk(book, tail_components(rows, owner, whole, scenarios.count))
    share = np.append(
        normal.parts.factor_contributions[book.account], normal.parts.specific_share[book.account]
    )
    volatility = normal.volatility[0][book.account : book.account + 1]
    columns = {
        "exposure": np.append(exposure, np.nan),
        "value_at_risk": parts.value_at_risk[:, place],
        "expected_shortfall": parts.expected_shortfall[:, place],
        "normal_value_at_risk": _of_any(
            book, share * normal_risk(volatility).value_at_risk[0, place]
        ),
    }
    named = np.append(known, len(model.factors))
    # Nothing is said of a factor that is not available.
    shown = {name: np.full(len(model.factors) + 1, np.nan) for name in columns}
    for name, values in columns.items():
        shown[name][named] = values
    return table(factor=[*model.factors, SPECIFIC], **shown)


def _of_any(book: BookAtRisk, parts: FloatArray) -> FloatArray:
    # Parts of no risk would be what arbitrary days, or rounding, say.
    return np.full_like(parts, np.nan) if book.is_flat else parts


def _of_risk(book: BookAtRisk, parts: TailRisk) -> TailRisk:
    return TailRisk(_of_any(book, parts.value_at_risk), _of_any(book, parts.expected_shortfall))


def worst_days(book: BookAtRisk) -> dict[str, Any]:
    """Return the sessions whose moves would cost the book most, worst first."""
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

"""Write a valuation as a payload: unrounded, positions as a table."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np

from risk_engine.domain import Coverage, Daily, PositionValue, Valuation
from risk_engine.engine.results import table
from risk_engine.engine.valuation import MODEL_VERSION
from risk_engine.quant.panel import FloatArray

NUMBERS = (
    *("quantity", "multiplier", "split_factor", "entry_price", "market_price", "market_value"),
    *("cost_basis", "unrealized_pnl", "unrealized_pnl_percent", "realized_pnl"),
    *("dividend_income", "weight", "carried_value", "daily_pnl"),
)
WORDS = (
    *("symbol", "position_type", "investment_class", "state", "reason", "carried_at"),
    *("price_source", "currency"),
)
SHARES_OF = (
    "gross value of the open positions: |market value|, carried ones at what they are carried at"
)


def to_payload(valuation: Valuation) -> dict[str, Any]:
    """Give the valuation as `EngineResult.payload` wants it, positions in a fixed order.

    Dates are ISO 8601, ids text; what is not known is None or NaN, with its `reason`. `totals` are
    in `currency`: see `risk_engine.domain.Totals`; `daily`: `Daily`; `positions`: `PositionValue`;
    `based_on`: `Coverage`, with the denominator of its shares spelled out. `unpriced` lists the
    open positions without a price and what each is carried at.
    """
    return {
        "engine": "valuation",
        "status": valuation.status,
        "as_of": valuation.as_of.isoformat(),
        "panel_version": valuation.panel_version,
        "provider": valuation.provider,
        "book_revision": valuation.book_revision,
        "model_version": MODEL_VERSION,
        "currency": valuation.currency,
        "based_on": _based_on(valuation.coverage),
        "totals": {
            **asdict(valuation.totals),
            "opening_session": valuation.opening_session.isoformat(),
        },
        "daily": _daily(valuation.daily),
        "positions": _positions(valuation.positions),
        "unpriced": [
            {
                "position_id": str(position.position_id),
                "symbol": position.symbol,
                "reason": position.reason,
                "carried_value": position.carried_value,
            }
            for position in valuation.unpriced
        ],
        "notes": [{"code": note.code, "message": note.message} for note in valuation.notes],
    }


def _based_on(coverage: Coverage) -> dict[str, Any]:
    return {
        **asdict(coverage),
        "priced_share_of": SHARES_OF,
        "weights_of": "net asset value",
    }


def _daily(daily: Daily) -> dict[str, Any]:
    return {
        **asdict(daily),
        "previous_session": _iso(daily.previous_session),
        "daily_return_of": "net asset value of the previous session",
    }


def _positions(positions: Sequence[PositionValue]) -> dict[str, Any]:
    return table(
        position_id=[str(one.position_id) for one in positions],
        **{name: [getattr(one, name) for one in positions] for name in WORDS},
        price_session=[_iso(one.price_session) for one in positions],
        price_age=[one.price_age for one in positions],
        stale=np.array([one.stale for one in positions], dtype=np.bool_),
        estimated=np.array([one.estimated for one in positions], dtype=np.bool_),
        **{name: _column(positions, name) for name in NUMBERS},
    )


def _column(positions: Sequence[PositionValue], name: str) -> FloatArray:
    # None becomes NaN.
    return np.array([getattr(one, name) for one in positions], dtype=np.float64)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()

"""What the engines say of positions in another currency than prices are in: that they are there.

No exchange rates are known, so such a position is in no array and in no total. Once an engine has
its answer, it is listed among the engine's positions with the reason and without amounts, counted
where the engine says what its totals rest on, and told in a note.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from risk_engine.domain import PANEL_CURRENCY, EngineName, InvestmentClass, Position
from risk_engine.engine.acceptance import UNSUPPORTED_CURRENCY
from risk_engine.engine.asset_classes import AssetClass
from risk_engine.engine.factor_flags import NOT_MODELLED
from risk_engine.engine.frame import Frame
from risk_engine.engine.greeks import Kind
from risk_engine.engine.results import EngineResult, table
from risk_engine.engine.underlyings import CASH_SUBTYPES

COUNT: Final = "unsupported_currency_positions"
SENTENCE: Final = (
    "{count} position(s) are in another currency than " + PANEL_CURRENCY + ", and no exchange "
    "rates are known: they are listed with the reason " + UNSUPPORTED_CURRENCY + ", and are in no "
    "total."
)
_COUNTED_IN: Final[Mapping[EngineName, Sequence[str]]] = {
    "greeks": ("coverage", "quality"),
    "exposure": ("quality",),
    "factors": ("quality",),
    "volatility": ("quality",),
    "correlation": ("quality",),
    "market_risk": ("quality",),
    "stress": ("based_on", "quality"),
}
"""Where each engine says what its totals rest on; the valuation counts them itself."""
_LISTED_IN: Final[Mapping[EngineName, Sequence[str]]] = {
    "greeks": ("positions",),
    "factors": ("positions",),
    "market_risk": ("components", "positions"),
    "stress": ("positions",),
}
"""The way to the table of positions, of the engines that have one."""
_KINDS: Final[Mapping[InvestmentClass, Kind]] = {
    "PUBLIC": "security",
    "OPTIONS": "option",
    "PRIVATE": "private",
}
_CLASSES: Final[Mapping[str, AssetClass]] = {"ETF": "fund", "MUTUAL_FUND": "fund", "BOND": "bond"}


def with_other_currencies(
    name: EngineName, result: EngineResult, foreign: Sequence[Position]
) -> EngineResult:
    """Add an account's open positions in other currencies to what an engine says of it."""
    if name not in _COUNTED_IN:
        return result
    payload = dict(result.payload)
    payload |= {block: {**payload[block], COUNT: len(foreign)} for block in _COUNTED_IN[name]}
    if foreign:
        payload["notes"] = [*payload["notes"], note_of(len(foreign))]
        payload = _listed(name, payload, _LISTED_IN.get(name, ()), foreign)
    return EngineResult(result.status, payload)


def note_of(count: int) -> Mapping[str, str]:
    """Return the note about so many positions."""
    return {"code": UNSUPPORTED_CURRENCY, "message": SENTENCE.format(count=count)}


def open_in_other_currencies(frame: Frame, account: int) -> Sequence[Position]:
    """Return the positions of an account that are open and left out for their currency."""
    return [
        line.position
        for line in frame.valued.ledger.lines[account]
        if line.reason == UNSUPPORTED_CURRENCY
        and line.position.entry_date <= frame.as_of
        and (line.position.exit_date is None or line.position.exit_date > frame.as_of)
    ]


def _listed(
    name: EngineName, payload: Mapping[str, Any], way: Sequence[str], foreign: Sequence[Position]
) -> dict[str, Any]:
    # A part that is null for want of history has no positions to list them among.
    if not way or payload[way[0]] is None:
        return dict(payload)
    inside = payload[way[0]]
    part = (
        _listed(name, inside, way[1:], foreign)
        if len(way) > 1
        else table(**_extended(name, inside["table"], foreign))
    )
    return {**payload, way[0]: part}


def _extended(
    name: EngineName, columns: Mapping[str, Any], foreign: Sequence[Position]
) -> Mapping[str, Any]:
    """Return columns with a row for each position, null but for what the book itself says."""
    said = _said(name, foreign)
    extended = {
        column: _followed_by(values, said.get(column, [None] * len(foreign)))
        for column, values in columns.items()
    }
    reasons = columns.get("reason", [None] * len(columns["position_id"]))
    return extended | {"reason": [*reasons, *[UNSUPPORTED_CURRENCY] * len(foreign)]}


def _said(name: EngineName, foreign: Sequence[Position]) -> Mapping[str, Sequence[Any]]:
    return {
        "position_id": [str(one.id) for one in foreign],
        "symbol": [one.symbol for one in foreign],
        "position_type": [one.position_type for one in foreign],
        "kind": [_KINDS[one.investment_class] for one in foreign],
        "asset_class": [_asset_class(one) for one in foreign],
        "underlying": [one.underlying_symbol or one.symbol for one in foreign],
        "quantity": [float(one.quantity) for one in foreign],
        "multiplier": [float(one.multiplier) for one in foreign],
        "flags": [[NOT_MODELLED] if name == "factors" else [] for _ in foreign],
    }


def _followed_by(column: Any, values: Sequence[Any]) -> Any:
    if not isinstance(column, np.ndarray):
        return [*column, *values]
    # NaN where the column has a place for it; what is counted or marked is none.
    blank = np.nan if np.issubdtype(column.dtype, np.floating) else 0
    rows = np.full((len(values), *column.shape[1:]), blank, dtype=column.dtype)
    for place, value in enumerate(values):
        if value is not None:
            rows[place] = value
    return np.concatenate((column, rows))


def _asset_class(position: Position) -> AssetClass:
    subtype = (position.investment_subtype or "").upper()
    if subtype in CASH_SUBTYPES:
        return "cash"
    if position.investment_class == "PRIVATE":
        return "private"
    return _CLASSES.get(subtype, "stock")

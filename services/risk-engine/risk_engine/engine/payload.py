"""Write a valuation as JSON-safe data: the one place where numbers are rounded."""

from collections.abc import Mapping
from typing import Any

from risk_engine.domain import Coverage, Daily, PositionValue, Totals, Valuation
from risk_engine.engine.valuation import MODEL_VERSION

MONEY, QUANTITY, PRICE, RATIO, FRACTION, PERCENT = 2, 8, 6, 8, 8, 4

TOTALS: Mapping[str, int] = {
    "net_asset_value": MONEY,
    "equity_balance": MONEY,
    "change_since_opening": MONEY,
    "cash": MONEY,
    "opening_cash": MONEY,
    "long_market_value": MONEY,
    "short_market_value": MONEY,
    "gross_market_value": MONEY,
    "net_market_value": MONEY,
    "carried_value": MONEY,
    "cost_basis": MONEY,
    "unrealized_pnl": MONEY,
    "realized_pnl": MONEY,
    "dividend_income": MONEY,
    "total_pnl": MONEY,
}
POSITION: Mapping[str, int] = {
    "quantity": QUANTITY,
    "multiplier": QUANTITY,
    "split_factor": RATIO,
    "entry_price": PRICE,
    "market_price": PRICE,
    "market_value": MONEY,
    "cost_basis": MONEY,
    "unrealized_pnl": MONEY,
    "unrealized_pnl_percent": PERCENT,
    "realized_pnl": MONEY,
    "dividend_income": MONEY,
    "weight": FRACTION,
    "carried_value": MONEY,
    "daily_pnl": MONEY,
}
DAILY: Mapping[str, int] = {
    "pnl": MONEY,
    "daily_return": FRACTION,
    "unrealized_change": MONEY,
    "realized_pnl": MONEY,
    "dividend_income": MONEY,
    "repricing": MONEY,
    "restated": MONEY,
}
SHARES_OF = (
    "gross value of the open positions: |market value|, carried ones at what they are carried at"
)


def to_payload(valuation: Valuation) -> dict[str, Any]:
    """Give the valuation as JSON-safe data, keys and positions in a fixed order.

    Numbers are float64 rounded half to even: money to cents, prices to 6 decimals, quantities,
    `split_factor` and fractions (`weight` of NAV, shares, returns) to 8, `unrealized_pnl_percent`
    (12.5 is 12.5 % of |cost basis|) to 4. Totals are rounded from the unrounded sums, so rounded
    positions may miss them by cents. Dates are ISO 8601, ids text; what is not known is None, with
    its `reason`; there is no NaN, infinity or negative zero.
    `totals` are in `currency`: see `risk_engine.domain.Totals`; `daily`: `Daily`; `positions`:
    `PositionValue`; `based_on`: `Coverage`, with the denominator of its shares spelled out.
    `unpriced` lists the open positions without a price and what each is carried at.
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
            **_rounded(valuation.totals, TOTALS),
            "opening_session": valuation.opening_session.isoformat(),
        },
        "daily": _daily(valuation.daily),
        "positions": [_position(position) for position in valuation.positions],
        "unpriced": [
            {
                "position_id": str(position.position_id),
                "symbol": position.symbol,
                "reason": position.reason,
                "carried_value": _round(position.carried_value, MONEY),
            }
            for position in valuation.unpriced
        ],
        "notes": [{"code": note.code, "message": note.message} for note in valuation.notes],
    }


def _based_on(coverage: Coverage) -> dict[str, Any]:
    return {
        "open_positions": coverage.open_positions,
        "market_positions": coverage.market_positions,
        "priced_positions": coverage.priced_positions,
        "stale_positions": coverage.stale_positions,
        "carried_positions": coverage.carried_positions,
        "closed_positions": coverage.closed_positions,
        "pending_positions": coverage.pending_positions,
        "invalid_positions": coverage.invalid_positions,
        "modelled_positions": coverage.modelled_positions,
        "settled_positions": coverage.settled_positions,
        "priced_share": _round(coverage.priced_share, FRACTION),
        "modelled_share": _round(coverage.modelled_share, FRACTION),
        "stale_share": _round(coverage.stale_share, FRACTION),
        "priced_share_of": SHARES_OF,
        "weights_of": "net asset value",
    }


def _daily(daily: Daily) -> dict[str, Any]:
    before = daily.previous_session
    return {
        "previous_session": None if before is None else before.isoformat(),
        **_rounded(daily, DAILY),
        "daily_return_of": "net asset value of the previous session",
    }


def _position(position: PositionValue) -> dict[str, Any]:
    on = position.price_session
    return {
        "position_id": str(position.position_id),
        "symbol": position.symbol,
        "position_type": position.position_type,
        "investment_class": position.investment_class,
        "state": position.state,
        "reason": position.reason,
        "stale": position.stale,
        "price_session": None if on is None else on.isoformat(),
        "carried_at": position.carried_at,
        "price_source": position.price_source,
        "estimated": position.estimated,
        **_rounded(position, POSITION),
    }


def _rounded(record: Totals | PositionValue | Daily, decimals: Mapping[str, int]) -> dict[str, Any]:
    return {name: _round(getattr(record, name), digits) for name, digits in decimals.items()}


def _round(value: float | None, decimals: int) -> float | None:
    # Adding zero turns -0.0 into 0.0.
    return None if value is None else round(value, decimals) + 0.0

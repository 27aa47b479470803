"""The history of an account: what is kept of a session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from risk_engine.domain import Status, Valuation
from risk_engine.engine.frame import Frame


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """An account at the close of a session, in US dollars, unrounded; see `domain.Totals`."""

    session: date
    status: Status
    net_asset_value: float
    cash: float
    long_market_value: float | None
    short_market_value: float | None
    gross_market_value: float | None
    net_market_value: float | None
    carried_value: float
    cost_basis: float
    unrealized_pnl: float | None
    realized_pnl: float


def snapshots_of(frame: Frame) -> Sequence[Sequence[SnapshotRow]]:
    """Return the sessions to be stored of each book, ascending."""
    return [(_row(one),) for one in frame.valuations]


def _row(valuation: Valuation) -> SnapshotRow:
    totals = valuation.totals
    return SnapshotRow(
        session=valuation.as_of,
        status=valuation.status,
        net_asset_value=totals.net_asset_value,
        cash=totals.cash,
        long_market_value=totals.long_market_value,
        short_market_value=totals.short_market_value,
        gross_market_value=totals.gross_market_value,
        net_market_value=totals.net_market_value,
        carried_value=totals.carried_value,
        cost_basis=totals.cost_basis,
        unrealized_pnl=totals.unrealized_pnl,
        realized_pnl=totals.realized_pnl,
    )

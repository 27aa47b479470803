"""How an account did: the part `performance` of a valuation, and the history it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from risk_engine.domain import Status
from risk_engine.repository import Snapshot
from risk_engine.schemas.base import Answer, Money, Number

Nothing = Literal["empty_span", "no_sessions"]
_WHY_NONE: Mapping[Nothing, str] = {
    "empty_span": "`from` is after `to`: no session lies between them.",
    "no_sessions": "The portfolio has no session in this span, or none has been calculated yet.",
}


class PerformanceOut(Answer):
    """Return and risk on the returns of the sessions since the opening, 780 at most.

    Returns are time weighted: the session's gain of the net asset value before, without repricing.
    Decimals, 0.01 being 1 %; per year where the name says so and for ratios. Null with fewer than
    `minimum_sessions`.
    """

    status: Status
    reason: str | None = Field(
        None,
        description="`lost_more_than_everything` in a session: then no index goes on from there, "
        "and returns over many sessions and drawdowns are null",
    )
    minimum_sessions: int
    sessions: int = Field(description="Sessions whose return is known")
    first_session: date | None
    last_session: date | None
    sessions_of_a_year: int
    cumulative_return: Number | None = Field(
        description="Over all these sessions, however few they are"
    )
    money_weighted_return: Number | None = Field(description="A year's internal rate of return")
    annual_return: Number | None
    annual_volatility: Number | None
    downside_deviation: Number | None = Field(description="Of returns below the risk-free rate")
    mean_excess_return: Number | None = Field(None, description="Above the risk-free rate")
    excess_volatility: Number | None = Field(None, description="Of what exceeds that rate")
    sharpe_ratio: Number | None
    sharpe_ratio_error: Number | None = Field(description="Standard error, for independent returns")
    sortino_ratio: Number | None
    calmar_ratio: Number | None = Field(description="Annual return over |maximum drawdown|")
    skewness: Number | None
    excess_kurtosis: Number | None
    max_drawdown: Number | None = Field(description="Deepest fall below a high before; <= 0")
    current_drawdown: Number | None = Field(description="<= 0")
    drawdown_peak: date | None
    drawdown_trough: date | None
    drawdown_recovery: date | None = Field(description="Null while it lasts")
    drawdown_sessions: int | None = Field(description="From the peak to the recovery, or to now")
    longest_drawdown_sessions: int | None = Field(description="On end below a high before")
    benchmark: str
    benchmark_sessions: int
    tracking_error: Number | None
    information_ratio: Number | None
    up_capture: Number | None = Field(
        description="Annual return over the benchmark's, when it rose"
    )
    down_capture: Number | None
    risk_free_rate: Number | None = Field(
        description="Continuously compounded, a year's, the last one known"
    )
    risk_free_source: Literal["curve", "curve_and_default", "default"]


class SnapshotOut(Answer):
    """The account at the close of a session."""

    session: date
    revision: int
    panel_version: int
    status: Status
    net_asset_value: Money
    cash: Money
    long_market_value: Money | None
    short_market_value: Money | None
    gross_market_value: Money | None
    net_market_value: Money | None
    carried_value: Money
    cost_basis: Money
    unrealized_pnl: Money | None
    realized_pnl: Money
    daily_pnl: Money | None = Field(description="Since the session before; null on the first")
    daily_return: Number | None = Field(description="A decimal of the net asset value before")


class SnapshotHistory(Answer):
    """An account's sessions, oldest first; the latest ones if there are more than `limit`."""

    portfolio_id: UUID
    available: bool
    limit: int
    truncated: bool = Field(description="There are earlier sessions in the span")
    reason: Nothing | None = Field(
        None, description="Why there are no sessions: `from` is after `to`, or none is kept"
    )
    message: str | None = Field(None, description="The reason as a sentence")
    snapshots: list[SnapshotOut]


def snapshot_history(
    portfolio_id: UUID, snapshots: Sequence[Snapshot], limit: int, *, start: date, end: date
) -> SnapshotHistory:
    """Show sessions read one beyond the limit, to know whether there are more."""
    reason: Nothing | None = None
    if not snapshots:
        reason = "empty_span" if start > end else "no_sessions"
    return SnapshotHistory(
        portfolio_id=portfolio_id,
        available=bool(snapshots),
        limit=limit,
        truncated=len(snapshots) > limit,
        reason=reason,
        message=None if reason is None else _WHY_NONE[reason],
        snapshots=[SnapshotOut(**asdict(one)) for one in snapshots[-limit:]],
    )

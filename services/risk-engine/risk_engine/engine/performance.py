"""How accounts did since they opened, on the returns of their sessions: a part of the valuation."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, Literal

import numpy as np

from risk_engine.domain import Market, Status
from risk_engine.engine.frame import Frame
from risk_engine.quant.curve import DEFAULT_RATE
from risk_engine.quant.money_weighted import money_weighted_return
from risk_engine.quant.panel import FloatArray
from risk_engine.quant.performance import (
    MIN_SESSIONS,
    NO_RECOVERY,
    Drawdown,
    drawdown,
    index,
    is_ruined,
    performance,
    relative_performance,
)
from risk_engine.quant.returns import risk_free_returns, total_returns
from risk_engine.quant.volatility import SESSIONS_PER_YEAR

RateSource = Literal["curve", "curve_and_default", "default"]
BENCHMARK: Final = "SPY"

ABSOLUTE = (
    *("annual_return", "annual_volatility", "downside_deviation", "mean_excess_return"),
    *("excess_volatility", "sharpe_ratio", "sharpe_ratio_error", "sortino_ratio"),
    *("calmar_ratio", "skewness", "excess_kurtosis"),
)
RUINED: Final = "lost_more_than_everything"
"""Why an account has no index, and nothing that is made of one."""
RELATIVE = ("tracking_error", "information_ratio", "up_capture", "down_capture")


def performance_of(frame: Frame) -> Sequence[dict[str, Any]]:
    """Measure each account of a frame, in order; numbers are NaN where not known."""
    returns = returns_of(frame)
    risk_free, rate, rate_source = risk_free_of(frame.market)
    absolute = performance(returns, risk_free)
    relative = relative_performance(returns, benchmark_of(frame.market))
    growth = index(returns)[-1] - 1
    falls, ruined = drawdown(returns), is_ruined(returns)
    found = []
    for account in range(len(frame.books)):
        known = np.flatnonzero(~np.isnan(returns[:, account]))
        enough = known.size >= MIN_SESSIONS
        found.append(
            {
                "status": _status(enough=enough, ruined=ruined[account]),
                "reason": RUINED if ruined[account] else None,
                "minimum_sessions": MIN_SESSIONS,
                "sessions": int(known.size),
                "first_session": _session(frame, known[:1]),
                "last_session": _session(frame, known[-1:]),
                "sessions_of_a_year": SESSIONS_PER_YEAR,
                "cumulative_return": float(growth[account]) if known.size else None,
                "money_weighted_return": _money_weighted(frame, account) if enough else None,
                **{name: float(getattr(absolute, name)[account]) for name in ABSOLUTE},
                **_fall(frame, falls, account, enough=enough),
                "benchmark": BENCHMARK,
                "benchmark_sessions": int(relative.sessions[account]),
                **{name: float(getattr(relative, name)[account]) for name in RELATIVE},
                "risk_free_rate": rate,
                "risk_free_source": rate_source,
            }
        )
    return found


def _status(*, enough: bool, ruined: bool) -> Status:
    if not enough:
        return "insufficient"
    return "partial" if ruined else "ok"


def returns_of(frame: Frame) -> FloatArray:
    """Give the return of each session of the panel, (sessions, accounts); NaN where not known.

    Those of earlier nights are the stored ones.
    """
    rows = frame.market.prices.rows
    returns = np.full((len(rows), len(frame.books)), np.nan)
    for account, history in enumerate(frame.histories):
        for session, stored in zip(history.sessions, history.daily_return.tolist(), strict=False):
            if session in rows:
                returns[rows[session], account] = stored
    past = frame.valued.past
    calculated = ~np.isnan(past.daily_return)
    row = past.row[calculated] - frame.market.ledger.early
    returns[row, past.account[calculated]] = past.daily_return[calculated]
    return returns


def benchmark_of(market: Market) -> FloatArray:
    """Give the benchmark's total return of each session of the panel; NaN where not known."""
    reference, sessions = market.reference, len(market.prices.sessions)
    column = reference.columns.get(BENCHMARK)
    if column is None or len(reference.sessions) < sessions:
        return np.full(sessions, np.nan)
    some = [column]
    returns = total_returns(
        reference.close[:, some], reference.split_ratio[:, some], reference.dividend[:, some]
    )
    return returns[-sessions:, 0]


def risk_free_of(market: Market) -> tuple[FloatArray, float, RateSource]:
    """Give what cash earned in each session of the panel, the last rate per year, and its source.

    It is the shortest rate of the curve at the close before; DEFAULT_RATE before the first known.
    """
    rates, sessions = market.rates, market.prices.sessions
    curves = {session: row for row, session in enumerate(rates.sessions)}
    rate = np.full(len(sessions), np.nan)
    if rates.zero.shape[1]:
        for place, session in enumerate(sessions):
            if session in curves:
                rate[place] = rates.zero[curves[session], 0]
    first = int(np.argmax(~np.isnan(rate))) if (~np.isnan(rate)).any() else len(rate)
    rate[:first] = DEFAULT_RATE
    day = np.array([session.toordinal() for session in sessions], dtype=np.int64)
    source: RateSource = "curve" if first == 0 else "default"
    if 0 < first < len(rate):
        source = "curve_and_default"
    return risk_free_returns(rate, day), float(rate[~np.isnan(rate)][-1]), source


def _money_weighted(frame: Frame, account: int) -> float:
    # Books know of no money paid in or out since the opening.
    start, value = _start(frame, account)
    day = np.array([start.toordinal(), frame.as_of.toordinal()])
    flows = np.array([-value, frame.net_asset_value[account]])
    return money_weighted_return(day, flows)


def _start(frame: Frame, account: int) -> tuple[date, float]:
    """Return the session at whose close the first known return starts, and the value there.

    The opening's, or of an older account the first of the panel's that is known.
    """
    book, ledger = frame.books[account], frame.market.ledger
    if book.opening_session >= ledger.first_session:
        return book.opening_session, float(book.equity_balance)
    history, past = frame.histories[account], frame.valued.past
    mine = past.account == account
    known = dict(zip(history.sessions, history.net_asset_value.tolist(), strict=True))
    for row, value in zip(
        past.row[mine].tolist(), past.values.net_asset_value[mine].tolist(), strict=True
    ):
        known.setdefault(ledger.sessions[row], value)
    start = min(session for session in known if session >= ledger.first_session)
    return start, known[start]


def _fall(frame: Frame, falls: Drawdown, account: int, *, enough: bool) -> dict[str, Any]:
    depth = float(falls.max_drawdown[account])
    fell = enough and depth < 0
    peak, recovery = int(falls.peak[account]), int(falls.recovery[account])
    sessions = frame.market.prices.sessions

    def on(row: int) -> str | None:
        return sessions[max(row, 0)].isoformat() if fell else None

    return {
        "max_drawdown": depth if enough else None,
        "current_drawdown": float(falls.current[account]) if enough else None,
        "drawdown_peak": on(peak),
        "drawdown_trough": on(int(falls.trough[account])),
        "drawdown_recovery": None if recovery == NO_RECOVERY else on(recovery),
        "drawdown_sessions": int(falls.duration[account]) if enough else None,
        "longest_drawdown_sessions": int(falls.longest[account]) if enough else None,
    }


def _session(frame: Frame, rows: Any) -> str | None:
    found: date | None = frame.market.prices.sessions[rows[0]] if rows.size else None
    return None if found is None else found.isoformat()

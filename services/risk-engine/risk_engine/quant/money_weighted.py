"""Returns of accounts that money went into and out of: time weighted, Dietz, money weighted.

Axes: (sessions, accounts) or (periods, accounts), dates ascending. Flows are external: money paid
in is positive, money taken out negative; what is earned inside (dividends, sales) is none. Returns
are decimals, 0.01 being 1 %. NaN is "not known". Sources: CFA Institute, Global Investment
Performance Standards (time weighting, flows at the end of the day); Dietz, Pension Funds: Measuring
Investment Performance; Bacon, Practical Portfolio Performance Measurement and Attribution, ch. 2.
"""

import numpy as np

from risk_engine.quant.panel import FloatArray, IntArray

LARGE_FLOW = 0.10  # of net asset value: above it, when a flow came matters
DAYS = 365.0
LOWEST_RATE, HIGHEST_RATE = -0.999999, 1e6  # a year


def time_weighted_returns(net_asset_value: FloatArray, flow: FloatArray) -> FloatArray:
    """Give each session's return, (sessions, accounts); the first is NaN.

    `flow` is of the session, taken to come at its end: TWR_t = (NAV_t - F_t) / NAV_{t-1} - 1. NaN
    where either value or the flow is not known, and after a net asset value that is not positive.
    """
    before = np.full(net_asset_value.shape, np.nan)
    before[1:] = np.where(net_asset_value[:-1] > 0, net_asset_value[:-1], np.nan)
    return np.asarray((net_asset_value - flow) / before - 1, dtype=np.float64)


def dietz_returns(
    net_asset_value: FloatArray, flow: FloatArray, weighted_flow: FloatArray, sessions: IntArray
) -> FloatArray:
    """Give the return of each period between two values, (periods, accounts).

    `net_asset_value` is (periods + 1, accounts); a period lasts `sessions`, (periods, accounts),
    and sees `flow` in all; `weighted_flow` is the sum of each flow times the share of the period
    that was left when it came. A period of one session is time weighted. In a longer one, over
    which there are no daily values, a flow above LARGE_FLOW of the value at its start enters with
    that weight (Modified Dietz: R = (V1 - V0 - F) / (V0 + sum w F)); a smaller one counts as coming
    at its end. NaN where the value at the start, or the capital at work, is not positive.
    """
    start, end = net_asset_value[:-1], net_asset_value[1:]
    timed = (sessions > 1) & (np.abs(flow) > LARGE_FLOW * start)
    capital = start + np.where(timed, weighted_flow, 0.0)
    earning = (start > 0) & (capital > 0)
    return (end - start - flow) / np.where(earning, capital, np.nan)


def money_weighted_return(day: IntArray, cash_flow: FloatArray) -> float:
    """Give the yearly rate at which flows are worth nothing on the first day: XIRR, ACT/365.

    `cash_flow`, (flows,), is the investor's: what was paid in is negative, what was taken out and
    the value at the end are positive. The root between -99.9999 % and 1e6 a year that is nearest to
    no return; NaN where there is none, or the flows do not change sign.
    """
    if cash_flow.size == 0 or not np.isfinite(cash_flow).all():
        return float("nan")
    if not cash_flow.min() < 0 < cash_flow.max():
        return float("nan")
    years = (day - day.min()) / DAYS

    def worth(log_growth: float) -> float:
        return float(np.sum(cash_flow * np.exp(-log_growth * years)))

    # Equal steps of log(1 + rate): a book with several roots has the one nearest to 0 taken.
    grid = np.linspace(np.log1p(LOWEST_RATE), np.log1p(HIGHEST_RATE), 2001)
    at = (np.exp(-np.outer(grid, years)) * cash_flow).sum(axis=1)
    crossing = np.flatnonzero(at[:-1] * at[1:] <= 0)
    if crossing.size == 0:
        return float("nan")
    nearest = crossing[np.argmin(np.abs(grid[crossing] + grid[crossing + 1]))]
    # Loaded here, for accounts of a year's history: 10 MiB that most processes never need.
    from scipy.optimize import brentq

    root = brentq(worth, grid[nearest], grid[nearest + 1], xtol=1e-14, rtol=1e-14)
    return float(np.expm1(root))

"""How accounts did over time: return, risk and drawdown on their time-weighted index.

Axes: returns are (sessions, accounts), answers (accounts,). Returns are simple and per session,
decimals; rates are per session too. NaN is a session that is not known, and is left out of every
mean; fewer than MIN_SESSIONS known ones make a metric NaN. Years have SESSIONS_PER_YEAR
sessions. Drawdowns are negative or 0; everything else has the sign of the gain. Sources: Bacon,
Practical Portfolio Performance Measurement and Attribution, ch. 2-4; Lo (2002), The Statistics of
Sharpe Ratios, Financial Analysts Journal 58(4); Sortino and van der Meer (1991), Journal of
Portfolio Management.
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.volatility import SESSIONS_PER_YEAR

MIN_SESSIONS = 60


@dataclass(frozen=True, eq=False)
class Performance:
    """What `performance` finds, (accounts,); per year where that makes sense, NaN if not known.

    `sharpe_ratio_error` is the standard error of the Sharpe ratio for independent returns.
    """

    sessions: IntArray
    annual_return: FloatArray
    annual_volatility: FloatArray
    downside_deviation: FloatArray
    mean_excess_return: FloatArray
    excess_volatility: FloatArray
    sharpe_ratio: FloatArray
    sharpe_ratio_error: FloatArray
    sortino_ratio: FloatArray
    calmar_ratio: FloatArray
    skewness: FloatArray
    excess_kurtosis: FloatArray


@dataclass(frozen=True, eq=False)
class Relative:
    """How accounts did against a benchmark, (accounts,), over the sessions known of both."""

    sessions: IntArray
    tracking_error: FloatArray
    information_ratio: FloatArray
    up_capture: FloatArray
    down_capture: FloatArray


@dataclass(frozen=True, eq=False)
class Drawdown:
    """Falls of the index below its highest value so far, (accounts,).

    `max_drawdown` is the deepest, a decimal <= 0; `current` is the one on the last session. Rows of
    sessions: `peak` the last one at the high before the deepest, -1 being the start, `trough` its
    lowest, `recovery` the first back at that high, NO_RECOVERY if none is. `duration` is the number
    of sessions from that peak to the recovery, or to the last session; `longest` the most sessions
    on end below a high.
    """

    max_drawdown: FloatArray
    current: FloatArray
    peak: IntArray
    trough: IntArray
    recovery: IntArray
    duration: IntArray
    longest: IntArray


NO_RECOVERY = -2


def performance(returns: FloatArray, risk_free: FloatArray) -> Performance:
    """Measure accounts by their returns; `risk_free` is (sessions,), NaN where not known.

    Return: (prod(1 + r))^(252/n) - 1. Volatility: standard deviation (n - 1) x sqrt(252). Downside
    deviation: sqrt(mean(min(r - rf, 0)^2)) x sqrt(252). Sharpe and Sortino: mean(r - rf) x 252 (the
    mean excess return) over the volatility of r - rf, and over the downside deviation; over the
    sessions where rf is known.
    Sharpe's error: sqrt((1 + S^2 / 2) / n) x sqrt(252), S per session. Calmar: annual return over
    |maximum drawdown|. Skewness and excess kurtosis are the sample-adjusted ones (G1, G2). A ratio
    to a deviation of 0 is NaN.
    """
    known = ~np.isnan(returns)
    count = known.sum(axis=0)
    excess = returns - risk_free[:, None]
    excess_count = (~np.isnan(excess)).sum(axis=0)
    mean, deviation = _mean(excess), _deviation(excess)
    sharpe = _ratio(mean, deviation)
    downside = np.sqrt(_mean(np.minimum(excess, 0.0) ** 2))
    annual = _annual_return(returns)
    skewness, kurtosis = _shape(returns)
    year = np.sqrt(SESSIONS_PER_YEAR)
    return Performance(
        sessions=count,
        annual_return=annual,
        annual_volatility=_deviation(returns) * year,
        downside_deviation=downside * year,
        mean_excess_return=mean * SESSIONS_PER_YEAR,
        excess_volatility=deviation * year,
        sharpe_ratio=sharpe * year,
        sharpe_ratio_error=np.sqrt((1 + sharpe**2 / 2) / np.maximum(excess_count, 1)) * year,
        sortino_ratio=_ratio(mean, downside) * year,
        calmar_ratio=_ratio(annual, np.abs(drawdown(returns).max_drawdown)),
        skewness=skewness,
        excess_kurtosis=kurtosis,
    )


def relative_performance(returns: FloatArray, benchmark: FloatArray) -> Relative:
    """Measure accounts against a benchmark, (sessions,).

    Tracking error: standard deviation (n - 1) of r - b, x sqrt(252). Information ratio:
    mean(r - b) x 252 / tracking error. Capture: annual return of the account over that of the
    benchmark, over the sessions where the benchmark rose (up) or fell (down); NaN without any.
    """
    both = ~np.isnan(returns) & ~np.isnan(benchmark)[:, None]
    own = np.where(both, returns, np.nan)
    other = np.where(both, benchmark[:, None], np.nan)
    active = own - other
    deviation = _deviation(active)
    enough = both.sum(axis=0) >= MIN_SESSIONS

    def capture(some: BoolArray) -> FloatArray:
        of_both = [_growth(np.where(some, one, np.nan)) for one in (own, other)]
        return np.where(enough, _ratio(*of_both), np.nan)

    return Relative(
        sessions=both.sum(axis=0),
        tracking_error=deviation * np.sqrt(SESSIONS_PER_YEAR),
        information_ratio=_ratio(_mean(active), deviation) * np.sqrt(SESSIONS_PER_YEAR),
        up_capture=capture(other > 0),
        down_capture=capture(other < 0),
    )


def index(returns: FloatArray) -> FloatArray:
    """Give the growth of 1 since before the first session, (sessions, accounts).

    A session that is not known leaves the index where it was. From the session on in which more
    than everything is lost it is NaN: whatever is earned after that is earned on other money.
    """
    growth = np.where(np.isnan(returns), 0.0, returns) + 1
    lost = np.maximum.accumulate(returns < -1, axis=0)
    return np.where(lost, np.nan, np.cumprod(growth, axis=0))


def is_ruined(returns: FloatArray) -> BoolArray:
    """Tell which accounts lost more than everything in a session, (accounts,)."""
    return np.asarray((returns < -1).any(axis=0), dtype=np.bool_)


def drawdown(returns: FloatArray) -> Drawdown:
    """Find the deepest fall of each account's index, however few sessions there are.

    NaN where no session is known and where the index ends (see `index`), rows and counts 0 there.
    """
    sessions, accounts = returns.shape
    if sessions == 0:
        nothing, none = np.full(accounts, np.nan), np.zeros(accounts, dtype=np.int64)
        return Drawdown(nothing, nothing, none, none, none, none, none)
    unknown = np.isnan(returns).all(axis=0) | is_ruined(returns)
    level = np.vstack([np.ones((1, accounts)), np.where(unknown, 1.0, index(returns))])
    high = np.maximum.accumulate(level, axis=0)
    fall = level / high - 1
    row = np.arange(sessions + 1)[:, None]
    at_high = level == high
    last_high = np.maximum.accumulate(np.where(at_high, row, 0), axis=0)
    trough = fall.argmin(axis=0)
    peak = last_high[trough, np.arange(accounts)]
    back = at_high & (row > trough)
    recovered = back.any(axis=0)
    recovery = np.where(recovered, back.argmax(axis=0), sessions)
    fell = ~unknown & (fall.min(axis=0) < 0)

    def counted(rows: IntArray, otherwise: int = 0) -> IntArray:
        return np.where(fell, rows, otherwise).astype(np.int64)

    return Drawdown(
        max_drawdown=np.where(unknown, np.nan, fall.min(axis=0)),
        current=np.where(unknown, np.nan, fall[-1]),
        peak=counted(peak - 1),
        trough=counted(trough - 1),
        recovery=counted(np.where(recovered, recovery - 1, NO_RECOVERY)),
        duration=counted(recovery - peak),
        longest=counted((row - last_high).max(axis=0)),
    )


def _annual_return(returns: FloatArray) -> FloatArray:
    enough = (~np.isnan(returns)).sum(axis=0) >= MIN_SESSIONS
    return np.where(enough, _growth(returns), np.nan)


def _growth(returns: FloatArray) -> FloatArray:
    # A year's growth at the mean pace of the known sessions; an account that lost all has lost all,
    # and of one that lost more nothing grows.
    count = (~np.isnan(returns)).sum(axis=0)
    total = np.prod(_rows(1 + np.where(np.isnan(returns), 0.0, returns)), axis=1)
    years = np.where(count > 0, count, np.nan) / SESSIONS_PER_YEAR
    grown = np.where(
        total > 0, np.maximum(total, 0.0) ** (1 / years) - 1, np.where(count, -1, np.nan)
    )
    return np.where(is_ruined(returns), np.nan, grown)


def _mean(values: FloatArray) -> FloatArray:
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = _rows(np.where(known, values, 0.0)).sum(axis=1)
    return np.where(count >= MIN_SESSIONS, total / np.maximum(count, 1), np.nan)


def _rows(values: FloatArray) -> FloatArray:
    # numpy adds along contiguous memory in one order whatever stands beside it: the last bit of an
    # account does not depend on its company.
    return np.ascontiguousarray(values.T)


def _deviation(values: FloatArray) -> FloatArray:
    count = (~np.isnan(values)).sum(axis=0)
    variance = _mean((values - _mean(values)) ** 2) * count / np.maximum(count - 1, 1)
    return np.asarray(np.sqrt(variance), dtype=np.float64)


def _shape(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    # Joanes and Gill (1998), Comparing Measures of Sample Skewness and Kurtosis: G1 and G2.
    n = np.maximum((~np.isnan(values)).sum(axis=0), MIN_SESSIONS).astype(np.float64)
    centred = values - _mean(values)
    variance = _mean(centred**2)
    skewness = _ratio(_mean(centred**3), variance**1.5)
    kurtosis = _ratio(_mean(centred**4), variance**2) - 3
    adjusted = np.sqrt(n * (n - 1)) / (n - 2) * skewness
    return adjusted, (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * kurtosis + 6)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    # What does not move has a deviation of rounding errors, not of risk.
    usable = np.abs(below) > 1e-14
    ratio = np.full(np.shape(below), np.nan)
    np.divide(above, below, out=ratio, where=usable)
    return ratio

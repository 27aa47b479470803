"""Turn raw closes and corporate actions into returns, and say how much of them is known.

Axes: (sessions, symbols), sessions ascending; the first row of returns is NaN, so that a return
stands in the row of the session it ends on. A return is known when both of its closes are: a gap
costs the return over it, which would be one of several sessions. Nothing is filled forward.
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import MAX_PRICE, MAX_PRICE_AGE, BoolArray, FloatArray, IntArray

DAYS = 365.0
MIN_COVERAGE = 0.8
"""Share of the sessions since the first close whose return must be known."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What is known of each symbol in a window, (symbols,).

    `observations` are the known returns; `share` is over the sessions of the window after the first
    close of the panel, NaN for a symbol that has none. `age` is how many sessions the last close is
    old, -1 without one.
    """

    observations: IntArray
    share: FloatArray
    age: IntArray

    @property
    def stale(self) -> BoolArray:
        """Tell which symbols have had no close for more than MAX_PRICE_AGE sessions, or ever."""
        return np.asarray((self.age < 0) | (self.age > MAX_PRICE_AGE), dtype=np.bool_)

    def sufficient(self, least: int) -> BoolArray:
        """Tell which symbols have at least `least` returns and MIN_COVERAGE, and are not stale."""
        with np.errstate(invalid="ignore"):
            covered = self.share >= MIN_COVERAGE
        return np.asarray((self.observations >= least) & covered & ~self.stale, dtype=np.bool_)


def total_returns(close: FloatArray, split_ratio: FloatArray, dividend: FloatArray) -> FloatArray:
    """Return simple returns with dividends reinvested, as decimals per session.

    (P_t k_t + D_t) / P_{t-1} - 1, with k_t new shares per old one and D_t per share before the
    split of the same session: see `quant.panel.Panel`. NaN in the first row, where either close is
    missing or no price (not above zero, or above MAX_PRICE), and where an action is NaN.
    """
    price = np.where((close > 0) & (close <= MAX_PRICE), close, np.nan)
    returns = np.full(price.shape, np.nan)
    if len(price) > 1:
        returns[1:] = (price[1:] * split_ratio[1:] + dividend[1:]) / price[:-1] - 1
    return returns


def log_returns(returns: FloatArray) -> FloatArray:
    """Return ln(1 + r); NaN where the return is."""
    return np.asarray(np.log1p(returns))


def risk_free_returns(rate: FloatArray, day: IntArray) -> FloatArray:
    """Return what cash earned in each session, (sessions,), as decimals per session.

    `rate` is a continuously compounded decimal per year (ACT/365) and `day` the day number. A
    session earns the rate of the close before it over the days since; where that is NaN, the latest
    one known. NaN in the first row and before the first rate: it is an input of no look-ahead.
    """
    known = np.maximum.accumulate(np.where(np.isnan(rate), -1, np.arange(len(rate))))
    carried = np.where(known >= 0, rate[known], np.nan)
    earned = np.full(len(rate), np.nan)
    earned[1:] = np.expm1(carried[:-1] * np.diff(day) / DAYS)
    return earned


def excess_returns(returns: FloatArray, risk_free: FloatArray) -> FloatArray:
    """Return r - r_f for every symbol; NaN where either is."""
    return np.asarray(returns - risk_free[:, np.newaxis])


def coverage(close: FloatArray, returns: FloatArray, window: int) -> Coverage:
    """Count what is known in the last `window` sessions.

    A symbol listed inside the window is asked only for the sessions after its first close.
    """
    sessions = len(close)
    priced = (close > 0) & (close <= MAX_PRICE)
    since_first = np.logical_or.accumulate(priced).sum(axis=0)
    until_last = np.logical_or.accumulate(priced[::-1]).sum(axis=0)
    age = np.where(until_last > 0, sessions - until_last, -1)
    known = np.isfinite(returns[max(sessions - window, 0) :]).sum(axis=0)
    expected = np.minimum(window, since_first - 1)
    # A symbol listed on the last session has nothing to show yet: no share, and no observation.
    share = np.where(expected > 0, known / np.maximum(expected, 1), np.nan)
    return Coverage(known.astype(np.int64), share, age.astype(np.int64))


def idle_share(returns: FloatArray) -> FloatArray:
    """Return the share of known returns that are zero, (symbols,): a sign of thin trading.

    NaN where no return is known.
    """
    known = np.isfinite(returns).sum(axis=0)
    return np.asarray(
        np.where(known > 0, (returns == 0).sum(axis=0) / np.maximum(known, 1), np.nan)
    )

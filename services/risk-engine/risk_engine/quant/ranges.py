"""Measure volatility from what a session's prices span, not from its close alone.

Axes: bars are (sessions, symbols), prices in dollars per share of their own session. The overnight
move comes from the total return, so that splits and dividends are not moves: `log_return` is that
from the close before to this close. A bar that is no bar (a price missing or not above zero, a high
below or a low above another price of the session) is NaN and so is what is made of it.
"""

from dataclasses import dataclass
from math import log

import numpy as np

from risk_engine.quant.panel import FloatArray
from risk_engine.quant.rolling import rolling_count, rolling_mean, rolling_variance
from risk_engine.quant.volatility import per_year

_GARMAN_KLASS_CLOSE = 2 * log(2) - 1


@dataclass(frozen=True, eq=False)
class Bars:
    """Opening, highest, lowest and closing price, and the log of the total return to the close."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    log_return: FloatArray


def realised_variance(bars: Bars) -> FloatArray:
    """Return each session's variance, (sessions, symbols), per session: overnight and by day.

    The squared overnight move and, between opening and close, ln(H/L)^2 / 2 - (2 ln 2 - 1)
    ln(C/O)^2 (Garman and Klass, 1980). Never negative.
    """
    up, down, close, overnight = _moves(bars)
    return np.asarray(overnight**2 + 0.5 * (up - down) ** 2 - _GARMAN_KLASS_CLOSE * close**2)


def garman_klass_volatility(bars: Bars, window: int, *, minimum: int | None = None) -> FloatArray:
    """Return the root mean `realised_variance` of each window, (sessions, symbols), per year.

    NaN where fewer sessions than `minimum` (default: four of five) are known in the window.
    """
    return per_year(np.sqrt(rolling_mean(realised_variance(bars), window, minimum=minimum)))


def yang_zhang_volatility(bars: Bars, window: int, *, minimum: int | None = None) -> FloatArray:
    """Return the volatility of each window by Yang and Zhang (2000), (sessions, symbols), per year.

    s_o^2 + k s_c^2 + (1 - k) s_rs^2, k = .34 / (1.34 + (n + 1) / (n - 1)): variances, about their
    means with n - 1, of the overnight move and of that from opening to close, and the mean of
    Rogers and Satchell (1991), u (u - c) + d (d - c). Right whatever the drift and the openings.
    NaN where fewer sessions than `minimum` (default: four of five) are known in the window.
    """
    up, down, close, overnight = _moves(bars)
    by_range = rolling_mean(up * (up - close) + down * (down - close), window, minimum=minimum)
    count = np.maximum(rolling_count(close, window), 2)
    k = 0.34 / (1.34 + (count + 1) / (count - 1))
    by_close = rolling_variance(close, window, minimum=minimum)
    by_night = rolling_variance(overnight, window, minimum=minimum)
    return per_year(np.sqrt(by_night + k * by_close + (1 - k) * by_range))


def _moves(bars: Bars) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    # To the high, the low and the close from the opening, and to the opening from the close before.
    inside = (bars.low > 0) & (bars.low <= np.minimum(bars.open, bars.close))
    sound = inside & (bars.high >= np.maximum(bars.open, bars.close)) & np.isfinite(bars.log_return)
    opening = np.where(sound, bars.open, np.nan)
    up, down, close = (np.log(price / opening) for price in (bars.high, bars.low, bars.close))
    return up, down, close, bars.log_return - close

"""Sums, means and variances of every window of a history at once, by running totals.

Axes: (sessions, series). A window is of sessions and ends with the row it stands in; at the
beginning it is as long as the history. NaN is not known and left out. Where fewer values than
`minimum` are known in the window (default: four of five of its length) the answer is NaN.
"""

from math import ceil

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray

MIN_COVERAGE = 0.8


def column_sum(values: FloatArray) -> FloatArray:
    """Return the sum of each column of finite values, (series,), added in the order of sessions.

    numpy's own sum adds in pairs where a column lies contiguous in memory, so that its last bit
    would depend on how many series there are.
    """
    return np.asarray(np.cumsum(values, axis=0)[-1])


def column_mean(values: FloatArray) -> FloatArray:
    """Return the mean of what is known in each column, (series,); NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return _divide(column_sum(np.where(known, values, 0.0)), count, count > 0)


def deviations(values: FloatArray) -> FloatArray:
    """Return what each value differs from the mean of its column, 0 where it is not known."""
    return np.where(np.isfinite(values), values - column_mean(values), 0.0)


def rolling_count(values: FloatArray, window: int) -> FloatArray:
    """Return how many values are known in every window."""
    return _window_sum(np.isfinite(values).astype(np.float64), window)


def rolling_mean(values: FloatArray, window: int, *, minimum: int | None = None) -> FloatArray:
    """Return the mean of every window."""
    count = rolling_count(values, window)
    total = _window_sum(np.where(np.isfinite(values), values, 0.0), window)
    return _divide(total, count, count >= max(_least(window, minimum), 1))


def rolling_variance(values: FloatArray, window: int, *, minimum: int | None = None) -> FloatArray:
    """Return the variance of every window, with n - 1; never negative."""
    count = rolling_count(values, window)
    # Deviations from any number have the same variance; those from the mean lose fewest digits.
    moved = deviations(values)
    total = _window_sum(moved, window)
    squares = _window_sum(moved**2, window) - total**2 / np.maximum(count, 1)
    return _divide(np.maximum(squares, 0.0), count - 1, count >= max(_least(window, minimum), 2))


def _least(window: int, minimum: int | None) -> int:
    return ceil(MIN_COVERAGE * window) if minimum is None else minimum


def _divide(total: FloatArray, count: FloatArray | IntArray, enough: BoolArray) -> FloatArray:
    answer = np.full(total.shape, np.nan)
    np.divide(total, count, out=answer, where=enough)
    return answer


def _window_sum(values: FloatArray, window: int) -> FloatArray:
    total = np.concatenate((np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)))
    answer = total[1:].copy()
    answer[window:] -= total[1:-window]
    return answer

"""Blocks of one width, so that what is found of a series does not depend on its company.

Matrix products add up in an order that depends on their shape: the last digits of a series' numbers
would change with how many others are estimated beside it.
"""

from collections.abc import Iterator

import numpy as np

from risk_engine.quant.panel import FloatArray, IntArray

BLOCK = 64


def blocks(columns: IntArray) -> Iterator[IntArray]:
    """Cut a list of columns into parts of at most BLOCK."""
    for first in range(0, columns.size, BLOCK):
        yield columns[first : first + BLOCK]


def filled(series: FloatArray) -> FloatArray:
    """Return (sessions, at most BLOCK series) with unknown ones after them, (sessions, BLOCK)."""
    more = np.full((len(series), BLOCK - series.shape[1]), np.nan)
    return np.ascontiguousarray(np.hstack((series, more)))


def filled_rows(rows: FloatArray, value: float) -> FloatArray:
    """Return (at most BLOCK, ...) with rows of a value after them, (BLOCK, ...)."""
    return np.concatenate((rows, np.full((BLOCK - len(rows), *rows.shape[1:]), value)))

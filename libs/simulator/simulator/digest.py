"""Digests of bars: is the market the same in another process, Python, or machine?"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import calendar
from simulator.market import Bars, Market

Values = Mapping[str, NDArray[Any]]


def last_bars(market: Market, as_of: date, sessions: int) -> Bars:
    """Return the bars of all symbols over as many sessions as that, the last one included."""
    return market.bars(market.symbols(), calendar.session_back(as_of, sessions - 1), as_of)


def values(bars: Bars) -> Values:
    """Return the arrays of bars by the names of their fields."""
    names = (field.name for field in fields(bars) if field.name not in ("sessions", "symbols"))
    return {name: getattr(bars, name) for name in names}


def digests(bars: Bars) -> dict[str, str]:
    """Return the SHA-256 of each field: the same if and only if every value is, to the last bit."""
    return {
        name: sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        for name, array in values(bars).items()
    }


def differing(bars: Bars, others: Values) -> dict[str, int]:
    """Return how many values of each field are not the same as others of the same shape."""
    return {
        name: array.size - int(np.count_nonzero(_same(array, others[name])))
        for name, array in values(bars).items()
    }


def keep(bars: Bars, file: Path) -> None:
    """Write the values to an npz file, for `differing` in another Python or on another machine."""
    arrays: dict[str, Any] = dict(values(bars))
    with file.open("wb") as stream:  # numpy would put .npz at the end of a name
        np.savez_compressed(stream, **arrays)


def kept(file: Path) -> Values:
    """Return what `keep` has written."""
    with np.load(file) as stored:
        return dict(stored)


def _same(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.bool_]:
    if left.shape != right.shape:
        raise ValueError(f"bars of shape {left.shape} do not compare with {right.shape}")
    return np.asarray((left == right) | (np.isnan(left) & np.isnan(right)))

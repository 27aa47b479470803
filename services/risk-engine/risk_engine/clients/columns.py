"""The panel as it comes over the wire, taken apart into one column of prices per symbol."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from risk_engine.domain import Prices
from risk_engine.quant.panel import FloatArray

METADATA_KEY = b"sigmasight"
_EPOCH = date(1970, 1, 1).toordinal()
_UNKNOWN = "unknown_symbol"

EditionKey = tuple[date, str, str, date, int]


@dataclass(frozen=True)
class Edition:
    """What all columns of a panel share; two panels of one edition may share columns."""

    as_of: date
    provider: str
    model_version: str
    sessions: tuple[date, ...]

    @property
    def key(self) -> EditionKey:
        """Name the edition shortly: the calendar between two sessions is always the same."""
        return self.as_of, self.provider, self.model_version, self.sessions[0], len(self.sessions)


@dataclass(frozen=True, eq=False)
class Column:
    """A symbol's prices, (sessions,), as `risk_engine.domain.Prices` has them."""

    close: FloatArray
    split_ratio: FloatArray
    dividend: FloatArray


@dataclass(frozen=True)
class Answer:
    """What a panel said when asked for some symbols.

    `versions` may tell of columns that were not asked for.
    """

    edition: Edition
    columns: Mapping[str, Column]
    versions: Mapping[str, int]
    missing: Mapping[str, str]


def decode(content: bytes, asked: Sequence[str]) -> Answer:
    """Read an Arrow IPC stream; every symbol asked for is a column or missing with a reason.

    Raises:
        ValueError: a bar lies outside the panel's sessions.
    """
    table = pa.ipc.open_stream(content).read_all()
    described = json.loads(table.schema.metadata[METADATA_KEY])
    sessions = tuple(date.fromisoformat(day) for day in described["sessions"])
    columns = _columns(table, sessions)
    missing = {symbol: _UNKNOWN for symbol in asked if symbol not in columns}
    return Answer(
        edition=Edition(
            as_of=date.fromisoformat(described["as_of"]),
            provider=described["provider"],
            model_version=str(described["model_version"]),
            sessions=sessions,
        ),
        columns=columns,
        versions=described["column_versions"],
        missing={**missing, **described["missing"]},
    )


def assemble(
    edition: Edition,
    panel_version: int,
    columns: Mapping[str, Column],
    missing: Mapping[str, str],
) -> Prices:
    """Put columns side by side, in the order of the mapping."""
    return Prices(
        as_of=edition.as_of,
        panel_version=panel_version,
        sessions=edition.sessions,
        symbols=tuple(columns),
        close=_beside([one.close for one in columns.values()], edition),
        split_ratio=_beside([one.split_ratio for one in columns.values()], edition),
        dividend=_beside([one.dividend for one in columns.values()], edition),
        provider=edition.provider,
        missing=missing,
    )


def _columns(table: pa.Table, sessions: Sequence[date]) -> Mapping[str, Column]:
    encoded = table.column("symbol").combine_chunks().dictionary_encode()
    symbols: list[str] = encoded.dictionary.to_pylist()
    place = encoded.indices.to_numpy(zero_copy_only=False)
    axis = np.array([day.toordinal() - _EPOCH for day in sessions], dtype=np.int32)
    day = table.column("session").cast(pa.int32()).to_numpy()
    row = np.searchsorted(axis, day)
    if day.size and not np.array_equal(axis[np.minimum(row, axis.size - 1)], day):
        raise ValueError("the panel has bars outside its sessions")

    def laid_out(name: str, idle: float) -> FloatArray:
        cells = np.full((len(symbols), axis.size), idle)
        cells[place, row] = table.column(name).to_numpy()
        return cells

    close = laid_out("close", np.nan)
    split_ratio, dividend = laid_out("split_ratio", 1.0), laid_out("dividend", 0.0)
    return {
        # Copies, so that a column kept does not keep its neighbours.
        symbol: Column(close[one].copy(), split_ratio[one].copy(), dividend[one].copy())
        for one, symbol in enumerate(symbols)
    }


def _beside(arrays: Sequence[FloatArray], edition: Edition) -> FloatArray:
    if not arrays:
        return np.empty((len(edition.sessions), 0))
    return np.stack(arrays, axis=1)

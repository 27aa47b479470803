"""Bars as Postgres writes them in binary, so that no bar ever becomes a Python object.

In: the rows of `COPY ... WITH (FORMAT binary)`. Out: what `record_send` returns for each row.
Both are a count of fields, then every value behind its length; numbers are big-endian, dates are
days since 2000-01-01. Python objects would cost the event loop some ten times as much.
"""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, LargeBinary, func, literal_column
from sqlalchemy.dialects.postgresql import aggregate_order_by

from marketdata.domain import BAR, History
from marketdata.tables import BARS

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_FIELDS: tuple[str, ...] = BAR.names or ()
COPIED = ("symbol", "column_version", *_FIELDS)
"""The columns of a copied row, in order."""

_WIDTHS = {"session": ">i4", "volume": ">i8"}
_VALUES = [(name, _WIDTHS.get(name, ">f8")) for name in _FIELDS]
NOTHING: History = np.empty(0, BAR)
NOTHING.flags.writeable = False
_POSTGRES_EPOCH = np.datetime64("2000-01-01", "D")


def copy_rows(symbol: str, column_version: int, history: History) -> bytes:
    """Return a column's bars as binary COPY rows, without header and trailer."""
    name = symbol.encode()
    values = [("symbol", f"S{len(name)}"), ("column_version", ">i4"), *_VALUES]
    layout = [("fields", ">i2")]
    for field, kind in values:
        layout += [(f"{field}.length", ">i4"), (field, kind)]
    rows = np.empty(len(history), np.dtype(layout))
    rows["fields"] = len(values)
    for field, kind in values:
        rows[f"{field}.length"] = np.dtype(kind).itemsize
    for field in _FIELDS:
        rows[field] = _days(history[field]) if field == "session" else history[field]
    rows["symbol"] = name
    rows["column_version"] = column_version
    return rows.tobytes()


def packed_bars() -> ColumnElement[bytes]:
    """Return the SQL aggregate that `unpack` reads: bars in order of session, null if none."""
    record = func.record_send(func.row(*(BARS.c[name] for name in _FIELDS)), type_=LargeBinary)
    nothing = literal_column("''::bytea", LargeBinary)
    return func.string_agg(record, aggregate_order_by(nothing, BARS.c.session), type_=LargeBinary)


def unpack(packed: bytes | None) -> History:
    """Return the bars that `packed_bars` packed."""
    if packed is None:
        return NOTHING
    layout = [("fields", ">i4")]
    for field, kind in _VALUES:
        layout += [(f"{field}.type", ">i4"), (f"{field}.length", ">i4"), (field, kind)]
    rows = np.frombuffer(packed, np.dtype(layout))
    history = np.empty(len(rows), BAR)
    for field in _FIELDS:
        history[field] = _session(rows[field]) if field == "session" else rows[field]
    return history


def _days(sessions: NDArray[np.datetime64]) -> NDArray[np.int32]:
    return (sessions - _POSTGRES_EPOCH).astype(np.int32)


def _session(days: NDArray[np.int32]) -> NDArray[np.datetime64]:
    return _POSTGRES_EPOCH + days.astype("timedelta64[D]")

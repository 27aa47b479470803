"""The panel as it comes over the wire, taken apart into one column per symbol."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from risk_engine.domain import Dividend, Prices, Security, Snapshots
from risk_engine.quant.panel import FloatArray

METADATA_KEY = b"sigmasight"
BARS = ("open", "high", "low", "close", "volume", "split_ratio", "dividend")
SAID = (
    *("bid", "ask", "market_cap", "dividend_yield", "beta"),
    *("volume", "open_interest", "underlying_price"),
)
_IDLE = {"split_ratio": 1.0, "dividend": 0.0}
_EPOCH = date(1970, 1, 1).toordinal()
_UNKNOWN = "unknown_symbol"


class EditionKey(NamedTuple):
    """Names an edition shortly: the calendar between two sessions is always the same."""

    as_of: date
    provider: str
    model_version: str
    first_session: date | None
    sessions: int
    has_snapshots: bool


@dataclass(frozen=True)
class Edition:
    """What all columns of a panel share; two panels of one edition may share columns."""

    as_of: date
    provider: str
    model_version: str
    sessions: tuple[date, ...]
    has_snapshots: bool = True
    """False for panels of before there were any."""

    @property
    def key(self) -> EditionKey:
        """Name the edition."""
        sessions = self.sessions
        return EditionKey(
            self.as_of,
            self.provider,
            self.model_version,
            sessions[0] if sessions else None,
            len(sessions),
            self.has_snapshots,
        )


@dataclass(frozen=True, eq=False)
class Column:
    """What a panel shows of a symbol."""

    bars: FloatArray | None
    """(BARS, sessions), as `risk_engine.domain.Prices` has them; None for what has none, like an
    option."""
    said: FloatArray
    """(SAID,), as `risk_engine.domain.Snapshots` has them."""
    security: Security | None
    """None for an option: its name says all there is to say of it."""
    dividends: tuple[Dividend, ...] = ()
    """What had been declared at the panel's end."""

    @property
    def nbytes(self) -> int:
        """Return how many bytes the arrays take."""
        return self.said.nbytes + (0 if self.bars is None else self.bars.nbytes)


@dataclass(frozen=True)
class Answer:
    """What a panel said when asked for some symbols.

    `versions` may tell of columns that were not asked for. `missing` says why a symbol has no
    price; it may have a column all the same.
    """

    edition: Edition
    columns: Mapping[str, Column]
    versions: Mapping[str, int]
    missing: Mapping[str, str]


def decode(content: bytes, asked: Sequence[str]) -> Answer:
    """Read a panel's Arrow IPC streams; each symbol asked for is a column or missing, or both.

    Raises:
        ValueError: a bar lies outside the panel's sessions.
    """
    bars, *snapshots = tables_of(content)
    described = describe(bars)
    edition = edition_of(described, has_snapshots=bool(snapshots))
    histories = histories_of(bars, edition.sessions)
    said = {symbol: row for table in snapshots for symbol, row in _said(table)}
    declared = {symbol: some for table in snapshots for symbol, some in _declared(table)}
    securities = securities_of(described)
    nothing = np.full(len(SAID), np.nan)
    columns = {
        symbol: Column(
            histories.get(symbol),
            said.get(symbol, nothing),
            securities.get(symbol),
            declared.get(symbol, ()),
        )
        for symbol in sorted({*histories, *said, *securities})
    }
    missing = {symbol: _UNKNOWN for symbol in asked if symbol not in columns}
    return Answer(edition, columns, described["column_versions"], missing | described["missing"])


def describe(table: pa.Table) -> Mapping[str, Any]:
    """Return what a table says of itself."""
    described: Mapping[str, Any] = json.loads(table.schema.metadata[METADATA_KEY])
    return described


def edition_of(described: Mapping[str, Any], *, has_snapshots: bool = True) -> Edition:
    """Return the edition of a table that says so of itself."""
    return Edition(
        as_of=date.fromisoformat(described["as_of"]),
        provider=described["provider"],
        model_version=str(described["model_version"]),
        sessions=tuple(date.fromisoformat(day) for day in described["sessions"]),
        has_snapshots=has_snapshots,
    )


def securities_of(described: Mapping[str, Any]) -> Mapping[str, Security]:
    """Return who the symbols of a table are."""
    return {symbol: Security(**profile) for symbol, profile in described["securities"].items()}


def histories_of(table: pa.Table, sessions: Sequence[date]) -> Mapping[str, FloatArray]:
    """Return each symbol's bars, (BARS, sessions).

    Raises:
        ValueError: one lies outside the sessions.
    """
    encoded = table.column("symbol").combine_chunks().dictionary_encode()
    symbols: list[str] = encoded.dictionary.to_pylist()
    place = encoded.indices.to_numpy(zero_copy_only=False)
    axis = np.array([day.toordinal() - _EPOCH for day in sessions], dtype=np.int32)
    day = table.column("session").cast(pa.int32()).to_numpy()
    row = np.searchsorted(axis, day)
    if day.size and not (axis.size and np.array_equal(axis[np.minimum(row, axis.size - 1)], day)):
        raise ValueError("the panel has bars outside its sessions")
    cells = np.empty((len(symbols), len(BARS), axis.size))
    for field, name in enumerate(BARS):
        cells[:, field] = _IDLE.get(name, np.nan)
        cells[place, field, row] = table.column(name).to_numpy()
    # Copies, so that a column kept does not keep its neighbours.
    return {symbol: cells[one].copy() for one, symbol in enumerate(symbols)}


def prices_of(
    edition: Edition,
    panel_version: int,
    histories: Mapping[str, FloatArray],
    missing: Mapping[str, str],
) -> Prices:
    """Put bars side by side, in the order of the mapping."""
    shape = (len(BARS), len(edition.sessions), len(histories))
    tables = np.stack(list(histories.values()), axis=2) if histories else np.empty(shape)
    return Prices(
        as_of=edition.as_of,
        panel_version=panel_version,
        sessions=edition.sessions,
        symbols=tuple(histories),
        provider=edition.provider,
        missing=missing,
        **dict(zip(BARS, tables, strict=True)),
    )


def snapshots_of(columns: Mapping[str, Column]) -> Snapshots:
    """Put what was said side by side, in the order of the mapping; silence is left out."""
    said = {
        symbol: column.said
        for symbol, column in columns.items()
        if column.dividends or not np.isnan(column.said).all()
    }
    rows = np.array(list(said.values())).reshape(-1, len(SAID))
    return Snapshots(
        tuple(said),
        **dict(zip(SAID, np.ascontiguousarray(rows.T), strict=True)),
        dividends={
            symbol: column.dividends for symbol, column in columns.items() if column.dividends
        },
    )


def tables_of(content: bytes) -> Iterator[pa.Table]:
    """Read Arrow IPC streams that follow one another."""
    reader = pa.BufferReader(content)
    while reader.tell() < reader.size():
        yield pa.ipc.open_stream(reader).read_all()


def _declared(table: pa.Table) -> Iterator[tuple[str, tuple[Dividend, ...]]]:
    # A marketdata of before declared dividends has no columns of them.
    if "ex_dates" not in table.column_names:
        return
    columns = (table.column(name).to_pylist() for name in ("symbol", "ex_dates", "dividends"))
    for symbol, days, amounts in zip(*columns, strict=True):
        if days:
            yield symbol, tuple(map(Dividend, days, amounts))


def _said(table: pa.Table) -> Iterator[tuple[str, FloatArray]]:
    rows = np.empty((table.num_rows, len(SAID)))
    for place, name in enumerate(SAID):
        # What is null becomes NaN.
        rows[:, place] = table.column(name).cast(pa.float64()).to_numpy()
    for symbol, row in zip(table.column("symbol").to_pylist(), rows, strict=True):
        yield symbol, row.copy()

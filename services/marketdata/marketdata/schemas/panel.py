"""The panel on the wire: the same bytes for the same panel and symbols.

Two Arrow IPC streams, one after the other: the bars with what the panel says of itself, and the
snapshots. Panels of format 1 have the first alone.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from common import calendar
from marketdata.domain import (
    BAR,
    NO_PRICE,
    NOT_LOADED,
    Benchmark,
    Edition,
    PanelColumn,
    Snapshot,
    Span,
)

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
METADATA_KEY = b"sigmasight"

_FIELDS = {
    "session": pa.date32(),
    "symbol": pa.string(),
    "open": pa.float64(),
    "high": pa.float64(),
    "low": pa.float64(),
    "close": pa.float64(),
    "volume": pa.int64(),
    "split_ratio": pa.float64(),
    "dividend": pa.float64(),
}

_SNAPSHOT_FIELDS = {
    "symbol": pa.string(),
    "bid": pa.float64(),
    "ask": pa.float64(),
    "market_cap": pa.float64(),
    "dividend_yield": pa.float64(),
    "beta": pa.float64(),
    "volume": pa.int64(),
    "open_interest": pa.int64(),
    "underlying_price": pa.float64(),
}
"""As `domain.Snapshot` has them; null where nothing was said."""

_DIVIDEND_FIELDS = {"ex_dates": pa.list_(pa.date32()), "dividends": pa.list_(pa.float64())}
"""What had been declared, one amount for each day; null where nothing had."""


class Selection(BaseModel):
    """Which symbols of a panel are wanted."""

    symbols: list[str] = Field(max_length=50_000)


class Earlier(BaseModel):
    """What is wanted of the time before a panel: splits and dividends since a day.

    And the bars of some sessions besides, of all the symbols.
    """

    symbols: list[str] = Field(max_length=50_000)
    since: date
    sessions: list[date] = Field(max_length=5_000)


def encode(
    edition: Edition,
    version: int,
    versions: Mapping[str, int],
    columns: Sequence[PanelColumn],
    asked: Iterable[str] | None,
) -> bytes:
    """Return columns, sorted by symbol, as two Arrow tables; `asked` are the symbols wanted.

    `versions` are those of every column of the panel, asked for or not: a reader that keeps columns
    sees from them which ones it has already.
    """
    metadata = {
        **_described(edition, edition.span, columns),
        "panel_version": version,
        "column_versions": dict(versions),
        "missing": _missing(columns, asked or ()),
    }
    tables = [_bars(columns, metadata)]
    if edition.format > 1:
        tables.append(_snapshots(columns))
    return streams(tables)


def encode_reference(
    edition: Edition,
    columns: Sequence[PanelColumn],
    benchmark: Benchmark | None,
    shares: Sequence[PanelColumn] = (),
) -> bytes:
    """Return a panel's reference, its columns sorted by symbol, as an Arrow table like its bars.

    Behind it comes the cross-section, `shares`, where the edition has one: readers of before see
    the first table alone. Both are the same for all panels that show the same columns of them, so
    they name no panel.
    """
    reference = edition.reference
    metadata = {
        **_described(edition, reference.span if reference else None, columns),
        "missing": _missing(columns, reference.symbols if reference else ()),
        "benchmark": benchmark
        and {
            "name": benchmark.name,
            "as_of": benchmark.as_of.isoformat(),
            "weights": dict(benchmark.weights),
        },
    }
    tables = [_bars(columns, metadata)]
    if edition.cross_section:
        tables.append(
            _bars(
                shares,
                {
                    **_described(edition, edition.span, shares),
                    "missing": _missing(shares, edition.cross_section),
                },
            )
        )
    return streams(tables)


def encode_earlier(edition: Edition, columns: Sequence[PanelColumn]) -> bytes:
    """Return what came before a panel, columns sorted by symbol, as an Arrow table like its bars.

    `loaded_from` says from which day on nothing is missing, by symbol.
    """
    metadata = {
        "as_of": edition.as_of.isoformat(),
        "first_session": edition.span.first.isoformat(),
        "loaded_from": {
            column.symbol: column.loaded_from.isoformat()
            for column in columns
            if column.loaded_from is not None
        },
    }
    return streams([_bars(columns, metadata)])


def streams(tables: Iterable[pa.Table]) -> bytes:
    """Return tables as Arrow IPC streams, one after the other."""
    sink = pa.BufferOutputStream()
    for table in tables:
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def _bars(columns: Sequence[PanelColumn], metadata: Mapping[str, object]) -> pa.Table:
    schema = pa.schema(list(_FIELDS.items()), {METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    bars = np.concatenate([column.history for column in columns] or [np.empty(0, BAR)])
    counts = [len(column.history) for column in columns]
    symbols = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(len(columns), dtype=np.int32), counts),
        pa.array([column.symbol for column in columns], pa.string()),
    ).cast(pa.string())
    return pa.table(
        [
            symbols if name == "symbol" else pa.array(np.ascontiguousarray(bars[name]), kind)
            for name, kind in _FIELDS.items()
        ],
        schema=schema,
    )


def _snapshots(columns: Sequence[PanelColumn]) -> pa.Table:
    said = [column for column in columns if column.snapshot != Snapshot()]
    return pa.table(
        [
            pa.array(
                [getattr(one if name == "symbol" else one.snapshot, name) for one in said], kind
            )
            for name, kind in _SNAPSHOT_FIELDS.items()
        ]
        + [
            pa.array(
                [[getattr(one, name) for one in of.snapshot.dividends] or None for of in said],
                kind,
            )
            for name, kind in zip(("ex_date", "amount"), _DIVIDEND_FIELDS.values(), strict=True)
        ],
        schema=pa.schema([*_SNAPSHOT_FIELDS.items(), *_DIVIDEND_FIELDS.items()]),
    )


def _described(
    edition: Edition, span: Span | None, columns: Sequence[PanelColumn]
) -> dict[str, object]:
    return {
        "as_of": edition.as_of.isoformat(),
        "provider": edition.source.provider,
        "model_version": edition.source.model_version,
        "sessions": [day.isoformat() for day in calendar.sessions(*span)] if span else [],
        "securities": {
            column.symbol: {
                "name": column.profile.name,
                "kind": column.profile.kind,
                "sector": column.profile.sector,
                "industry": column.profile.industry,
            }
            for column in columns
            # An option's name says all there is to say of it.
            if column.profile and column.profile.kind != "option"
        },
    }


def _missing(columns: Sequence[PanelColumn], asked: Iterable[str]) -> dict[str, str | None]:
    missing = {
        column.symbol: NO_PRICE if column.profile else column.reason
        for column in columns
        if not column.is_priced
    }
    shown = {column.symbol for column in columns}
    return {**missing, **{symbol: NOT_LOADED for symbol in asked if symbol not in shown}}

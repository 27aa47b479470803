"""The panel on the wire."""

import json
from datetime import date

import numpy as np
import pyarrow as pa

from marketdata.domain import BAR, Edition, PanelColumn, Profile, Source, Span
from marketdata.schemas.panel import METADATA_KEY, encode

EDITION = Edition(Source("simulated", "1"), Span(date(2026, 1, 8), date(2026, 1, 12)))
PROFILE = Profile("AAPL", "Apple Inc.", "stock", "Technology", "Phones", "NASDAQ", "US")


def bars(*rows):
    return np.array(list(rows), BAR)


AAPL = PanelColumn(
    "AAPL",
    2,
    PROFILE,
    None,
    bars(
        ("2026-01-09", 10.5, 12.0, 10.0, 11.25, 3_000_000_000_000, 1.0, 0.0),
        ("2026-01-12", 5.5, 6.0, 5.0, 5.75, 7, 2.0, 0.31),
    ),
)
HALTED = PanelColumn("HALT", 1, PROFILE, None, bars())
UNKNOWN = PanelColumn("ZZZZ", 1, None, "unknown_symbol", bars())
VERSIONS = {"AAPL": 2, "HALT": 1, "MSFT": 3}


def read(content):
    table = pa.ipc.open_stream(content).read_all()
    return table, json.loads(table.schema.metadata[METADATA_KEY])


def test_a_panel_is_a_table_of_raw_bars():
    table, _ = read(encode(EDITION, 4, VERSIONS, [AAPL], None))
    assert {field.name: str(field.type) for field in table.schema} == {
        "session": "date32[day]",
        "symbol": "string",
        **dict.fromkeys(("open", "high", "low", "close"), "double"),
        "volume": "int64",
        "split_ratio": "double",
        "dividend": "double",
    }
    assert table.to_pylist()[1] == {
        "session": date(2026, 1, 12),
        "symbol": "AAPL",
        "open": 5.5,
        "high": 6.0,
        "low": 5.0,
        "close": 5.75,
        "volume": 7,
        "split_ratio": 2.0,
        "dividend": 0.31,
    }
    assert table["volume"][0].as_py() == 3_000_000_000_000


def test_a_panel_says_what_it_is_and_what_it_lacks():
    _, metadata = read(
        encode(EDITION, 4, VERSIONS, [AAPL, HALTED, UNKNOWN], ["AAPL", "HALT", "ZZZZ", "QQ"])
    )
    known = {"name": "Apple Inc.", "kind": "stock", "sector": "Technology", "industry": "Phones"}
    assert metadata == {
        "as_of": "2026-01-12",
        "panel_version": 4,
        "provider": "simulated",
        "model_version": "1",
        "sessions": ["2026-01-08", "2026-01-09", "2026-01-12"],
        "missing": {"HALT": "no_price", "ZZZZ": "unknown_symbol", "QQ": "not_loaded"},
        "column_versions": {"AAPL": 2, "HALT": 1, "MSFT": 3},
        "securities": {"AAPL": known, "HALT": known},
    }


def test_an_empty_panel_has_the_same_columns():
    table, metadata = read(encode(EDITION, 4, VERSIONS, [], ["AAPL"]))
    assert (table.num_rows, table.num_columns) == (0, 9)
    assert metadata["missing"] == {"AAPL": "not_loaded"}


def test_the_same_panel_is_the_same_bytes():
    assert encode(EDITION, 4, VERSIONS, [AAPL], None) == encode(EDITION, 4, VERSIONS, [AAPL], None)

"""The panel on the wire."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa

from marketdata.domain import (
    BAR,
    CURVE,
    TENORS,
    Dividend,
    Edition,
    PanelColumn,
    Profile,
    Snapshot,
    Source,
    Span,
)
from marketdata.schemas import rates
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


def snapshots(content):
    """Return what the second stream says."""
    reader = pa.BufferReader(content)
    pa.ipc.open_stream(reader).read_all()
    return pa.ipc.open_stream(reader).read_all()


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


def test_after_the_bars_comes_what_was_said_and_nothing_of_whom_nothing_was_said():
    declared = (Dividend(date(2026, 4, 1), 0.25), Dividend(date(2026, 7, 1), 0.26))
    share = replace(
        AAPL,
        snapshot=Snapshot(bid=5.74, ask=5.76, market_cap=3e12, beta=1.2, dividends=declared),
    )
    call = PanelColumn(
        "AAPL 2026-03-20 C 5",
        1,
        Profile("AAPL 2026-03-20 C 5", "AAPL call", "option", None, None, None, None),
        None,
        bars(),
        Snapshot(bid=0.0, ask=0.05, volume=3, open_interest=3_000_000_000, underlying_price=5.75),
    )
    unquoted = replace(call, symbol="AAPL 2026-03-20 P 5", snapshot=Snapshot())
    content = encode(EDITION, 4, VERSIONS, [share, call, unquoted, HALTED], None)
    table = snapshots(content)
    assert [row["symbol"] for row in table.to_pylist()] == ["AAPL", "AAPL 2026-03-20 C 5"]
    assert table.to_pylist()[0] == {
        "symbol": "AAPL",
        "bid": 5.74,
        "ask": 5.76,
        "market_cap": 3e12,
        "dividend_yield": None,
        "beta": 1.2,
        "volume": None,
        "open_interest": None,
        "underlying_price": None,
        "ex_dates": [date(2026, 4, 1), date(2026, 7, 1)],
        "dividends": [0.25, 0.26],
    }
    assert table.to_pylist()[1]["open_interest"] == 3_000_000_000
    assert table.to_pylist()[1]["ex_dates"] is None
    # An option is missing where nobody asks a price for it; it has no bars to miss.
    assert read(content)[1]["missing"] == {
        "AAPL 2026-03-20 P 5": "no_price",
        "HALT": "no_price",
    }


def test_rates_are_a_table_of_a_column_per_tenor_and_a_missing_one_is_null():
    curves = np.zeros(2, CURVE)
    curves["session"] = ["2026-01-09", "2026-01-12"]
    curves["rates"] = np.arange(2 * len(TENORS)).reshape(2, -1) / 1000
    curves["rates"][1, 0] = np.nan
    table, metadata = read(rates.encode(EDITION, 4, curves))
    assert table.column_names == ["session", *TENORS]
    assert table["10Y"].to_pylist() == [0.008, 0.019]
    assert table["1M"].to_pylist() == [0.0, None]
    assert metadata["years"]["3M"] == 0.25
    assert (metadata["as_of"], metadata["panel_version"]) == ("2026-01-12", 4)

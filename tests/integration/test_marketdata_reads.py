"""What people read of marketdata: quotes and company profiles."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.integration.marketdata_world import World, marketdata
from tests.support.market import FRIDAY, MONDAY, FakeMarket, book


@pytest.fixture
async def world(database, tmp_path) -> AsyncIterator[World]:
    async with marketdata(database, tmp_path, FakeMarket({"AAPL", "MSFT"})) as running:
        yield running


async def read(world: World, path: str, symbols: str | None):
    return await world.harness.http.get(
        f"/api/v1/data/{path}",
        params={} if symbols is None else {"symbols": symbols},
        headers=world.harness.neighbours.bearer(uuid4()),
    )


async def test_a_quote_is_the_newest_bar_and_says_that_it_is_simulated(world):
    await world.created(book(["AAPL", "ZZZZ"]))
    answer = (await read(world, "prices/quotes", "aapl,ZZZZ")).json()

    before, newest = world.market.history("AAPL", FRIDAY, MONDAY)
    change = float(newest["close"] - before["close"])
    assert answer["quotes"] == [
        {
            "symbol": "AAPL",
            "last_price": float(newest["close"]),
            "bid": None,
            "ask": None,
            "bid_size": None,
            "ask_size": None,
            "volume": int(newest["volume"]),
            "day_change": pytest.approx(change),
            "day_change_percent": pytest.approx(100 * change / float(before["close"]), abs=5e-5),
            "day_high": float(newest["high"]),
            "day_low": float(newest["low"]),
            "as_of": "2026-01-12",
            "timestamp": "2026-01-12T21:00:00Z",
            "provider": "simulated",
        }
    ]
    metadata = answer["metadata"]
    assert metadata["requested_symbols"] == ["AAPL", "ZZZZ"]
    assert (metadata["successful_quotes"], metadata["failed_quotes"]) == (1, 1)
    assert [missing["symbol"] for missing in metadata["missing"]] == ["ZZZZ"]
    assert metadata["provider"] == "simulated"


async def test_a_profile_has_what_is_known_and_null_for_the_rest(world):
    await world.created(book(["AAPL", "ZZZZ"]))
    answer = (await read(world, "company-profiles", "AAPL,ZZZZ")).json()

    [profile] = answer["profiles"]
    known = {name: value for name, value in profile.items() if value is not None}
    stamps = {known.pop(name) for name in ("last_updated", "created_at", "updated_at")}
    assert known == {
        "symbol": "AAPL",
        "company_name": "AAPL Inc.",
        "sector": "Technology",
        "industry": "Chips",
        "exchange": "NYSE",
        "country": "US",
        "is_etf": False,
        "is_fund": False,
        "data_source": "simulated",
    }
    assert stamps == {"2026-01-12T23:00:00Z"}
    assert len(profile) == 55  # as many as the contract names
    assert answer["meta"] == {
        "query_type": "symbols",
        "requested_symbols": ["AAPL", "ZZZZ"],
        "returned_profiles": 1,
        "missing_profiles": ["ZZZZ"],
        "as_of": "2026-01-12T23:00:00Z",
    }


@pytest.mark.parametrize("path", ["prices/quotes", "company-profiles"])
@pytest.mark.parametrize(
    ("symbols", "code"),
    [
        (None, "ERR_VALIDATION"),
        (" , ", "ERR_MARKET_002"),
        (",".join(f"S{number}" for number in range(501)), "ERR_MARKET_002"),
        ("MSFT,\0A", "ERR_MARKET_003"),
        ("A\x1b[1mB", "ERR_MARKET_003"),
    ],
    ids=["no parameter", "no symbol", "too many", "NUL", "escape sequence"],
)
async def test_a_query_names_one_to_500_symbols(world, path, symbols, code):
    answer = await read(world, path, symbols)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


@pytest.mark.parametrize("path", ["prices/quotes", "company-profiles"])
async def test_reads_need_an_account(world, path):
    answer = await world.harness.http.get(f"/api/v1/data/{path}?symbols=AAPL")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ERR_AUTH_001")

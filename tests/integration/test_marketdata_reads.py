"""What people read of marketdata: quotes and company profiles."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from common.errors import Unavailable
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
    said = world.market.said("AAPL", MONDAY)
    assert answer["quotes"] == [
        {
            "symbol": "AAPL",
            "last_price": float(newest["close"]),
            "bid": said.bid,
            "ask": said.ask,
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
    said = world.market.said("AAPL", MONDAY)
    assert known == {
        "symbol": "AAPL",
        "company_name": "AAPL Inc.",
        "sector": "Technology",
        "industry": "Chips",
        "exchange": "NYSE",
        "country": "US",
        "market_cap": said.market_cap,
        "dividend_yield": said.dividend_yield,
        "beta": said.beta,
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


async def get(world: World, path: str, **params: str):
    return await world.harness.http.get(
        f"/api/v1/data/{path}",
        params=params,
        headers=world.harness.neighbours.bearer(uuid4()),
    )


async def test_a_chain_is_what_the_provider_quotes_in_order_and_asked_for_once(world):
    answer = (await get(world, "options/aapl/chain")).json()
    assert (answer["underlying"], answer["as_of"]) == ("AAPL", "2026-01-12")
    assert answer["provider"] == "simulated"
    assert answer["expiries"] == ["2026-03-13"]
    terms = [(one["strike"], one["option_type"]) for one in answer["contracts"]]
    assert terms == [(strike, right) for strike in (90, 100, 110) for right in ("call", "put")]
    said = world.market.said("AAPL 2026-03-13 C 90", MONDAY)
    assert answer["contracts"][0] == {
        "symbol": "AAPL 2026-03-13 C 90",
        "expiry": "2026-03-13",
        "option_type": "call",
        "strike": 90,
        "bid": said.bid,
        "ask": said.ask,
        "volume": said.volume,
        "open_interest": said.open_interest,
        "underlying_price": said.underlying_price,
    }
    other = (await get(world, "options/AAPL/chain", expiry="2026-04-17")).json()
    assert (other["contracts"], other["expiries"]) == ([], answer["expiries"])
    assert world.market.chains_asked == [("AAPL", MONDAY)]


async def test_a_chain_of_an_older_session_is_that_of_the_last_close_up_to_the_day(world):
    answer = (await get(world, "options/AAPL/chain", as_of="2026-01-11")).json()
    assert answer["as_of"] == "2026-01-09"
    assert world.market.chains_asked == [("AAPL", FRIDAY)]


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("options/ZZZZ/chain", {}, 404, "ERR_MARKET_004"),
        ("options/A%07B/chain", {}, 422, "ERR_MARKET_003"),
        ("options/AAPL/chain", {"as_of": "2009-12-31"}, 422, "ERR_MARKET_005"),
        ("rates", {"as_of": "2009-12-31"}, 422, "ERR_MARKET_005"),
    ],
)
async def test_what_cannot_be_shown_is_refused_with_its_reason(world, path, params, status, code):
    answer = await get(world, path, **params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_provider_that_is_away_is_no_empty_chain(world):
    world.market.trouble = Unavailable("429")
    answer = await get(world, "options/AAPL/chain")
    assert answer.status_code == 503
    world.market.trouble = None
    assert (await get(world, "options/AAPL/chain")).status_code == 200


async def test_rates_are_not_there_before_prices_are_and_then_the_newest_up_to_a_day(world):
    nothing = (await get(world, "rates")).json()
    assert (nothing["available"], nothing["rates"]) == (False, [])
    assert "no rates are loaded" in nothing["reason"]

    await world.created(book(["AAPL"]))
    curves = await world.market.curves(FRIDAY, MONDAY)
    for params, curve in (({}, curves[1]), ({"as_of": "2026-01-11"}, curves[0])):
        answer = (await get(world, "rates", **params)).json()
        assert (answer["available"], answer["as_of"]) == (True, str(curve["session"]))
        assert [point["rate"] for point in answer["rates"]] == pytest.approx(curve["rates"])
    assert answer["rates"][0] == {
        "tenor": "1M",
        "years": pytest.approx(1 / 12),
        "rate": pytest.approx(curves[0]["rates"][0]),
    }

"""A published panel never changes, whatever comes after it."""

from collections.abc import AsyncIterator
from datetime import date

import pyarrow as pa
import pytest

from common.events.onboarding import PortfolioChanged
from tests.integration.marketdata_world import World, marketdata, read
from tests.support.market import FRIDAY, MONDAY, FakeMarket, book


@pytest.fixture
async def world(database, tmp_path) -> AsyncIterator[World]:
    async with marketdata(database, tmp_path, FakeMarket({"AAPL", "MSFT"})) as running:
        yield running


async def test_a_panel_keeps_its_bytes_when_symbols_and_sessions_come(world):
    held = book(["AAPL", "ZZZZ"])
    await world.created(held)
    await world.requested(held, as_of=FRIDAY)
    addresses = [(MONDAY, 1, None), (MONDAY, 1, "AAPL,MSFT,ZZZZ"), (FRIDAY, 1, None)]
    before = [await world.panel(*address) for address in addresses]

    world.market.listed.add("ZZZZ")
    more = book(["MSFT", "AAPL", "QQQQ"])
    await world.created(more)
    await world.requested(more, as_of=FRIDAY)
    await world.requested(held, as_of=date(2025, 12, 31))

    assert [await world.panel(*address) for address in addresses] == before


async def test_new_symbols_make_a_new_version_that_shows_the_old_columns_too(world):
    await world.created(book(["AAPL"]))
    await world.created(book(["MSFT"]))

    before, after = await world.metadata(MONDAY, 1), await world.metadata(MONDAY, 2)
    assert after["column_versions"] == {**before["column_versions"], "MSFT": 1}
    assert [event.panel_version for event in world.announced()] == [1, 2]


async def test_part_of_a_panel_tells_the_column_versions_of_all_of_it(world):
    await world.created(book(["AAPL", "ZZZZ"]))
    await world.created(book(["MSFT"]))
    for version in (1, 2):
        whole = await world.metadata(MONDAY, version)
        part = await world.metadata(MONDAY, version, "AAPL")
        assert part["column_versions"] == whole["column_versions"]
        assert set(part["column_versions"]) == set(whole["securities"])
        assert set(part["securities"]) == {"AAPL"}


async def test_a_session_more_is_another_panel_of_the_same_columns(world):
    held = book(["AAPL"])
    await world.created(held)
    await world.requested(held, as_of=FRIDAY)
    monday, friday = await world.metadata(MONDAY, 1), await world.metadata(FRIDAY, 1)
    assert monday["column_versions"] == friday["column_versions"]
    assert monday["sessions"][:-1] == friday["sessions"][1:]


async def test_a_new_model_is_loaded_anew_under_a_new_version(database, tmp_path):
    held, other = book(["AAPL"]), book(["MSFT"])
    async with marketdata(database, tmp_path, FakeMarket({"AAPL", "MSFT"})) as world:
        await world.created(held)
        await world.created(other)
        old = await world.panel(MONDAY, 2)
    async with marketdata(database, tmp_path, FakeMarket({"AAPL"}, model_version="2")) as world:
        await world.priced(PortfolioChanged(book=held), held)
        new = await world.panel(MONDAY, 3)
        assert await world.panel(MONDAY, 2) == old

    (old_bars, before), (new_bars, after) = read(old), read(new)
    assert (before["model_version"], after["model_version"]) == ("1", "2")
    assert (before["column_versions"]["AAPL"], after["column_versions"]["AAPL"]) == (1, 2)
    # A panel is of one model: what the new one was not asked for yet is not in it.
    assert "MSFT" not in after["column_versions"]
    closes = [
        bars.filter(pa.compute.field("symbol") == "AAPL")["close"] for bars in (old_bars, new_bars)
    ]
    assert closes[0] != closes[1]


async def test_a_longer_history_is_a_new_version_of_what_was_loaded_that_far_back(
    database, tmp_path
):
    held, other = book(["AAPL"]), book(["MSFT"])
    async with marketdata(database, tmp_path, FakeMarket({"AAPL", "MSFT"})) as world:
        await world.created(held)
        await world.created(other)
        before = await world.panel(MONDAY, 2)
    async with marketdata(database, tmp_path, FakeMarket({"AAPL", "MSFT"}), sessions=60) as world:
        await world.priced(PortfolioChanged(book=held), held)
        longer = await world.panel(MONDAY, 3)
        await world.priced(PortfolioChanged(book=other), other)
        assert await world.panel(MONDAY, 2) == before
        assert await world.panel(MONDAY, 3) == longer
        last = await world.metadata(MONDAY, 4)
    old, new = read(before)[1], read(longer)[1]
    assert (len(old["sessions"]), len(new["sessions"])) == (40, 60)
    assert (
        {**new["column_versions"], "MSFT": 1} == old["column_versions"] == last["column_versions"]
    )
    assert "MSFT" not in new["column_versions"]


async def test_some_symbols_can_be_read_by_address_or_by_list(world):
    await world.created(book(["AAPL"]))
    by_address = await world.panel(MONDAY, 1, "AAPL, SPY")
    by_list = await world.harness.http.post(
        f"/internal/panel/{MONDAY}/1",
        json={"symbols": ["AAPL", "SPY"]},
        headers=world.harness.internal,
    )
    assert by_list.content == by_address
    assert by_list.headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert set(read(by_address)[0]["symbol"].to_pylist()) == {"AAPL", "SPY"}


async def test_a_panel_may_be_kept_for_good(world):
    await world.created(book(["AAPL"]))
    address = f"/internal/panel/{MONDAY}/1?symbols=AAPL"
    first = await world.harness.http.get(address, headers=world.harness.internal)
    assert "immutable" in first.headers["cache-control"]
    again = await world.harness.http.get(
        address, headers={**world.harness.internal, "If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    other = await world.harness.http.get(f"{address},SPY", headers=world.harness.internal)
    assert other.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("address", ["2026-01-12/2", "2026-01-09/1"])
async def test_a_version_that_was_never_published_is_not_found(world, address):
    await world.created(book(["AAPL"]))
    answer = await world.harness.http.get(
        f"/internal/panel/{address}", headers=world.harness.internal
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ERR_MARKET_001")


@pytest.mark.parametrize("version", [-1, 2**31, 99999999999])
async def test_a_version_beyond_all_counting_is_refused(world, version):
    address = f"/internal/panel/{MONDAY}/{version}"
    read_whole = await world.harness.http.get(address, headers=world.harness.internal)
    read_part = await world.harness.http.post(
        address, json={"symbols": ["AAPL"]}, headers=world.harness.internal
    )
    for answer in (read_whole, read_part):
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "ERR_VALIDATION")


async def test_a_panel_is_not_asked_for_symbols_that_cannot_be(world):
    await world.created(book([]))
    address = f"/internal/panel/{MONDAY}/1"
    by_address = await world.harness.http.get(
        address, params={"symbols": "\0A"}, headers=world.harness.internal
    )
    by_list = await world.harness.http.post(
        address, json={"symbols": ["\0A"]}, headers=world.harness.internal
    )
    for answer in (by_address, by_list):
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "ERR_MARKET_003")


async def test_panels_are_for_services_only(world):
    await world.created(book(["AAPL"]))
    for headers in (
        {},
        {"X-Internal-Token": "guessed"},
        world.harness.neighbours.bearer(book([]).user_id),
    ):
        answer = await world.harness.http.get(f"/internal/panel/{MONDAY}/1", headers=headers)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "ERR_NOT_FOUND"

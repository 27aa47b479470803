"""A published panel never changes, whatever comes after it."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi import Response
from sqlalchemy import text

from common.calendar import session_back
from common.errors import Unavailable
from common.events.onboarding import PortfolioChanged
from marketdata.domain import TENORS
from tests.integration.marketdata_world import World, marketdata, read
from tests.support.market import FRIDAY, MONDAY, FakeMarket, book, option


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


async def test_a_panel_says_what_shares_and_held_options_are_quoted_at(world):
    sold = option("B", "MSFT", position_type="SP", quantity=-2, strike_price=Decimal("412.5"))
    expired = option("C", "AAPL", expiration_date=MONDAY)
    await world.created(book(["AAPL", option("A", "AAPL"), sold, expired, option("D", "ZZZZ")]))

    quoted = {row["symbol"]: row for row in snapshots(await world.panel(MONDAY, 1))}
    contracts = {symbol for symbol in quoted if " " in str(symbol)}
    assert contracts == {"AAPL 2029-01-19 C 100", "MSFT 2029-01-19 P 412.5"}
    for symbol in ("AAPL", "SPY", *contracts):
        said = world.market.said(symbol, MONDAY)
        assert quoted[symbol] == asdict(said) | {
            "symbol": symbol,
            "ex_dates": [one.ex_date for one in said.dividends] or None,
            "dividends": [one.amount for one in said.dividends] or None,
        }
    metadata = await world.metadata(MONDAY, 1)
    # Its quote is asked for with its panel; it is no column to keep.
    assert not contracts & set(metadata["column_versions"])
    assert not contracts & set(metadata["securities"])
    assert metadata["missing"] == {
        "ZZZZ": "unknown_symbol",
        "ZZZZ 2029-01-19 C 100": "unknown_symbol",
    }
    some = snapshots(await world.panel(MONDAY, 1, "SPY,MSFT 2029-01-19 P 412.5"))
    assert [row["symbol"] for row in some] == ["MSFT 2029-01-19 P 412.5", "SPY"]


async def test_what_is_said_later_is_not_in_the_panels_of_before(world):
    held = book([option("A", "AAPL")])
    await world.created(held)
    before = await world.panel(MONDAY, 1), await rates(world, MONDAY, 1)
    await world.created(book([option("B", "AAPL", strike_price=Decimal(90))]))
    await world.requested(held, as_of=FRIDAY)
    assert (await world.panel(MONDAY, 1), await rates(world, MONDAY, 1)) == before
    later = {row["symbol"] for row in snapshots(await world.panel(MONDAY, 2))}
    assert {"AAPL 2029-01-19 C 100", "AAPL 2029-01-19 C 90"} <= later
    friday = {row["symbol"]: row for row in snapshots(await world.panel(FRIDAY, 1))}
    assert friday["AAPL"]["bid"] == world.market.said("AAPL", FRIDAY).bid


async def test_a_panel_has_ten_years_of_rates(world):
    await world.created(held := book(["AAPL"]))
    table = pa.ipc.open_stream(await rates(world, MONDAY, 1)).read_all()
    assert len(table) == 2_600
    assert table["session"][-1].as_py() == MONDAY
    [curve] = await world.market.curves(MONDAY, MONDAY)
    newest = table.slice(len(table) - 1).to_pylist()[0]
    assert [newest[tenor] for tenor in TENORS] == curve["rates"].tolist()
    await world.requested(held, as_of=FRIDAY)
    # One session older at its beginning is all that the panel of Friday lacked.
    first = table["session"][0].as_py()
    assert (session_back(first, 1), first - timedelta(days=1)) in world.market.curves_asked


async def test_rates_that_came_late_are_in_a_new_panel(world):
    """Work that was given up has published a panel without them."""
    held = book(["AAPL"])
    await world.created(held)
    async with world.harness.service.unit_of_work.begin() as unit:
        await unit.connection.execute(text("DELETE FROM marketdata.curves_loaded"))
        await unit.connection.execute(text("DELETE FROM marketdata.curves"))
        await unit.connection.execute(text("UPDATE marketdata.panels SET curves_from = NULL"))
    empty = await rates(world, MONDAY, 1)
    assert len(pa.ipc.open_stream(empty).read_all()) == 0
    await world.created(book(["AAPL"]))
    assert [event.panel_version for event in world.announced()] == [1, 2]
    assert len(pa.ipc.open_stream(await rates(world, MONDAY, 2)).read_all()) == 2_600
    assert await rates(world, MONDAY, 1) == empty


async def test_a_curve_that_is_late_is_asked_for_again(world):
    world.market.without_curve = {MONDAY}
    await world.created(book(["AAPL"]))
    late = await rates(world, MONDAY, 1)
    shown = pa.ipc.open_stream(late).read_all()["session"]
    assert (len(shown), shown[-1].as_py()) == (2_599, FRIDAY)
    # Once for each preparation, not until it comes.
    asked = len(world.market.curves_asked)
    await world.created(book(["AAPL"]))
    assert world.market.curves_asked[asked:] == [(FRIDAY + timedelta(days=1), MONDAY)]
    assert [event.panel_version for event in world.announced()] == [1, 1]

    world.market.without_curve = set()
    await world.created(book(["AAPL"]))
    assert [event.panel_version for event in world.announced()] == [1, 1, 2]
    assert len(pa.ipc.open_stream(await rates(world, MONDAY, 2)).read_all()) == 2_600
    # What was published stays as it was.
    assert await rates(world, MONDAY, 1) == late
    await world.created(book(["AAPL"]))
    assert len(world.market.curves_asked) == asked + 2


async def test_a_panel_of_before_there_were_snapshots_stays_as_it_was(world):
    """As the migration leaves it: of the old format, its books' options not known."""
    held = book(["AAPL", option("A", "MSFT")])
    await world.created(held)
    address = f"GET /internal/books/{held.portfolio_id}/{held.revision}"
    answer = Response(held.model_dump_json(), media_type="application/json")
    world.harness.neighbours.answers[address] = lambda _request: answer
    async with world.harness.service.unit_of_work.begin() as unit:
        for statement in (
            "UPDATE marketdata.panels SET format = 1, curves_from = NULL",
            "UPDATE marketdata.holdings SET contracts = NULL",
            "DELETE FROM marketdata.snapshots",
            "DELETE FROM marketdata.panel_columns WHERE symbol LIKE '% %'",
        ):
            await unit.connection.execute(text(statement))
    before = await world.panel(MONDAY, 1)
    # Bars and nothing after them, as it was written then.
    reader = pa.BufferReader(before)
    bars = pa.ipc.open_stream(reader).read_all()
    assert (bars.num_rows > 0, reader.read()) == (True, b"")
    await world.requested(held, as_of=MONDAY)
    assert await world.panel(MONDAY, 1) == before
    new = {row["symbol"] for row in snapshots(await world.panel(MONDAY, 2))}
    assert {"AAPL", "MSFT 2029-01-19 C 100"} <= new


async def test_what_a_replica_of_before_announces_is_shown_as_it_counted(world):
    """While versions change: it takes what any format shows for shown, and writes its own."""
    await world.created(book(["AAPL"]))
    await world.created(book(["MSFT"]))
    async with world.harness.service.unit_of_work.begin() as unit:
        await unit.connection.execute(
            text("UPDATE marketdata.panels SET format = 1, curves_from = NULL WHERE version = 2")
        )
    metadata = await world.metadata(MONDAY, 2, "AAPL,MSFT")
    assert (set(metadata["securities"]), metadata["missing"]) == ({"AAPL", "MSFT"}, {})


async def test_what_was_silent_when_a_panel_was_published_stays_so_in_it(world):
    """Quotes hold prices up for some ten seconds, and no longer."""
    world.market.speechless = Unavailable("429")
    held = book(["AAPL", option("A", "AAPL")])
    assert (await world.created(held)).coverage == 1
    silent = await world.panel(MONDAY, 1)
    assert snapshots(silent) == []
    assert read(silent)[1]["missing"] == {"AAPL 2029-01-19 C 100": "no_price"}
    assert len(pa.ipc.open_stream(await rates(world, MONDAY, 1)).read_all()) == 0

    world.market.speechless = None
    await world.created(book(["AAPL", "MSFT"]))
    assert await world.panel(MONDAY, 1) == silent
    said = {row["symbol"] for row in snapshots(await world.panel(MONDAY, 2))}
    assert said == {"MSFT"}
    assert len(pa.ipc.open_stream(await rates(world, MONDAY, 2)).read_all()) == 2_600


async def test_what_the_provider_stumbles_over_costs_no_other(world):
    world.market.stumbles = {"AAPL 2029-01-19 C 100"}
    item = await world.created(book(["AAPL", "MSFT", option("A", "AAPL"), option("B", "MSFT")]))
    assert item.coverage == 1
    said = {row["symbol"] for row in snapshots(await world.panel(MONDAY, 1))}
    assert {"AAPL", "MSFT", "MSFT 2029-01-19 C 100", "SPY"} <= said
    assert not world.market.stumbles & said


def snapshots(content: bytes) -> list[dict[str, object]]:
    """Return what a panel says beside its bars."""
    reader = pa.BufferReader(content)
    pa.ipc.open_stream(reader).read_all()
    rows: list[dict[str, object]] = pa.ipc.open_stream(reader).read_all().to_pylist()
    return rows


async def rates(world: World, as_of: date, version: int) -> bytes:
    """Return the rates of a panel."""
    answer = await world.harness.http.get(
        f"/internal/panel/{as_of}/{version}/rates", headers=world.harness.internal
    )
    assert answer.status_code == 200, answer.text
    return answer.content


async def earlier(world: World, version: int, **wanted: Any):
    answer = await world.harness.http.post(
        f"/internal/panel/{MONDAY}/{version}/earlier", json=wanted, headers=world.harness.internal
    )
    assert answer.status_code == 200, answer.text
    return read(answer.content)


async def test_what_acted_on_shares_before_a_panel_is_told_as_far_back_as_bars_are_loaded(world):
    held = book(["AAPL"])
    await world.created(held)
    await world.requested(held, as_of=date(2025, 6, 2))
    oldest = session_back(date(2025, 6, 2), 39)
    first = date.fromisoformat((await world.metadata(MONDAY, 1))["sessions"][0])
    settled = session_back(first, 5)
    table, metadata = await earlier(
        world,
        1,
        symbols=["AAPL", "MSFT"],
        since=session_back(first, 100).isoformat(),
        sessions=[settled.isoformat()],
    )
    history = world.market.history("AAPL", session_back(first, 100), session_back(first, 1))
    acts = (history["split_ratio"] != 1) | (history["dividend"] != 0)
    expected = history[acts | (history["session"] == np.datetime64(settled))]
    assert len(expected) > 1 + acts.any()
    assert set(table.column("symbol").to_pylist()) == {"AAPL"}
    for name in ("session", "close", "split_ratio", "dividend"):
        np.testing.assert_array_equal(table.column(name).to_numpy(), expected[name], name)
    assert metadata["loaded_from"] == {"AAPL": oldest.isoformat()}
    assert metadata["first_session"] == first.isoformat()


async def test_nobody_but_a_service_is_told_what_came_before_a_panel(world):
    await world.created(book(["AAPL"]))
    address = f"/internal/panel/{MONDAY}/1/earlier"
    wanted = {"symbols": ["AAPL"], "since": "2025-01-02", "sessions": []}
    strange = await world.harness.http.post(address, json=wanted)
    own = await world.harness.http.post(address, json=wanted, headers=world.harness.internal)
    assert (strange.status_code, own.status_code) == (404, 200)
    gone = await world.harness.http.post(
        address.replace("/1/", "/9/"), json=wanted, headers=world.harness.internal
    )
    assert gone.status_code == 404

"""What every panel shows over ten years, and what its benchmark is made of."""

import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sqlalchemy import text

from common import calendar
from common.errors import Unavailable
from marketdata.clients.simulator import SimulatedMarket
from marketdata.domain import REFERENCE
from tests.integration.marketdata_world import World, marketdata, read, statements
from tests.support.market import AFTER_MONDAY, FRIDAY, MONDAY, FakeMarket, book

FIRST_PREPARATION = 25
SESSIONS = 60
"""Of the reference: twenty more than the panel's."""


@pytest.fixture
async def world(database, tmp_path) -> AsyncIterator[World]:
    market = FakeMarket({"AAPL", "MSFT"})
    async with marketdata(database, tmp_path, market, reference_sessions=SESSIONS) as running:
        yield running


async def test_a_reference_has_the_bars_of_more_sessions_that_end_with_those_of_the_panel(world):
    await world.created(book(["AAPL"]))
    table, metadata = read(await reference(world, MONDAY, 1))
    bars, panel = read(await world.panel(MONDAY, 1))

    assert metadata["sessions"][-len(panel["sessions"]) :] == panel["sessions"]
    assert len(metadata["sessions"]) == SESSIONS
    assert set(metadata["securities"]) == set(REFERENCE)
    assert table.num_rows == SESSIONS * len(REFERENCE)
    first = date.fromisoformat(panel["sessions"][0])
    recent = table.filter(pa.compute.field("session") >= first)
    shared = bars.filter(pa.compute.field("symbol") != "AAPL")
    assert recent.replace_schema_metadata() == shared.replace_schema_metadata()


async def test_a_reference_says_what_its_benchmark_is_made_of(world):
    await world.created(book(["AAPL"]))
    _, metadata = read(await reference(world, MONDAY, 1))
    assert metadata["benchmark"] == {
        "name": "SP500",
        "as_of": "2026-01-12",
        "weights": {"Technology": 0.12, "Energy": 0.88},
    }


async def test_a_reference_keeps_its_bytes_when_symbols_sessions_and_weights_come(world):
    world.market.listed.discard("XLRE")
    held = book(["AAPL"])
    await world.created(held)
    before = await reference(world, MONDAY, 1)
    assert read(before)[1]["missing"] == {"XLRE": "unknown_symbol"}

    world.market.listed.add("XLRE")
    await world.created(book(["MSFT"]))
    await world.requested(held, as_of=FRIDAY)
    assert await reference(world, MONDAY, 1) == before
    assert await reference(world, MONDAY, 2) == before
    friday = read(await reference(world, FRIDAY, 1))[1]
    assert (friday["as_of"], friday["benchmark"]["as_of"]) == ("2026-01-09", "2026-01-09")


async def test_it_is_loaded_once_and_then_a_session_a_night(database, tmp_path):
    now = [calendar.close_of(FRIDAY)]
    market, held = FakeMarket({"AAPL", "MSFT"}), book(["AAPL"])
    async with marketdata(
        database, tmp_path, market, reference_sessions=SESSIONS, clock=lambda: now[0]
    ) as world:
        await world.created(held)
        await world.created(book(["MSFT"]))
        now[0] = calendar.close_of(MONDAY)
        await world.requested(held, as_of=MONDAY)
    asked = [span for symbols, *span in market.bars_asked if "SPY" in symbols]
    first = calendar.session_back(FRIDAY, SESSIONS - 1)
    assert asked == [[first, FRIDAY], [date(2026, 1, 10), MONDAY]]
    assert market.benchmarks_asked == [FRIDAY, MONDAY]


async def test_the_same_reference_has_the_same_tag_in_every_panel(world):
    await world.created(book(["AAPL"]))
    first = await answer(world, f"{MONDAY}/1/reference")
    await world.created(book(["MSFT"]))
    second = await answer(world, f"{MONDAY}/2/reference", first.headers["etag"])
    assert (second.status_code, second.content) == (304, b"")
    assert "immutable" in second.headers["cache-control"]


async def test_a_reference_that_shows_more_has_another_tag(database, tmp_path):
    """A fund that the provider did not know is asked about again after a day."""
    now = [calendar.close_of(FRIDAY)]
    market, held = FakeMarket({"AAPL"}), book(["AAPL"])
    market.listed.discard("XLRE")
    async with marketdata(database, tmp_path, market, clock=lambda: now[0]) as world:
        await world.created(held)
        before = await answer(world, f"{FRIDAY}/1/reference")
        market.listed.add("XLRE")
        now[0] = AFTER_MONDAY
        await world.requested(held, as_of=FRIDAY)
        after = await answer(world, f"{FRIDAY}/2/reference", before.headers["etag"])
        again = await answer(world, f"{FRIDAY}/1/reference")
    assert (after.status_code, read(after.content)[1]["missing"]) == (200, {})
    assert (again.content, again.headers["etag"]) == (before.content, before.headers["etag"])


async def test_the_same_rates_have_the_same_tag_in_every_panel(world):
    await world.created(book(["AAPL"]))
    first = await answer(world, f"{MONDAY}/1/rates")
    await world.created(book(["MSFT"]))
    assert (await answer(world, f"{MONDAY}/2/rates", first.headers["etag"])).status_code == 304
    async with world.harness.service.unit_of_work.begin() as unit:
        await unit.connection.execute(
            text("UPDATE marketdata.panels SET curves_from = NULL WHERE version = 2")
        )
    assert (await answer(world, f"{MONDAY}/2/rates", first.headers["etag"])).status_code == 200


async def test_a_provider_without_a_benchmark_leaves_it_out_and_is_not_asked_again(world):
    world.market.weighs = False
    await world.created(book(["AAPL"]))
    world.market.weighs = True
    await world.created(book(["MSFT"]))
    for version in (1, 2):
        assert read(await reference(world, MONDAY, version))[1]["benchmark"] is None
    assert world.market.benchmarks_asked == [MONDAY]


async def test_a_benchmark_that_comes_too_late_is_in_no_panel_of_its_session(world):
    """Words hold prices up for some ten seconds, and what was published does not change."""
    world.market.speechless = Unavailable("429")
    assert (await world.created(book(["AAPL"]))).coverage == 1
    before = await reference(world, MONDAY, 1)
    world.market.speechless = None
    await world.created(book(["AAPL", "MSFT"]))
    assert await reference(world, MONDAY, 1) == before
    assert read(before)[1]["benchmark"] is None


async def test_a_panel_of_before_there_was_a_reference_has_an_empty_one(world):
    """As the migration leaves it; the next panel begins a new edition."""
    await world.created(book(["AAPL"]))
    whole = await world.panel(MONDAY, 1)
    async with world.harness.service.unit_of_work.begin() as unit:
        for statement in (
            "UPDATE marketdata.panels SET reference = NULL, reference_from = NULL",
            "DELETE FROM marketdata.benchmarks",
        ):
            await unit.connection.execute(text(statement))
    empty = await reference(world, MONDAY, 1)
    table, metadata = read(empty)
    assert (table.num_rows, metadata["sessions"], metadata["benchmark"]) == (0, [], None)

    await world.created(book(["AAPL"]))
    assert [event.panel_version for event in world.announced()] == [1, 2]
    assert (await world.panel(MONDAY, 1), await reference(world, MONDAY, 1)) == (whole, empty)
    assert read(await reference(world, MONDAY, 2))[0].num_rows == SESSIONS * len(REFERENCE)


async def test_a_panel_of_other_reference_symbols_is_of_another_edition(world):
    """A release that adds a fund to the reference: what was published does not show it."""
    await world.created(book(["AAPL"]))
    async with world.harness.service.unit_of_work.begin() as unit:
        await unit.connection.execute(
            text("UPDATE marketdata.panels SET reference = array_remove(reference, 'XLRE')")
        )
    before = await reference(world, MONDAY, 1)
    assert "XLRE" not in read(before)[1]["securities"]
    await world.created(book(["AAPL"]))
    assert await reference(world, MONDAY, 1) == before
    assert "XLRE" in read(await reference(world, MONDAY, 2))[1]["securities"]


async def test_a_longer_reference_is_loaded_at_its_older_end(database, tmp_path):
    held, market = book(["AAPL"]), FakeMarket({"AAPL"})
    async with marketdata(database, tmp_path, market) as world:
        await world.created(held)
        before = await reference(world, MONDAY, 1)
    market.bars_asked.clear()
    async with marketdata(database, tmp_path, market, reference_sessions=SESSIONS) as world:
        await world.created(book(["AAPL"]))
        assert await reference(world, MONDAY, 1) == before
        assert read(await reference(world, MONDAY, 2))[0].num_rows == SESSIONS * len(REFERENCE)
    [(symbols, first, _)] = market.bars_asked
    assert (frozenset(symbols), first) == (REFERENCE, calendar.session_back(MONDAY, SESSIONS - 1))


async def test_what_every_panel_shows_is_loaded_when_the_service_starts(database, tmp_path):
    market = FakeMarket({"AAPL"})
    async with marketdata(
        database, tmp_path, market, reference_sessions=SESSIONS, loads_ahead=True
    ) as world:
        await world.until("SELECT 1 FROM marketdata.snapshots")
        assert await world.rows("SELECT 1 FROM marketdata.panels") == []
        asked = market.asked()
        await world.created(book(["SPY"]))
        assert market.asked() == asked
        assert read(await reference(world, MONDAY, 1))[0].num_rows == SESSIONS * len(REFERENCE)


@pytest.mark.parametrize("trouble", [Unavailable("429"), ValueError("a bug")])
async def test_a_service_starts_whatever_its_provider_says(database, tmp_path, trouble):
    market = FakeMarket({"AAPL"}, trouble=trouble)
    async with marketdata(database, tmp_path, market, loads_ahead=True) as world:
        await world.harness.eventually(lambda: market.profiles_asked)
        market.trouble = None
        assert (await world.created(book(["AAPL"]))).coverage == 1


async def test_a_reference_costs_few_statements_however_long_it_is(world):
    with statements(world) as first:
        await world.created(book(["AAPL"]))
    # The reference's bars are two (and a copy, which is no statement here), the benchmark one.
    assert len(first) == FIRST_PREPARATION, "\n".join(one[:90] for one in first)
    with statements(world) as read_once:
        await reference(world, MONDAY, 1)
    # The panel, which columns it shows, their bars, and the benchmark.
    assert len(read_once) == 4, read_once


async def test_the_simulated_market_fills_it(database, tmp_path):
    async with marketdata(
        database, tmp_path, SimulatedMarket(), sessions=780, reference_sessions=2_600
    ) as world:
        await world.created(book(["AAPL"]))
        table, metadata = read(await reference(world, MONDAY, 1))
    assert metadata["missing"] == {}
    assert table.num_rows == 2_600 * len(REFERENCE)
    assert metadata["benchmark"]["as_of"] == "2025-12-31"
    assert sum(metadata["benchmark"]["weights"].values()) == pytest.approx(1, abs=1e-9)


async def test_references_are_for_services_only_and_of_published_panels(world):
    await world.created(book(["AAPL"]))
    unknown = await answer(world, f"{MONDAY}/2/reference")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "ERR_MARKET_001")
    stranger = await world.harness.http.get(f"/internal/panel/{MONDAY}/1/reference")
    assert stranger.json()["error"]["code"] == "ERR_NOT_FOUND"


async def answer(world: World, address: str, tag: str | None = None) -> Any:
    """Return what is answered about panels, to one who has what is tagged so."""
    headers = world.harness.internal | ({"If-None-Match": tag} if tag else {})
    return await world.harness.http.get(f"/internal/panel/{address}", headers=headers)


async def reference(world: World, as_of: date, version: int) -> bytes:
    """Return the reference of a panel."""
    answered = await answer(world, f"{as_of}/{version}/reference")
    assert answered.status_code == 200, answered.text
    content: bytes = answered.content
    return content


SHARES = frozenset({"BIG", "SMALL"})


async def test_a_cross_section_follows_the_reference_over_the_panel_s_own_sessions(
    database, tmp_path
):
    market = FakeMarket({"AAPL"}, cross_section=SHARES)
    async with marketdata(database, tmp_path, market, reference_sessions=SESSIONS) as world:
        await world.created(book(["AAPL"]))
        content = await reference(world, MONDAY, 1)
        bars, panel = read(await world.panel(MONDAY, 1))
        shares, said = read_second(content)
        assert set(said["securities"]) == SHARES
        assert (said["sessions"], said["missing"]) == (panel["sessions"], {})
        shown = bars.filter(pc.is_in(bars["symbol"], pa.array(sorted(SHARES))))
        assert shares.replace_schema_metadata() == shown.replace_schema_metadata()
        # Readers of before there was one see the reference alone.
        assert set(read(content)[1]["securities"]) == set(REFERENCE)


async def test_a_share_that_cannot_be_had_is_named_and_what_was_published_stays(database, tmp_path):
    market, held = FakeMarket({"AAPL"}, cross_section=SHARES), book(["AAPL"])
    market.listed.discard("SMALL")
    async with marketdata(database, tmp_path, market, reference_sessions=SESSIONS) as world:
        await world.created(held)
        before = await reference(world, MONDAY, 1)
        assert read_second(before)[1]["missing"] == {"SMALL": "unknown_symbol"}
        market.listed.add("SMALL")
        await world.created(book(["SMALL"]))
        assert await reference(world, MONDAY, 1) == before


async def test_another_cross_section_begins_an_edition_and_changes_no_panel_of_before(
    database, tmp_path
):
    held = book(["AAPL"])
    contents: list[bytes] = []
    for number, shares in enumerate((frozenset[str](), SHARES, SHARES - {"BIG"}), 1):
        market = FakeMarket({"AAPL"}, cross_section=shares)
        async with marketdata(database, tmp_path, market, reference_sessions=SESSIONS) as world:
            await (world.created(held) if number == 1 else world.requested(held, as_of=MONDAY))
            for version, before in enumerate(contents, 1):
                assert await reference(world, MONDAY, version) == before
            contents.append(await reference(world, MONDAY, number))
    assert read_second(contents[0]) is None
    assert [len(read_second(one)[1]["securities"]) for one in contents[1:]] == [2, 1]


def read_second(content: bytes) -> Any:
    """Return the second table of an answer with what it says of itself; None without one."""
    reader = pa.BufferReader(content)
    pa.ipc.open_stream(reader).read_all()
    if reader.tell() == reader.size():
        return None
    table = pa.ipc.open_stream(reader).read_all()
    return table, json.loads(table.schema.metadata[b"sigmasight"])

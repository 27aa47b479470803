"""From a book to prices that are ready, on real Postgres."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from starlette.responses import JSONResponse, Response

from common import calendar
from common.events.marketdata import (
    MissingSymbol,
    PricesIncomplete,
    PricesReady,
    SecuritiesEnriched,
)
from common.events.onboarding import PortfolioChanged, PortfolioCreated, PortfolioDeleted
from common.events.topology import TOPOLOGY
from marketdata.clients.simulator import SimulatedMarket
from marketdata.domain import REFERENCE
from marketdata.handlers import SUBSCRIPTIONS
from marketdata.tables import METADATA
from tests.integration.marketdata_world import World, marketdata, priced_in, read, run_for
from tests.support.market import (
    AFTER_MONDAY,
    FRIDAY,
    MONDAY,
    FakeMarket,
    book,
    closed,
    option,
    private,
)

UNKNOWN = "unknown_symbol"


@pytest.fixture
async def world(database, tmp_path) -> AsyncIterator[World]:
    market = FakeMarket({"AAPL", "MSFT", "NVDA", "AMD", "VIX"})
    async with marketdata(database, tmp_path, market) as running:
        yield running


def answered(world: World, held, answer) -> None:
    address = f"GET /internal/books/{held.portfolio_id}/{held.revision}"
    world.harness.neighbours.answers[address] = lambda _request: answer


def as_json(held) -> Response:
    return Response(held.model_dump_json(), media_type="application/json")


async def test_a_new_book_is_priced_in_the_run_and_for_the_owner_of_its_import(world):
    held, run_id = book(["AAPL", "MSFT", "SPY"]), uuid4()
    await world.created(held, run_id)

    [enriched] = world.harness.bus.events(SecuritiesEnriched)
    [ready] = world.harness.bus.events(PricesReady)
    assert enriched == SecuritiesEnriched(
        symbols=tuple(sorted({"AAPL", "MSFT", *REFERENCE})), provider="simulated"
    )
    assert (ready.as_of, ready.panel_version, ready.provider) == (MONDAY, 1, "simulated")
    assert [(item.coverage, item.symbols, item.missing) for item in ready.items] == [(1, 3, ())]
    assert {(sent.run_id, sent.user_id) for sent in world.harness.bus.published} == {
        (run_id, held.user_id)
    }


async def test_the_panel_holds_the_books_symbols_and_the_factor_etfs_with_their_raw_bars(world):
    await world.created(book(["AAPL"]))
    table, metadata = read(await world.panel(MONDAY, 1))
    sessions = calendar.sessions(calendar.session_back(MONDAY, 39), MONDAY)

    assert metadata["sessions"] == [session.isoformat() for session in sessions]
    assert sorted(metadata["securities"]) == sorted({"AAPL", *REFERENCE})
    assert table.num_rows == 40 * 30
    assert table.select(["symbol", "session"]).sort_by(
        [("symbol", "ascending"), ("session", "ascending")]
    ) == table.select(["symbol", "session"])
    of_apple = table.filter([symbol == "AAPL" for symbol in table["symbol"].to_pylist()])
    wanted = world.market.history("AAPL", sessions[0], MONDAY)
    for field in wanted.dtype.names:
        assert (of_apple[field].to_numpy() == wanted[field]).all(), field


async def test_a_panel_has_780_sessions_of_the_simulated_market(database, tmp_path):
    async with marketdata(database, tmp_path, SimulatedMarket(), sessions=780) as world:
        await world.created(book(["AAPL", option("VIX290117C00020000", "VIX")]))
        table, metadata = read(await world.panel(MONDAY, 1, "AAPL,VIX"))

    assert metadata["provider"] == "simulated"
    assert metadata["securities"]["VIX"]["kind"] == "index"
    assert (len(metadata["sessions"]), metadata["sessions"][-1]) == (780, MONDAY.isoformat())
    assert table.num_rows == 2 * 780
    assert set(table["session"].to_pylist()) == {
        date.fromisoformat(session) for session in metadata["sessions"]
    }


async def test_private_assets_and_closed_positions_are_not_priced(world):
    held = book(["AAPL", private("HOME_EQUITY"), closed("GME"), option("NVDA29", "NVDA")])
    item = await world.created(held)
    assert (item.coverage, item.symbols, item.missing) == (1, 2, ())
    assert not {"HOME_EQUITY", "GME", "NVDA29"} & {
        symbol for asked in world.market.profiles_asked for symbol in asked
    }


async def test_what_was_sold_after_the_opening_session_is_in_the_panel(world):
    item = await world.created(book([closed("AMD", on=MONDAY), closed("GME", on=FRIDAY)]))
    assert (item.coverage, item.symbols) == (1, 1)
    table, _ = read(await world.panel(MONDAY, 1, "AMD,GME"))
    assert FRIDAY in table["session"].to_pylist()
    assert set(table["symbol"].to_pylist()) == {"AMD"}


async def test_a_book_opened_at_a_close_that_is_yet_to_come_here_waits_for_it(database, tmp_path):
    now = [calendar.close_of(MONDAY) - timedelta(seconds=1)]
    market, held = FakeMarket({"AAPL"}), book(["AAPL"])
    held = held.model_copy(update={"opening_session": MONDAY})
    async with marketdata(database, tmp_path, market, clock=lambda: now[0]) as world:
        await world.harness.deliver(PortfolioCreated(book=held), user_id=held.user_id)
        await world.until("SELECT 1 FROM marketdata.work WHERE reason LIKE '%not closed yet'")
        assert (world.announced(), market.bars_asked) == ([], [])
        now[0] += timedelta(seconds=1)
        [ready] = await world.harness.eventually(world.announced)
        assert (ready.as_of, priced_in(ready)) == (MONDAY, [held.portfolio_id])


async def test_a_book_without_a_market_is_ready_with_no_coverage(world):
    item = await world.created(book([private("HOME_EQUITY")]))
    assert (item.coverage, item.symbols, item.missing) == (None, 0, ())
    assert len(world.harness.bus.events(PricesReady)) == 1


async def test_below_80_percent_prices_are_incomplete_and_the_unknown_is_named(world):
    item = await world.created(book(["AAPL", "MSFT", "NVDA", "YYYY", "ZZZZ"]))

    assert item.coverage == 0.6
    assert [(lack.symbol, lack.reason) for lack in item.missing] == [
        ("YYYY", UNKNOWN),
        ("ZZZZ", UNKNOWN),
    ]
    [enriched] = world.harness.bus.events(SecuritiesEnriched)
    assert enriched.unknown == ("YYYY", "ZZZZ")
    assert not world.harness.bus.events(PricesReady)
    [incomplete] = world.harness.bus.events(PricesIncomplete)
    metadata = await world.metadata(MONDAY, incomplete.panel_version, "AAPL,ZZZZ,QQQQ")
    assert metadata["missing"] == {"ZZZZ": UNKNOWN, "QQQQ": "not_loaded"}


async def test_at_80_percent_prices_are_ready_and_the_unknown_is_named(world):
    item = await world.created(book(["AAPL", "MSFT", "NVDA", "AMD", "ZZZZ"]))
    assert item.coverage == 0.8
    assert [(lack.symbol, lack.reason) for lack in item.missing] == [("ZZZZ", UNKNOWN)]
    assert len(world.harness.bus.events(PricesReady)) == 1


async def test_a_price_older_than_three_sessions_prices_nothing(world):
    world.market.delisted = {"AAPL": date(2026, 1, 7), "MSFT": date(2026, 1, 6)}
    item = await world.created(book(["AAPL", "MSFT"]))
    assert item.missing == (
        MissingSymbol(
            symbol="MSFT", reason="stale_price", message="Its last price is of 2026-01-06."
        ),
    )


async def test_a_second_book_of_loaded_symbols_asks_the_provider_nothing(world):
    await world.created(book(["AAPL", "MSFT"]))
    asked = (len(world.market.profiles_asked), len(world.market.bars_asked))
    await world.created(book(["MSFT"]))

    assert (len(world.market.profiles_asked), len(world.market.bars_asked)) == asked
    assert len(world.harness.bus.events(SecuritiesEnriched)) == 1
    assert {event.panel_version for event in world.announced()} == {1}


async def test_only_new_symbols_and_new_sessions_are_asked_for(world):
    held = book(["AAPL"])
    answered(world, held, as_json(held))
    await world.requested(held, as_of=FRIDAY)
    await world.requested(held, as_of=MONDAY)
    await world.created(book(["AAPL", "MSFT"]))

    every = tuple(sorted({"AAPL", *REFERENCE}))
    first, last = calendar.session_back(FRIDAY, 39), calendar.session_back(MONDAY, 39)
    assert world.market.bars_asked == [
        (every, first, FRIDAY),
        (every, date(2026, 1, 10), MONDAY),
        (("MSFT",), last, MONDAY),
    ]


async def test_a_run_on_an_earlier_session_loads_the_history_before(world):
    held = book(["AAPL"])
    await world.created(held)
    await world.requested(held, as_of=FRIDAY)

    first = calendar.session_back(FRIDAY, 39)
    assert world.market.bars_asked[1][1:] == (first, date(2025, 11, 12))
    assert (await world.metadata(FRIDAY, 1))["sessions"][0] == first.isoformat()


async def test_an_unknown_symbol_is_asked_about_again_after_a_day(database, tmp_path):
    now = [datetime(2026, 1, 9, 23, tzinfo=UTC)]
    market, held = FakeMarket(set()), book(["IPO"])
    async with marketdata(database, tmp_path, market, clock=lambda: now[0]) as world:
        first = await world.created(held)
        market.listed.add("IPO")
        [same_day] = await world.requested(held, as_of=FRIDAY)
        published = await world.panel(FRIDAY, 1)
        now[0] = AFTER_MONDAY
        [later] = await world.requested(held, as_of=FRIDAY)

        assert [first.coverage, same_day.coverage, later.coverage] == [0, 0, 1]
        assert [event.panel_version for event in world.announced()] == [1, 1, 2]
        assert (await world.metadata(FRIDAY, 2, "IPO"))["missing"] == {}
        # What was published of Friday still says what was known then.
        assert await world.panel(FRIDAY, 1) == published
        assert read(published)[1]["missing"] == {"IPO": UNKNOWN}


async def test_a_changed_book_is_priced_at_its_new_revision(world):
    held = book(["AAPL"])
    await world.created(held)
    changed = held.model_copy(update={"revision": 2, "positions": book(["MSFT"]).positions})
    [item] = await world.priced(PortfolioChanged(book=changed), changed)

    assert (item.revision, item.coverage) == (2, 1)
    assert await world.rows("SELECT revision, symbols FROM marketdata.holdings") == [(2, ["MSFT"])]
    assert {event.panel_version for event in world.announced()} == {1, 2}


async def test_a_late_older_revision_is_ignored_and_the_newer_one_priced(world):
    newer = book(["AAPL"], revision=5)
    await world.created(newer)
    late = newer.model_copy(update={"revision": 4, "positions": book(["ZZZZ"]).positions})
    [item] = await world.priced(PortfolioChanged(book=late), late)

    assert (item.revision, item.coverage) == (5, 1)
    assert await world.rows("SELECT revision, symbols FROM marketdata.holdings") == [(5, ["AAPL"])]


async def test_a_deleted_portfolio_is_not_priced_whatever_still_arrives(world):
    held = book(["AAPL"])
    deleted = PortfolioDeleted(portfolio_id=held.portfolio_id, user_id=held.user_id, revision=2)
    await world.harness.deliver(deleted)
    await world.harness.deliver(PortfolioCreated(book=held), user_id=held.user_id)
    await world.quiet()

    assert world.announced() == []
    assert await world.rows("SELECT revision, symbols, deleted FROM marketdata.holdings") == [
        (2, [], True)
    ]


async def test_a_book_too_large_for_its_event_is_fetched(world):
    held = book(["AAPL", "ZZZZ"])
    answered(world, held, as_json(held))
    item = await world.created(held.model_copy(update={"positions": None}))

    assert (item.coverage, item.symbols) == (0.5, 2)
    assert await world.rows("SELECT symbols FROM marketdata.holdings") == [(["AAPL", "ZZZZ"],)]


async def test_a_run_prices_books_that_marketdata_was_never_told_of(world):
    known, unknown = book(["AAPL"]), book(["MSFT"], revision=7)
    answered(world, unknown, as_json(unknown))
    await world.created(known)
    items = await world.requested(known, unknown, as_of=MONDAY)
    assert [(item.revision, item.coverage) for item in items] == [(1, 1), (7, 1)]


async def test_a_portfolio_that_is_gone_holds_up_no_other(world):
    alive, gone = book(["AAPL"]), book(["NVDA"])
    answered(world, gone, JSONResponse({"detail": "Not Found"}, 404))
    await world.created(alive)
    await world.harness.deliver(run_for(gone, alive, as_of=MONDAY))
    await world.quiet()
    assert [priced_in(event) for event in world.announced()] == [[alive.portfolio_id]] * 2


async def test_a_book_that_cannot_be_fetched_now_holds_up_no_other(world):
    here, there = book(["AAPL"]), book(["MSFT"])
    answered(world, there, JSONResponse({}, 503))
    await world.created(here)
    await world.harness.deliver(run_for(there, here, as_of=MONDAY))
    await world.harness.eventually(lambda: len(world.announced()) == 2)
    answered(world, there, as_json(there))
    await world.quiet()
    assert [priced_in(event) for event in world.announced()] == [
        [here.portfolio_id],
        [here.portfolio_id],
        [there.portfolio_id],
    ]


async def test_every_queue_pattern_has_its_handler():
    heard = {contract.routing_key() for contract, _ in SUBSCRIPTIONS}
    queue = TOPOLOGY.queue("marketdata")
    assert all(queue.wants(key) for key in heard)
    assert heard == {
        "portfolio.created.v1",
        "portfolio.changed.v1",
        "portfolio.deleted.v1",
        "run.requested.v1",
    }


async def test_the_migrated_schema_is_that_of_the_tables(world):
    async with world.harness.service.database.engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(
                    sync,
                    opts={
                        "include_schemas": True,
                        "include_name": lambda name, kind, _: (
                            kind != "schema" or name == "marketdata"
                        ),
                        "version_table_schema": "marketdata",
                    },
                ),
                METADATA,
            )
        )
    assert differences == []

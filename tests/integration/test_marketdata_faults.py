"""Repeats, races, kills and trouble: marketdata comes to the same end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import asyncpg
import pytest
from starlette.responses import Response

from common.errors import Unavailable
from common.events import Envelope
from common.events.marketdata import PricesIncomplete, PricesReady, SecuritiesEnriched
from common.events.onboarding import PortfolioChanged, PortfolioCreated
from common.retry import Retry
from common.work import Worker
from marketdata.domain import REFERENCE, holding_of
from marketdata.repository import Holdings
from tests.integration.marketdata_world import (
    World,
    marketdata,
    priced_in,
    read,
    run_for,
    statements,
)
from tests.support.market import MONDAY, FakeMarket, book, option

ITS_WORKERS_DIED = (
    f"UPDATE marketdata.work SET deaths = {Retry.deaths}, available_at = now() RETURNING id"
)
COUNT_BARS = "SELECT count(*), count(DISTINCT (symbol, session)) FROM marketdata.bars"


@pytest.fixture
async def world(database, tmp_path) -> AsyncIterator[World]:
    async with marketdata(database, tmp_path, FakeMarket({"AAPL", "MSFT"})) as running:
        yield running


async def test_a_repeated_delivery_changes_nothing(world):
    held = book(["AAPL"])
    message = PortfolioCreated(book=held)
    envelope = Envelope.of(message, producer="test", user_id=held.user_id)
    for _ in range(3):
        await world.harness.service.handle(envelope)
    await world.quiet()
    assert [priced_in(event) for event in world.announced()] == [[held.portfolio_id]]


async def test_the_same_preparation_again_announces_the_same_panel(world):
    held = book(["AAPL", "ZZZZ"])
    first = await world.created(held)
    panel, bars = await world.panel(MONDAY, 1), await world.rows(COUNT_BARS)
    [again] = await world.priced(PortfolioChanged(book=held), held)

    assert again == first
    assert {event.panel_version for event in world.announced()} == {1}
    assert (await world.panel(MONDAY, 1), await world.rows(COUNT_BARS)) == (panel, bars)
    assert len(world.harness.bus.events(SecuritiesEnriched)) == 1


async def test_two_workers_racing_give_every_version_one_meaning(database, tmp_path):
    symbols = [f"S{number}" for number in range(12)]
    books = [book([symbol, *symbols[:3]]) for symbol in symbols]
    market = FakeMarket(set(symbols))
    async with (
        marketdata(database, tmp_path, market) as one,
        marketdata(database, tmp_path, market) as two,
    ):
        await asyncio.gather(
            *(
                world.harness.deliver(PortfolioCreated(book=held), user_id=held.user_id)
                for world, held in zip([one, two] * 6, books, strict=True)
            )
        )
        await one.quiet()
        events = await one.harness.eventually(
            lambda: len(found := one.announced() + two.announced()) == 12 and found
        )
        held_by = {held.portfolio_id: set(holding_of(held).symbols or ()) for held in books}
        for announced in events:
            shown = await one.metadata(MONDAY, announced.panel_version)
            for item in announced.items:
                assert item.coverage == 1
                assert held_by[item.portfolio_id] <= set(shown["column_versions"])
        [(bars, distinct)] = await one.rows(COUNT_BARS)
        enriched = [
            symbol
            for world in (one, two)
            for added in world.harness.bus.events(SecuritiesEnriched)
            if isinstance(added, SecuritiesEnriched)
            for symbol in added.symbols
        ]
        assert bars == distinct == 40 * (12 + len(REFERENCE))
        assert len(enriched) == len(set(enriched)) == 12 + len(REFERENCE)


async def test_workers_that_fetched_the_same_bars_store_them_once(database, tmp_path):
    market = FakeMarket({"AAPL"})
    market.barrier = asyncio.Barrier(2)
    async with marketdata(database, tmp_path, market) as world:
        first, second = book(["AAPL"]), book(["AAPL"])
        for held in (first, second):
            await world.harness.deliver(PortfolioCreated(book=held), user_id=held.user_id)
        await world.harness.eventually(lambda: len(world.announced()) == 2)
        assert len(market.bars_asked) == 2
        assert await world.rows(COUNT_BARS) == [(40 * 30, 40 * 30)]
        assert {event.panel_version for event in world.announced()} == {1}


async def test_a_kill_between_load_and_finish_costs_nothing(database, tmp_path):
    market, held = FakeMarket({"AAPL"}), book(["AAPL", "ZZZZ"])
    async with held_back(database):
        async with marketdata(database, tmp_path, market) as world:
            await world.harness.deliver(PortfolioCreated(book=held), user_id=held.user_id)
            await world.until("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            assert await world.rows(COUNT_BARS) == [(40 * 30, 40 * 30)]
            assert await world.rows("SELECT version FROM marketdata.panels") == []
        assert world.announced() == []
    loaded = (len(market.profiles_asked), len(market.bars_asked))

    async with marketdata(database, tmp_path, market) as world:
        await world.harness.eventually(world.announced)
        [announced] = world.announced()
        assert (priced_in(announced), announced.panel_version) == ([held.portfolio_id], 1)
        assert read(await world.panel(MONDAY, 1))[0].num_rows == 40 * 30
    assert (len(market.profiles_asked), len(market.bars_asked)) == loaded == (1, 1)


async def test_a_provider_that_is_away_is_asked_again(world):
    world.market.trouble = Unavailable("the provider is down")
    held = book(["AAPL"])
    await world.harness.deliver(PortfolioCreated(book=held), user_id=held.user_id)
    await world.harness.eventually(lambda: world.market.profiles_asked)
    world.market.trouble = None
    await world.harness.eventually(lambda: world.harness.bus.events(PricesReady))


async def test_work_that_is_given_up_announces_what_there_is(world):
    here, there = book(["AAPL"]), book(["MSFT", "AAPL"])
    await world.created(here)
    world.market.trouble = Unavailable("the provider is down")
    await world.harness.deliver(PortfolioCreated(book=there), user_id=there.user_id)
    await world.until("SELECT 1 FROM marketdata.work WHERE reason IS NOT NULL")
    await world.rows(ITS_WORKERS_DIED)
    await world.harness.eventually(lambda: world.harness.bus.events(PricesIncomplete))

    [incomplete] = world.harness.bus.events(PricesIncomplete)
    [item] = incomplete.items
    assert (incomplete.panel_version, item.coverage) == (1, 0.5)
    assert [(lack.symbol, lack.reason) for lack in item.missing] == [("MSFT", "not_loaded")]
    assert await world.rows("SELECT died_at IS NOT NULL FROM marketdata.work") == [(True,)]


async def test_work_given_up_before_any_price_was_loaded_still_ends_its_run(world):
    held = book(["AAPL"])
    world.market.trouble = Unavailable("the provider is down")
    await world.harness.deliver(PortfolioCreated(book=held), user_id=held.user_id)
    await world.until("SELECT 1 FROM marketdata.work WHERE reason IS NOT NULL")
    await world.rows(ITS_WORKERS_DIED)
    await world.harness.eventually(lambda: world.harness.bus.events(PricesIncomplete))
    metadata = await world.metadata(MONDAY, 1, "AAPL")
    assert metadata["missing"] == {"AAPL": "not_loaded"}


async def test_a_book_that_was_fetched_is_announced_when_its_work_is_given_up(world):
    held = book(["AAPL", "MSFT"])
    answer = Response(held.model_dump_json(), media_type="application/json")
    address = f"GET /internal/books/{held.portfolio_id}/{held.revision}"
    world.harness.neighbours.answers[address] = lambda _request: answer
    world.market.trouble = Unavailable("the provider is down")
    await world.harness.deliver(run_for(held, as_of=MONDAY))
    await world.until("SELECT 1 FROM marketdata.work WHERE reason IS NOT NULL")
    await world.rows(ITS_WORKERS_DIED)
    [incomplete] = await world.harness.eventually(
        lambda: world.harness.bus.events(PricesIncomplete)
    )
    assert [(item.portfolio_id, item.coverage) for item in incomplete.items] == [
        (held.portfolio_id, 0)
    ]


async def test_a_book_that_onboarding_refuses_is_given_up_and_holds_up_no_other(
    database, tmp_path, monkeypatch
):
    """It was asked for again for a whole day."""
    quick = Retry(ladder=(0.01,))
    monkeypatch.setitem(Worker.__init__.__kwdefaults__ or {}, "retry", quick)
    good, bad = book(["AAPL"]), book(["MSFT"])
    answers = ((good, Response(good.model_dump_json())), (bad, Response("{}", 422)))
    async with marketdata(database, tmp_path, FakeMarket({"AAPL"})) as world:
        for held, answer in answers:
            address = f"GET /internal/books/{held.portfolio_id}/{held.revision}"
            world.harness.neighbours.answers[address] = lambda _request, answer=answer: answer
        await world.harness.deliver(run_for(good, bad, as_of=MONDAY))
        [ready] = await world.harness.eventually(lambda: world.harness.bus.events(PricesReady))
        assert priced_in(ready) == [good.portfolio_id]
        await world.until("SELECT 1 FROM marketdata.work WHERE died_at IS NOT NULL")
        assert await world.rows("SELECT attempts, reason FROM marketdata.work") == [
            (3, "Refused: onboarding answered 422 about a book")
        ]


async def test_a_run_for_a_session_before_the_calendar_is_refused(world):
    with pytest.raises(ValueError, match="2009"):
        await world.harness.deliver(run_for(book([]), as_of=date(2009, 6, 1)))


async def test_many_loaded_books_cost_few_statements_and_no_question(world):
    books = [book(["AAPL", "MSFT"]) for _ in range(200)]
    async with world.harness.service.unit_of_work.begin() as unit:
        await Holdings(unit).keep([holding_of(held) for held in books])
    await world.created(book(["AAPL", "MSFT"]))
    asked = world.market.asked()

    with statements(world) as executed:
        items = await world.requested(*books, as_of=MONDAY)

    assert {item.coverage for item in items} == {1}
    assert world.market.asked() == asked
    # Holdings, columns to plan, columns to announce.
    assert len(executed) == 3, executed


async def test_loading_new_symbols_costs_statements_by_the_hundred_symbols(world):
    symbols = [f"N{number}" for number in range(150)]
    world.market.listed |= set(symbols)
    options = [option(f"O{n}", "AAPL", strike_price=n) for n in range(1, 99)]
    await world.created(book(["AAPL"]))  # brings the session's rates
    with statements(world) as executed:
        await world.created(book([*symbols, *options]))
    # Per hundred symbols: lock the rows, move their ranges (and copy, which is no statement here).
    assert len(executed) <= 20, "\n".join(one[:90] for one in executed)


@asynccontextmanager
async def held_back(database) -> AsyncIterator[None]:
    """Let nobody publish a panel of Monday."""
    connection = await asyncpg.connect(database.url)
    try:
        key = f"marketdata.panels:{MONDAY}"
        await connection.execute("SELECT pg_advisory_lock(hashtext($1))", key)
        yield
    finally:
        await connection.close()

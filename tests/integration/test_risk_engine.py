"""From books and prices, in any order, to results: the risk engine on a real database."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import text

from common.dead_letters.api import PATH as LETTERS
from common.errors import Unavailable
from common.events.catalogue import EVENTS
from common.events.marketdata import PricesIncomplete
from common.events.onboarding import PortfolioDeleted
from common.events.risk_engine import CalculationFailed, CalculationProgressed, RiskCalculated
from common.events.topology import TOPOLOGY
from risk_engine.domain import ENGINES
from risk_engine.handlers import SUBSCRIPTIONS
from risk_engine.tables import METADATA
from tests.support.harness import Harness, running
from tests.support.risk_engine import (
    ADA,
    AS_OF,
    Marketdata,
    book,
    ended,
    event,
    position,
    prices_ready,
    service,
)
from tests.support.schemas import assert_migrated


@pytest.fixture
async def engine(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("risk-engine", service, database, tmp_path) as harness:
        yield harness


@pytest.fixture
def market(engine: Harness) -> Marketdata:
    marketdata = Marketdata({"ACME": 12.0, "BOLT": 50.0})
    marketdata.publish(engine.neighbours)
    return marketdata


async def report(engine: Harness, of, user_id=ADA):
    return await engine.http.get(
        f"/api/v1/analytics/portfolio/{of.portfolio_id}/report",
        headers=engine.neighbours.bearer(user_id),
    )


async def count(engine: Harness, table: str):
    async with engine.service.database.engine.connect() as connection:
        found = await connection.execute(text(f"SELECT count(*) FROM risk_engine.{table}"))
        return found.scalar_one()


async def work_is_done(engine: Harness) -> None:
    while await count(engine, "work"):
        await asyncio.sleep(0.01)


async def test_a_book_and_its_prices_become_a_report(engine, market):
    account, run_id = book(position("ACME", 100), position("BOLT", -20, "45")), uuid4()
    await engine.deliver(event(account), user_id=ADA, run_id=run_id)
    await engine.deliver(prices_ready(account), run_id=run_id)

    (calculated,) = await engine.eventually(ended(engine, RiskCalculated))
    assert calculated.engines.keys() == set(ENGINES)
    assert calculated.engines["valuation"] == "ok"
    assert calculated.net_asset_value == 10_000
    told = [one for one in engine.bus.published if one.name == RiskCalculated.NAME]
    assert (told[0].run_id, told[0].user_id) == (run_id, ADA)
    (progressed,) = engine.bus.events(CalculationProgressed)
    assert (progressed.stage, progressed.done, progressed.total) == ("valuation", 0, len(ENGINES))

    answer = (await report(engine, account)).json()
    assert answer["available"]
    assert not answer["stale"]
    assert answer["as_of"] == AS_OF.isoformat()
    assert (answer["panel_version"], answer["book_revision"]) == (1, 1)
    totals = answer["engines"]["valuation"]["totals"]
    # 100 x 12 long, 20 x 50 short: cash is what is left of 10,000.
    assert totals["long_market_value"] == 1_200
    assert totals["short_market_value"] == -1_000
    assert totals["cash"] == 9_800
    assert totals["unrealized_pnl"] == 200 - 100
    # A row for every session since the opening, four before.
    assert [one["net_asset_value"] for one in answer["snapshots"]] == [10_000] * 5
    assert await count(engine, "work") == 0


@pytest.mark.parametrize("error", [Unavailable("away"), RuntimeError("of whatever kind")])
async def test_a_start_that_cannot_be_announced_does_not_hold_up_the_calculation(
    engine, market, monkeypatch, error
):
    publish, refused = engine.bus.publish, 0

    async def publish_results(envelopes):
        nonlocal refused
        if any(one.name == CalculationProgressed.NAME for one in envelopes):
            refused += 1
            raise error
        await publish(envelopes)

    monkeypatch.setattr(engine.bus, "publish", publish_results)
    account = book(position("ACME", 100))
    await engine.deliver(event(account), user_id=ADA)
    await engine.deliver(prices_ready(account), run_id=uuid4())
    await engine.eventually(ended(engine, RiskCalculated))
    await work_is_done(engine)
    assert refused == 1


async def test_prices_that_come_before_their_book_wait_for_it(engine, market):
    account, run_id = book(position("ACME", 100)), uuid4()
    await engine.deliver(prices_ready(account), run_id=run_id)
    assert (await count(engine, "waiting"), await count(engine, "work")) == (1, 0)
    await engine.deliver(event(account), run_id=uuid4())

    await engine.eventually(ended(engine, RiskCalculated))
    told = [one for one in engine.bus.published if one.name == RiskCalculated.NAME]
    assert told[0].run_id == run_id, "the run is the prices', not the book's"
    assert await count(engine, "waiting") == 0


async def test_a_newer_book_supersedes_the_prices_that_waited_for_an_older_one(engine, market):
    first = book(position("ACME", 100))
    third = book(position("ACME", 300), portfolio_id=first.portfolio_id, revision=3)
    await engine.deliver(event(first))
    second = first.model_copy(update={"revision": 2})
    run_id = uuid4()
    await engine.deliver(prices_ready(second), run_id=run_id)
    await engine.deliver(event(third))

    (failed,) = await engine.eventually(ended(engine, CalculationFailed))
    assert (failed.reason, failed.revision) == ("superseded", 2)
    told = [one for one in engine.bus.published if one.name == CalculationFailed.NAME]
    assert (told[0].run_id, told[0].user_id) == (run_id, ADA)
    assert await count(engine, "work") == 0


async def test_prices_of_an_older_revision_are_superseded(engine, market):
    second = book(position("ACME", 100), revision=2)
    await engine.deliver(event(second))
    await engine.deliver(prices_ready(second.model_copy(update={"revision": 1})))

    (failed,) = await engine.eventually(ended(engine, CalculationFailed))
    assert (failed.reason, failed.revision, failed.as_of) == ("superseded", 1, AS_OF)


async def test_a_late_book_is_ignored(engine, market):
    first = book(position("ACME", 100))
    second = book(position("ACME", 200), portfolio_id=first.portfolio_id, revision=2)
    await engine.deliver(event(second))
    await engine.deliver(event(first))
    await engine.deliver(prices_ready(second))

    await engine.eventually(ended(engine, RiskCalculated))
    answer = (await report(engine, second)).json()
    assert answer["engines"]["valuation"]["positions"][0]["quantity"] == 200


async def test_deliveries_repeated_change_nothing(engine, market):
    account = book(position("ACME", 100))
    heard = await engine.deliver(event(account))
    priced = await engine.deliver(prices_ready(account))
    await engine.eventually(ended(engine, RiskCalculated))
    for envelope in (heard, priced, heard, priced):
        await engine.service.handle(envelope)

    await work_is_done(engine)
    assert len(engine.bus.events(RiskCalculated)) == 1
    assert await count(engine, "results") == len(ENGINES)


async def test_an_older_panel_does_not_replace_a_newer_result(engine, market):
    account = book(position("ACME", 100), position("BOLT", 1))
    market.closes["ACME"] = 15.0
    market.versions["ACME"] = 2
    market.publish(engine.neighbours, panel_version=2)
    await engine.deliver(event(account))
    await engine.deliver(prices_ready(account, panel_version=2))
    await engine.eventually(ended(engine, RiskCalculated))
    await engine.deliver(prices_ready(account, panel_version=1))

    (failed,) = await engine.eventually(ended(engine, CalculationFailed))
    assert failed.reason == "superseded"
    answer = (await report(engine, account)).json()
    assert answer["panel_version"] == 2
    assert answer["engines"]["valuation"]["positions"][0]["market_price"] == 15
    assert await count(engine, "snapshots") == 5


async def test_the_same_inputs_again_give_the_same_bytes(engine, market):
    account = book(position("ACME", 100))
    await engine.deliver(event(account))
    stored = []
    for times in (1, 2):
        await engine.deliver(prices_ready(account))
        await engine.eventually(ended(engine, RiskCalculated, times))
        async with engine.service.database.engine.connect() as connection:
            found = await connection.execute(
                text("SELECT engine, packed, input_hash FROM risk_engine.results ORDER BY engine")
            )
            stored.append(found.all())
    assert stored[0] == stored[1]


async def test_a_deleted_portfolio_leaves_only_its_tombstone(engine, market):
    account = book(position("ACME", 100))
    await engine.deliver(event(account))
    await engine.deliver(prices_ready(account))
    await engine.eventually(ended(engine, RiskCalculated))
    await engine.deliver(prices_ready(account.model_copy(update={"revision": 2})))
    await engine.deliver(
        PortfolioDeleted(portfolio_id=account.portfolio_id, user_id=ADA, revision=3)
    )
    await engine.deliver(event(account.model_copy(update={"revision": 2})))

    assert (await report(engine, account)).status_code == 404
    for table in ("results", "failures", "snapshots", "openings", "waiting"):
        assert await count(engine, table) == 0
    await engine.deliver(prices_ready(account))
    waited, late = await engine.eventually(ended(engine, CalculationFailed, 2))
    assert waited.reason == late.reason == "superseded"


async def test_one_bad_book_does_not_spoil_its_chunk(engine, market):
    good, foreign = book(position("ACME", 100)), book(position("ACME", 5), currency="CHF")
    broken = book(position("BOLT", 5))
    for one in (good, foreign, broken):
        await engine.deliver(event(one))
    async with engine.service.database.engine.begin() as connection:
        await connection.execute(
            text("UPDATE risk_engine.books SET positions = '[{}]' WHERE portfolio_id = :id"),
            {"id": broken.portfolio_id},
        )
    await engine.deliver(prices_ready(good, foreign, broken))

    (calculated,) = await engine.eventually(ended(engine, RiskCalculated))
    assert calculated.portfolio_id == good.portfolio_id
    reasons = {one.portfolio_id: one.reason for one in engine.bus.events(CalculationFailed)}
    assert reasons == {
        foreign.portfolio_id: "unsupported_currency",
        broken.portfolio_id: "engine_error",
    }
    answer = (await report(engine, foreign)).json()
    assert (answer["available"], answer["reason"]) == (False, "calculation_failed")
    assert answer["failed"]["valuation"]["reason"] == "unsupported_currency"


async def test_what_was_known_stands_when_a_later_calculation_fails(engine, market):
    first = book(position("ACME", 100))
    await engine.deliver(event(first))
    await engine.deliver(prices_ready(first))
    await engine.eventually(ended(engine, RiskCalculated))
    second = first.model_copy(update={"revision": 2, "currency": "CHF"})
    await engine.deliver(event(second))
    stale = (await report(engine, first)).json()
    assert (stale["available"], stale["stale"], stale["reason"]) == (True, True, "book_changed")

    await engine.deliver(prices_ready(second))
    await engine.eventually(ended(engine, CalculationFailed))
    answer = (await report(engine, first)).json()
    assert (answer["available"], answer["reason"]) == (True, "calculation_failed")
    assert (answer["book_revision"], answer["net_asset_value"]) == (1, 10_000)

    third = first.model_copy(update={"revision": 3})
    await engine.deliver(event(third))
    await engine.deliver(prices_ready(third))
    await engine.eventually(ended(engine, RiskCalculated, 2))
    answer = (await report(engine, first)).json()
    assert (answer["stale"], answer["failed"], answer["book_revision"]) == (False, {}, 3)


async def test_incomplete_prices_give_a_partial_result(engine, market):
    account = book(position("ACME", 100), position("NOPE", 10))
    await engine.deliver(event(account))
    await engine.deliver(PricesIncomplete(**prices_ready(account).model_dump()))

    (calculated,) = await engine.eventually(ended(engine, RiskCalculated))
    assert calculated.status == "partial"
    (unpriced,) = (await report(engine, account)).json()["engines"]["valuation"]["unpriced"]
    assert (unpriced["symbol"], unpriced["reason"]) == ("NOPE", "not listed")


async def test_a_panel_that_is_gone_fails_the_item_with_its_reason(engine, market):
    account = book(position("ACME", 100))
    market.status = 404
    await engine.deliver(event(account))
    await engine.deliver(prices_ready(account))

    (failed,) = await engine.eventually(ended(engine, CalculationFailed))
    assert failed.reason == "panel_gone"
    assert await count(engine, "work") == 0


async def test_work_waits_for_marketdata_that_is_away(engine, market):
    account = book(position("ACME", 100))
    market.status = 503
    await engine.deliver(event(account))
    await engine.deliver(prices_ready(account))
    await engine.eventually(lambda: market.asked)
    market.status = 200

    await engine.eventually(ended(engine, RiskCalculated))
    assert engine.bus.events(CalculationFailed) == []


async def test_a_book_too_large_for_its_event_is_fetched_once(engine, market):
    account = book(position("ACME", 100))
    address = f"/internal/books/{account.portfolio_id}/1"
    engine.neighbours.answers[f"GET {address}"] = account.model_dump(mode="json")
    await engine.deliver(event(account.model_copy(update={"positions": None})))
    for times in (1, 2):
        await engine.deliver(prices_ready(account))
        await engine.eventually(ended(engine, RiskCalculated, times))

    asked = [one for one in engine.neighbours.requests if one.url.path == address]
    assert len(asked) == 1
    assert (await report(engine, account)).json()["net_asset_value"] == 10_000


async def test_a_large_book_that_was_replaced_meanwhile_is_superseded(engine, market):
    account = book(position("ACME", 100))
    await engine.deliver(event(account.model_copy(update={"positions": None})))
    await engine.deliver(prices_ready(account))

    (failed,) = await engine.eventually(ended(engine, CalculationFailed))
    assert failed.reason == "superseded"


async def test_a_book_of_nothing_that_is_priced_is_carried_at_cost(engine, market):
    account = book(position("A house", 1, "3000", investment_class="PRIVATE"))
    await engine.deliver(event(account))
    await engine.deliver(prices_ready(account))

    (calculated,) = await engine.eventually(ended(engine, RiskCalculated))
    assert calculated.net_asset_value == 10_000
    valuation = (await report(engine, account)).json()["engines"]["valuation"]
    assert valuation["totals"]["carried_value"] == 3_000
    assert valuation["unpriced"][0]["reason"] == "private_asset"


async def test_the_opening_cash_is_kept_for_when_the_panel_no_longer_reaches_it(engine, market):
    account = book(position("ACME", 100))
    await engine.deliver(event(account))
    await engine.deliver(prices_ready(account))
    await engine.eventually(ended(engine, RiskCalculated))
    async with engine.service.database.engine.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM risk_engine.openings"))).one()
    assert (row.portfolio_id, row.session) == (account.portfolio_id, account.opening_session)
    assert row.opening_cash == 8_800


async def test_the_stored_opening_cash_follows_the_stated_equity_once(engine, market):
    account = book(position("ACME", 100))
    await engine.deliver(event(account))
    await engine.deliver(prices_ready(account))
    await engine.eventually(ended(engine, RiskCalculated))
    restated = account.model_copy(
        update={"revision": 2, "equity_balance": account.equity_balance + Decimal("250.25")}
    )

    async def opening_cash() -> Decimal:
        async with engine.service.database.engine.connect() as connection:
            found = await connection.execute(text("SELECT opening_cash FROM risk_engine.openings"))
            return Decimal(found.scalar_one())

    # The positions were worth 1,200 of 10,000 at the opening, and still were of 10,250.25; older
    # news and a repeat change nothing.
    for news in (restated, restated, account):
        await engine.deliver(event(news))
        assert await opening_cash() == Decimal("9050.25")
    await engine.deliver(prices_ready(restated))
    calculated = await engine.eventually(ended(engine, RiskCalculated, 2))
    assert calculated[-1].net_asset_value == 10_250.25
    assert await opening_cash() == Decimal("9050.25")


async def test_the_migrated_schema_is_the_one_the_code_describes(engine):
    await assert_migrated(engine.service.database, METADATA)


def test_the_subscriptions_are_what_the_queue_hears():
    heard = {contract.routing_key() for contract, _ in SUBSCRIPTIONS}
    queue = TOPOLOGY.queue("risk-engine")
    assert all(queue.wants(key) for key in heard)
    assert {one.routing_key() for one in EVENTS if queue.wants(one.routing_key())} == heard


async def test_work_that_was_given_up_brings_its_result_when_it_is_redriven(engine, market):
    """Marketdata sent no panel but junk: three attempts, then a letter of the work table."""
    account, run_id = book(position("ACME", 100)), uuid4()
    panel = f"GET /internal/panel/{AS_OF}/1"
    good, engine.neighbours.answers[panel] = engine.neighbours.answers[panel], {"no": "panel"}
    await engine.deliver(event(account), user_id=ADA, run_id=run_id)
    await engine.deliver(prices_ready(account), run_id=run_id)
    (failed,) = await engine.eventually(ended(engine, CalculationFailed), seconds=30)
    assert failed.reason == "given_up"

    listed = (await engine.http.get(LETTERS, headers=engine.internal)).json()
    [group] = listed["groups"]
    assert (group["name"], group["count"], group["most_attempts"]) == ("calculate", 1, 3)
    within = listed["letters"][0]["id"].removeprefix("work:risk-engine:")
    letter = (await engine.http.get(f"{LETTERS}/{within}", headers=engine.internal)).json()
    assert letter["run_id"] == str(run_id)
    assert letter["payload"]["items"][0]["portfolio_id"] == str(account.portfolio_id)
    assert "ArrowInvalid" in letter["reason"]

    engine.neighbours.answers[panel] = good
    again = {"group": group["id"]}
    moved = await engine.http.post(f"{LETTERS}/redrive", json=again, headers=engine.internal)
    assert moved.json() == {"moved": 1}
    await engine.eventually(ended(engine, RiskCalculated))
    told = [one for one in engine.bus.published if one.name == RiskCalculated.NAME]
    assert told[0].run_id == run_id, "it belongs to the flow that it failed"
    assert (await report(engine, account)).json()["net_asset_value"] == 10_000
    moved = await engine.http.post(f"{LETTERS}/redrive", json=again, headers=engine.internal)
    assert moved.json() == {"moved": 0}
    assert await count(engine, "work") == 0

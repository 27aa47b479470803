"""The checker of invariants finds nothing in a sound system, and everything that is planted."""

import random
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from common.bus import Bus
from common.bus.connect import connect
from common.db import dsn, parse_url, role_name, role_password
from common.events import Envelope
from common.events.topology import TOPOLOGY
from tests.support.crowd import Crowd, a_day
from tests.support.databases import ROLE_SECRET, FreshDatabase, copied_database, fresh_database
from tests.support.invariants import (
    KEPT,
    QUEUES,
    STREAMS,
    Heard,
    Promised,
    at_rest,
    broken_invariants,
    broken_laws,
)
from tests.support.laws import DRAINED, LAWS, PRICES, REPLICAS, RESULTS, RUNS, TOLD
from tests.support.system import ROOT, System

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

CURRENT, NO_OLDER, SNAPSHOT, OPENING, NO_FAILURE = (law.sentence for law in RESULTS)
BOOKS, NEWEST = (law.sentence for law in REPLICAS)
OUTBOX, WORK = (law.sentence for law in DRAINED)
ENDED, OUTCOMES, IMPORTS = (law.sentence for law in RUNS)
GAPS, TWICE, STEPS, LATEST = (law.sentence for law in TOLD)
(PANELS,) = (law.sentence for law in PRICES)

A_ROW_OF_WORK = (
    "(id, kind, payload, cause, expires_at) VALUES (gen_random_uuid(), 'x', '{}', '{}', now())"
)
A_FAILURE = (
    "INSERT INTO risk_engine.failures SELECT portfolio_id, engine, revision, as_of, "
    "panel_version, 'given_up', '', now() FROM risk_engine.results"
)
ANOTHER_QUANTITY = (
    "UPDATE risk_engine.books SET positions = "
    """replace(positions::text, '"quantity":"10"', '"quantity":"11"')::json"""
)
ANOTHER_OWNER = (
    "INSERT INTO gateway.portfolios (portfolio_id, user_id, revision) "
    "VALUES (gen_random_uuid(), gen_random_uuid(), 1)"
)
WAITING_PRICES = (
    "INSERT INTO risk_engine.waiting (portfolio_id, revision, as_of, panel_version, cause) "
    "VALUES (gen_random_uuid(), 1, '2024-01-02', 1, '{}')"
)
THE_FIRST_EVENT_AGAIN = (
    "INSERT INTO gateway.event_log SELECT user_id, last_seq + 1, name, portfolio_id, run_id, "
    "trace_id, occurred_at + interval '%s s', payload, clock_timestamp() "
    "FROM gateway.event_log JOIN gateway.streams USING (user_id) WHERE seq = 1"
)
BREACHES = {
    "a result is gone": ("DELETE FROM risk_engine.results", CURRENT),
    "a result of an older book": ("UPDATE risk_engine.results SET revision = 0", CURRENT),
    "a result of a book to come": ("UPDATE risk_engine.results SET revision = 2", CURRENT),
    "a result of nobody": (
        "UPDATE onboarding.portfolios SET deleted_at = now()",
        CURRENT,
    ),
    "a result of older prices": ("UPDATE risk_engine.results SET panel_version = 0", NO_OLDER),
    "a snapshot is gone": ("DELETE FROM risk_engine.snapshots", SNAPSHOT),
    "a snapshot of nothing": (
        "UPDATE risk_engine.snapshots SET session = session - 1",
        SNAPSHOT,
    ),
    "a snapshot of other prices": (
        "UPDATE risk_engine.snapshots SET panel_version = 99",
        SNAPSHOT,
    ),
    "a value that does not add up": (
        "UPDATE risk_engine.snapshots SET net_asset_value = net_asset_value + 0.02",
        OPENING,
    ),
    "a failure": (A_FAILURE, NO_FAILURE),
    "auth forgot": ("DELETE FROM auth.portfolios", BOOKS),
    "auth has another owner": ("UPDATE auth.portfolios SET user_id = gen_random_uuid()", BOOKS),
    "marketdata is stale": ("UPDATE marketdata.holdings SET revision = 0", BOOKS),
    "risk-engine is stale": ("UPDATE risk_engine.books SET revision = 0", BOOKS),
    "risk-engine has another position": (ANOTHER_QUANTITY, BOOKS),
    "risk-engine lacks positions": ("UPDATE risk_engine.books SET positions = '[]'", BOOKS),
    "scheduler buried it": ("UPDATE scheduler.portfolios SET deleted = true", BOOKS),
    "the gateway has one too many": (ANOTHER_OWNER, BOOKS),
    "chat is behind": ("UPDATE chat.ages SET panel_version = 0", NEWEST),
    "a session is not refused": ("DELETE FROM gateway.revoked_sessions", NEWEST),
    "an event in an outbox": ("INSERT INTO scheduler.outbox (envelope) VALUES ('{}')", OUTBOX),
    "work in a table": (f"INSERT INTO marketdata.work {A_ROW_OF_WORK}", WORK),
    "work given up": (
        f"INSERT INTO gateway.work {A_ROW_OF_WORK}; UPDATE gateway.work SET died_at = now()",
        WORK,
    ),
    "prices that wait": (WAITING_PRICES, WORK),
    "a run is open": ("UPDATE scheduler.runs SET status = 'open'", ENDED),
    "a run counts wrongly": ("UPDATE scheduler.runs SET calculated = calculated + 1", ENDED),
    "an item has no outcome": ("UPDATE scheduler.run_items SET outcome = NULL", ENDED),
    "an item expired": ("UPDATE scheduler.run_items SET outcome = 'expired'", OUTCOMES),
    "an item was overtaken by nothing": (
        "UPDATE scheduler.run_items SET outcome = 'superseded'",
        OUTCOMES,
    ),
    "an item of a living portfolio ended as deleted": (
        "UPDATE scheduler.run_items SET outcome = 'deleted'",
        OUTCOMES,
    ),
    "an import without a run": ("UPDATE scheduler.runs SET job = 'calculate'", IMPORTS),
    "a run of an import nobody made": ("UPDATE scheduler.runs SET job = 'import'", IMPORTS),
    "a gap in the log": ("DELETE FROM gateway.event_log WHERE seq = 3", GAPS),
    "the end of the log is gone": ("UPDATE gateway.streams SET last_seq = last_seq + 1", GAPS),
    "an event twice": (THE_FIRST_EVENT_AGAIN % 0, TWICE),
    "a step told twice": (THE_FIRST_EVENT_AGAIN % 1, STEPS),
    "a step not told": ("DELETE FROM gateway.event_log WHERE name = 'risk.calculated'", STEPS),
    "a portfolio stands where it stood before": (
        "UPDATE gateway.latest SET occurred_at = occurred_at - interval '1 s'",
        LATEST,
    ),
    "a panel is missing": ("DELETE FROM marketdata.panels WHERE version = 1", PANELS),
    "a column without bars": ("DELETE FROM marketdata.bars", PANELS),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sound(postgres_admin_url, tmp_path_factory) -> AsyncIterator[tuple[FreshDatabase, Crowd]]:
    """The database of a system that was used, came to rest and ended."""
    async with fresh_database(postgres_admin_url) as fresh:
        system = System(tmp_path_factory.mktemp("home"), fresh.url, namespace=fresh.namespace)
        try:
            system.start()
            bus = system.bus()
            crowd = Crowd(system.address, random.Random(1), bus, system.admin_url)
            await a_day(crowd)
            assert await at_rest(fresh.url, bus, crowd.promised, crowd.heard) == []
            assert crowd.complaints == []
            heard = list(crowd.heard)
            crowd.leave()
            crowd.heard += heard
            await bus.close()
            assert system.stop() == 0
        finally:
            system.kill()
        yield fresh, crowd


@pytest_asyncio.fixture(loop_scope="module")
async def copy(postgres_admin_url, sound) -> AsyncIterator[str]:
    """A copy of it, to break."""
    async with copied_database(postgres_admin_url, sound[0]) as copied:
        yield copied.url


@pytest_asyncio.fixture(loop_scope="module")
async def bus(copy, sound) -> AsyncIterator[Bus]:
    role = role_name(sound[0].namespace, "bus")
    url = parse_url(copy).set(username=role, password=role_password(ROLE_SECRET, role))
    bus = connect(dsn(url), TOPOLOGY, namespace=sound[0].namespace)
    yield bus
    await bus.close()


async def test_a_sound_system_breaks_nothing(copy, bus, sound):
    _, crowd = sound
    assert len(crowd.promised.imports) == 2
    assert len(crowd.promised.runs) == 2
    assert all(one.events for one in crowd.heard)
    assert await broken_invariants(copy, bus, crowd.promised, crowd.heard) == []


@pytest.mark.parametrize("breach", BREACHES)
async def test_a_planted_breach_is_found(sound, breach: str):
    planting, sentence = BREACHES[breach]
    connection = await asyncpg.connect(sound[0].url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(planting)
    broken = await broken_laws(connection)
    await transaction.rollback()
    await connection.close()
    assert [one for one in broken if sentence in one], broken


async def test_every_law_has_a_breach_that_was_planted():
    assert {law.sentence for law in LAWS} == {sentence for _, sentence in BREACHES.values()}


@pytest.mark.parametrize(
    "promised",
    [
        Promised(users={uuid4()}),
        Promised(imports={uuid4(): uuid4()}),
        Promised(runs={uuid4()}),
    ],
    ids=["a user", "an import", "a run"],
)
async def test_a_promise_that_is_not_kept_is_found(copy, bus, promised: Promised):
    (broken,) = await broken_invariants(copy, bus, promised)
    assert KEPT in broken


async def test_a_stream_that_misses_repeats_or_invents_is_found(copy, bus, sound):
    heard: Heard = sound[1].heard[0]
    events = heard.events
    for seen, complaint in (
        (events[:-1], "missed"),
        (events[1:], "missed"),
        ([*events, events[-1]], "again"),
        ([*events, (-1, "reset")], "not in it"),
        ([events[1], events[0], *events[2:]], "another order"),
    ):
        (broken,) = await broken_invariants(copy, bus, heard=[replace(heard, events=seen)])
        assert STREAMS in broken
        assert complaint in broken


async def test_a_message_in_a_queue_and_a_dead_letter_are_found(copy, bus):
    await bus.publish([Envelope(name="risk.calculated", payload={})])
    (broken,) = await broken_invariants(copy, bus)
    assert QUEUES in broken
    assert "1 messages for chat" in broken
    connection = await asyncpg.connect(copy)
    await connection.execute("DELETE FROM bus.deliveries")
    await connection.execute(
        "INSERT INTO bus.dead_letters (id, namespace, queue, routing_key, body, reason, stack, "
        "attempts) SELECT 1, namespace, queue, 'x.v1', '', 'poison', '', 1 FROM bus.bindings "
        "WHERE queue = 'auth' LIMIT 1"
    )
    await connection.close()
    (broken,) = await broken_invariants(copy, bus)
    assert "dead letter x.v1 of auth: poison" in broken
    assert await broken_invariants(copy, bus, letters_expected=True) == []


async def test_waiting_ends_with_what_is_still_broken(copy, bus):
    broken = await at_rest(copy, bus, Promised(users={uuid4()}), seconds=0.0)
    assert len(broken) == 1


async def test_the_document_and_the_checker_say_the_same_sentences():
    document = " ".join((ROOT / "docs/invariants.md").read_text().split())
    written = set(re.findall(r"- \*\*(.+?)\*\*", document))
    assert written == {*(law.sentence for law in LAWS), KEPT, QUEUES, STREAMS}

"""How often a consumer on Postgres asks: a message costs few statements, and none waits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from common.bus import Handler
from common.bus.connect import connect
from common.bus.consumer import Consumption
from common.bus.postgres import schema
from common.bus.postgres.consumer import Connection, PostgresConsumer
from common.db import dsn, parse_url, role_name, role_password
from common.errors import Unavailable
from common.events.topology import Queue, Topology
from common.retry import Retry
from tests.support.bus_probe import Recorder, order, until
from tests.support.databases import ROLE_SECRET, FreshDatabase, connected

NAMES = {
    schema.CLAIM: "claim",
    schema.NEXT_DUE: "next due",
    schema.TAKEN: "taken",
    schema.TRY_AGAIN: "try again",
}


class Watched(PostgresConsumer):
    """A consumer whose statements are kept by name."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.asked: list[str] = []
        self.meanwhile: Callable[[str], None] = lambda _name: None
        super().__init__(*arguments, **named)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        async with super()._connected() as connection:
            connection.add_query_logger(self._note)
            yield connection

    def _note(self, query: Any) -> None:
        if query.query in NAMES:
            self.asked.append(NAMES[query.query])
            self.meanwhile(NAMES[query.query])


@pytest.fixture
async def queue(database: FreshDatabase):
    """A bus with one queue, and its address."""
    role = role_name(database.namespace, "bus")
    url = dsn(parse_url(database.url).set(username=role, password=role_password(ROLE_SECRET, role)))
    bus = connect(url, Topology((Queue("orders", ("order.*.v1",)),)))
    await bus.declare()
    yield bus, url
    await bus.close()


@asynccontextmanager
async def consuming(url: str, handler: Handler, concurrency: int = 4) -> AsyncIterator[Watched]:
    """Lend a consumer that has found its queue empty and rests."""
    consumption = Consumption("orders", handler, Retry((0.2,)), concurrency, grace=5.0)
    consumer = Watched(url, "", consumption, lease=15.0)
    await until(lambda: "next due" in consumer.asked)
    consumer.asked.clear()
    yield consumer
    await consumer.close()


async def test_a_message_in_a_quiet_queue_costs_three_statements(queue):
    bus, url = queue
    took = Recorder()
    async with consuming(url, took) as consumer:
        await bus.publish([order(1)])
        await until(lambda: "taken" in consumer.asked)
        await asyncio.sleep(0.3)
    assert took.numbers == [1]
    assert consumer.asked == ["claim", "next due", "taken"]


async def test_a_full_hand_asks_again_as_soon_as_a_slot_is_free(queue):
    bus, url = queue
    took = Recorder()
    async with consuming(url, took, concurrency=2) as consumer:
        await bus.publish([order(number) for number in range(5)])
        await until(lambda: len(took.taken) == 5)
    assert consumer.asked.count("next due") <= 1


async def test_a_notification_that_comes_while_the_consumer_asks_makes_it_ask_again(queue):
    bus, url = queue
    async with consuming(url, Recorder()) as consumer:
        notified = False

        def notify_once(name: str) -> None:
            nonlocal notified
            if name == "claim" and not notified:
                notified = True
                consumer._on_notification(None, 0, schema.CHANNEL, ":orders")

        consumer.meanwhile = notify_once
        await bus.publish([order(1)])
        await asyncio.sleep(0.5)
    assert consumer.asked.count("claim") == 2


async def test_a_message_on_the_ladder_is_asked_for_when_it_falls_due(queue):
    bus, url = queue
    failing = Recorder(Unavailable("not yet"))
    async with consuming(url, failing) as consumer:
        await bus.publish([order(1)])
        await until(lambda: failing.numbers == [1])
        await until(lambda: "taken" in consumer.asked)
    assert 0.15 < failing.pauses[0] < 1.5
    assert consumer.asked[:4] == ["claim", "next due", "try again", "claim"]


@asynccontextmanager
async def refusing(database: FreshDatabase, admin_url: str, how: str) -> AsyncIterator[None]:
    """Change what the bus's role may do, in new sessions, until the block ends."""
    role = role_name(database.namespace, "bus")
    afterwards = ("LOGIN CONNECTION LIMIT -1", "RESET ALL")

    async def change(*ways: str) -> None:
        async with connected(admin_url) as admin:
            for way in ways:
                await admin.execute(f'ALTER ROLE "{role}" {way}')
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role
            )
        await asyncio.sleep(0.1)

    await change(how)
    try:
        yield
    finally:
        await change(*afterwards)


@pytest.mark.parametrize(
    "how", ["NOLOGIN", "CONNECTION LIMIT 0", "SET default_transaction_read_only = on"]
)
async def test_a_server_that_refuses_everybody_is_unavailable(
    queue, database: FreshDatabase, postgres_admin_url: str, how: str
):
    """The bus's word for "try again": whoever publishes relies on it."""
    bus, _ = queue
    async with refusing(database, postgres_admin_url, how):
        for ask in (
            lambda: bus.publish([order(1)]),
            lambda: bus.redrive("orders", ["1"]),
            bus.health,
        ):
            with pytest.raises(Unavailable) as refused:
                await ask()
            assert type(refused.value) is Unavailable
    await bus.publish([order(1)])
    assert await bus.depth("orders") == 1


@pytest.mark.parametrize("letter_id", ["9" * 5_000, "9" * 19, "-1", "\N{SUPERSCRIPT TWO}", ""])
async def test_no_letter_has_a_number_that_is_none(queue, letter_id: str):
    bus, _ = queue
    assert await bus.dead_letter("orders", letter_id) is None
    assert await bus.redrive("orders", [letter_id]) == 0

"""Messages per second through everything a service puts between a fact and its effect."""

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable
from uuid import uuid4

import aio_pika
import pytest

from common.bus import Bus
from common.events import Envelope
from tests.benchmarks.figures import Figures, size
from tests.benchmarks.pipeline import QUEUE, Pipeline, insight, note_effect, pipeline
from tests.support.databases import FreshDatabase

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

MESSAGES = size("MESSAGES", 4_000)
ROUNDS = size("ROUNDS", 3)
BATCH = 200
"""Messages published between two confirmations, by the relay and by the loops beside it."""
CONCURRENCY = 6
"""Messages in hand, as a service has them."""


async def seconds_of(action: Awaitable[object]) -> float:
    started = time.perf_counter()
    await action
    return time.perf_counter() - started


async def whole_path(line: Pipeline, first: int) -> float:
    """Return the rate from the first transaction that publishes to the last effect's commit."""
    before = line.taken

    async def travel() -> None:
        producing = asyncio.create_task(line.produce(range(first, first + MESSAGES)))
        await line.until_taken(before + MESSAGES)
        await producing

    return MESSAGES / await seconds_of(travel())


async def bare_bus(bus: Bus) -> float:
    """Return the rate of the transport alone: no outbox, no inbox, a handler that does nothing."""
    taken, everything = 0, asyncio.Event()

    async def take(_envelope: Envelope) -> None:
        nonlocal taken
        taken += 1
        if taken == MESSAGES:
            everything.set()

    async def travel() -> None:
        for first in range(0, MESSAGES, BATCH):
            batch = range(first, min(first + BATCH, MESSAGES))
            await bus.publish([Envelope.of(insight(n), producer="chat") for n in batch])
        await everything.wait()

    subscription = await bus.subscribe(QUEUE, take, concurrency=CONCURRENCY)
    try:
        return MESSAGES / await seconds_of(travel())
    finally:
        await subscription.close()


async def bare_aio_pika(url: str) -> float:
    """Return the rate of the client library alone on a queue of the same kind."""
    name = f"bench-{uuid4().hex}"
    body = Envelope.of(insight(1), producer="chat").to_bytes()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=CONCURRENCY)
        queue = await channel.declare_queue(
            name, durable=True, arguments={"x-queue-type": "quorum"}
        )
        taken, everything = 0, asyncio.Event()

        async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            nonlocal taken
            await message.ack()
            taken += 1
            if taken == MESSAGES:
                everything.set()

        async def publish() -> None:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, name)

        async def travel() -> None:
            for first in range(0, MESSAGES, BATCH):
                await asyncio.gather(
                    *(publish() for _ in range(first, min(first + BATCH, MESSAGES)))
                )
            await everything.wait()

        await queue.consume(take)
        try:
            return MESSAGES / await seconds_of(travel())
        finally:
            await queue.delete(if_unused=False, if_empty=False)


@pytest.mark.parametrize(
    "transport", ["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]
)
async def test_messages_through_outbox_bus_and_inbox_beside_a_bare_loop(
    database: FreshDatabase, transport: str, figures: Figures, request: pytest.FixtureRequest
):
    broker = request.getfixturevalue("rabbit_url") if transport == "rabbitmq" else ""
    beside = broker or os.environ.get("TEST_BROKER", "")
    rates: dict[str, list[float]] = {"whole": [], "bus": [], "aio-pika": []}
    async with pipeline(database, broker) as line:
        for number in range(ROUNDS):
            async with line.consuming(note_effect):
                rates["whole"].append(await whole_path(line, number * MESSAGES))
            rates["bus"].append(await bare_bus(line.bus))
            if beside:
                rates["aio-pika"].append(await bare_aio_pika(beside))
        effects = await line.effects()
    assert effects == dict.fromkeys(range(ROUNDS * MESSAGES), 1)

    whole = statistics.median(rates["whole"])
    others = [
        f"{name} {statistics.median(found):,.0f}/s ({whole / statistics.median(found):.2f} of it)"
        for name, found in (("bus alone", rates["bus"]), ("bare aio-pika", rates["aio-pika"]))
        if found
    ]
    figures.add(
        f"{MESSAGES:,} messages: transaction, outbox, {transport}, inbox and effect "
        f"(median of {ROUNDS})",
        f"**{whole:,.0f} messages/s**; beside it {', '.join(others)}",
    )

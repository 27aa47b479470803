"""A producer and a consumer of one event, made of what services are made of, on either transport.

Transaction, outbox, relay, bus, consumer, then one transaction with inbox and effect. The effect is
a row without any key: whatever is done twice is there twice.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import text

from common.bus import Bus
from common.bus.connect import connect
from common.db import Database, dsn, parse_url, role_name, role_password
from common.events import Envelope
from common.events.chat import InsightGenerated
from common.events.topology import Queue, Topology
from common.relay import Relay
from common.service import MessageHandler, Service
from common.unit_of_work import Unit, UnitOfWork
from tests.support.brokers import forget_namespace
from tests.support.databases import ROLE_SECRET, FreshDatabase

QUEUE = "gateway"
TOPOLOGY = Topology((Queue(QUEUE, ("insight.generated.v1",)),))
NOBODY = UUID(int=0)
PUBLISHERS = 4
"""Transactions that are open at the same time on the producer's side."""

MAKE_EFFECTS = text("CREATE TABLE gateway.effects (number integer NOT NULL)")
NOTE_EFFECT = text("INSERT INTO gateway.effects (number) VALUES (:number)")
COUNT_EFFECTS = text("SELECT number, count(*) AS times FROM gateway.effects GROUP BY number")


def insight(number: int) -> InsightGenerated:
    """Return the event that carries a number."""
    return InsightGenerated(insight_id=UUID(int=number), portfolio_id=NOBODY, title="benchmark")


async def note_effect(event: InsightGenerated, _store: Any, unit: Unit) -> None:
    """Do what the event asks for: one row."""
    await unit.connection.execute(NOTE_EFFECT, {"number": event.insight_id.int})


@dataclass
class Pipeline:
    """A producer, the bus in between, and a consumer."""

    bus: Bus
    producer: UnitOfWork
    consumer: UnitOfWork
    taken: int = 0
    """Deliveries whose handling committed."""
    _progress: asyncio.Event = field(default_factory=asyncio.Event)

    async def produce(self, numbers: Sequence[int]) -> None:
        """Commit a transaction for each number, a few at a time."""
        left = iter(numbers)

        async def publish() -> None:
            for number in left:
                async with self.producer.begin() as unit:
                    unit.publish(insight(number))

        await asyncio.gather(*(publish() for _ in range(PUBLISHERS)))

    async def until_taken(self, count: int, *, seconds: float = 300) -> None:
        """Return when this many deliveries have been taken since the beginning."""
        async with asyncio.timeout(seconds):
            while self.taken < count:
                self._progress.clear()
                await self._progress.wait()

    async def effects(self) -> dict[int, int]:
        """Return how often the effect of each number is there."""
        async with self.consumer.begin() as unit:
            found = await unit.connection.execute(COUNT_EFFECTS)
            return {row.number: row.times for row in found}

    @asynccontextmanager
    async def consuming(self, handler: MessageHandler) -> AsyncIterator[None]:
        """Handle what comes, as a service does, until the block ends."""
        service = Service(
            QUEUE, FastAPI(), self.consumer, nullcontext, ((InsightGenerated, handler),)
        )

        async def take(envelope: Envelope) -> None:
            await service.handle(envelope)
            self.taken += 1
            self._progress.set()

        subscription = await self.bus.subscribe(QUEUE, take, concurrency=service.concurrency)
        try:
            yield
        finally:
            await subscription.close()


@asynccontextmanager
async def pipeline(database: FreshDatabase, broker: str = "") -> AsyncIterator[Pipeline]:
    """Lend a pipeline over a broker, or over the database itself; the relay runs."""

    def as_role(schema: str) -> Database:
        role = role_name(database.namespace, schema)
        url = parse_url(database.url).set(username=role, password=role_password(ROLE_SECRET, role))
        return Database(url, schema)

    url = broker or dsn(as_role("bus").url)
    bus = connect(url, TOPOLOGY, namespace=database.namespace)
    made = Pipeline(
        bus,
        UnitOfWork(as_role("chat"), producer="chat"),
        UnitOfWork(as_role("gateway"), producer="gateway"),
    )
    async with AsyncExitStack() as stack:
        if broker:
            stack.push_async_callback(forget_namespace, broker, database.namespace, TOPOLOGY)
        for unit_of_work in (made.producer, made.consumer):
            stack.push_async_callback(unit_of_work.database.close)
        stack.push_async_callback(bus.close)
        await bus.declare()
        async with made.consumer.begin() as unit:
            await unit.connection.execute(MAKE_EFFECTS)
        await stack.enter_async_context(Relay(made.producer, bus).running())
        yield made

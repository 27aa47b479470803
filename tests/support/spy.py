"""A queue that hears everything: what a running system really says, judged by the document."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import asyncpg

from common.bus.connect import connect
from common.bus.rabbitmq.layout import Layout
from common.events.topology import TOPOLOGY, Queue, Topology
from common.settings import SERVICES
from tests.support.brokers import forget_queues
from tests.support.contracts import faults_of

QUEUE = "spy"
SPY = Topology((Queue(QUEUE, ("#",), commands=tuple(sorted(TOPOLOGY.commands))),))
"""Beside the system's own topology: bindings are data, so publishers reach it without knowing it,
and nothing that counts the system's queues sees it."""


@dataclass(frozen=True)
class Overheard:
    """A message as the transport carried it."""

    routing_key: str
    body: bytes
    carried: Mapping[str, Any]
    """What travelled beside the body: headers on RabbitMQ, columns on Postgres."""
    headers: Mapping[str, Any] | None = None
    """The headers, where there are any."""

    def document(self) -> Any:
        """Return the body, parsed; None when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def by_a_service(self) -> bool:
        """Whether a service of ours said it: what hands and tests publish may be anything."""
        document = self.document()
        return isinstance(document, dict) and document.get("producer") in SERVICES

    def faults(self) -> list[str]:
        """Return what the committed document does not allow."""
        document = self.document()
        found = faults_of(self.routing_key, document, self.headers)
        found += [
            f"{self.routing_key}: {name} is {value!r} beside the body, {document.get(name)!r} in it"
            for name, value in self.carried.items()
            if value != document.get(name)
        ]
        return found


@dataclass
class Spy:
    """Listens to the system at a transport's address and under a namespace."""

    url: str
    namespace: str
    overheard: list[Overheard] = field(default_factory=list)

    async def open(self) -> None:
        """Begin to listen; the system must have declared its own queues."""
        bus = connect(self.url, SPY, namespace=self.namespace)
        await bus.declare()
        await bus.close()

    async def names(self) -> Counter[str]:
        """Return how often each routing key was heard until now."""
        await self._take()
        return Counter(one.routing_key for one in self.overheard)

    async def faults(self) -> list[str]:
        """Return what services said until now that is not as described."""
        await self._take()
        return [fault for one in self.overheard if one.by_a_service() for fault in one.faults()]

    async def close(self) -> None:
        """Leave nothing behind."""
        if _is_rabbit(self.url):
            await forget_queues(self.url, self.namespace, SPY)
            return
        connection = await asyncpg.connect(self.url)
        try:
            for table in ("bindings", "deliveries"):
                await connection.execute(
                    f"DELETE FROM bus.{table} WHERE namespace = $1 AND queue = $2",
                    self.namespace,
                    QUEUE,
                )
        finally:
            await connection.close()

    async def _take(self) -> None:
        take = _from_rabbit if _is_rabbit(self.url) else _from_postgres
        self.overheard += await take(self.url, self.namespace)


def _is_rabbit(url: str) -> bool:
    return url.startswith("amqp")


async def _from_rabbit(url: str, namespace: str) -> list[Overheard]:
    found: list[Overheard] = []
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        queue = await channel.get_queue(Layout(SPY, namespace).queue(QUEUE), ensure=False)
        while (message := await queue.get(no_ack=True, fail=False)) is not None:
            # A broker adds notes of its own, all under x-.
            headers = {
                name: value for name, value in message.headers.items() if not name.startswith("x-")
            }
            found.append(
                Overheard(
                    message.routing_key or "",
                    message.body,
                    {**headers, "id": message.message_id},
                    headers,
                )
            )
            assert message.content_type == "application/json"
            assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    return found


async def _from_postgres(url: str, namespace: str) -> list[Overheard]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "WITH gone AS (DELETE FROM bus.deliveries WHERE namespace = $1 AND queue = $2 "
            "RETURNING id, routing_key, body, message_id, traceparent) "
            "SELECT * FROM gone ORDER BY id",
            namespace,
            QUEUE,
        )
    finally:
        await connection.close()
    return [
        Overheard(
            row["routing_key"],
            row["body"],
            {
                "id": row["message_id"] and str(row["message_id"]),
                "traceparent": row["traceparent"],
            },
        )
        for row in rows
    ]

"""What stands on the broker: two exchanges, and for every queue its ladder and its dead letters.

    sigmasight.events ──┐                    ┌── rung: waits its time, then back to the queue
                        ├─> risk-engine ─────┤
    sigmasight.commands ┘                    └── risk-engine.dlq

All queues are replicated (quorum), and what moves between them moves with confirms: by our own
publish-then-acknowledge, or by the broker's at-least-once dead-lettering.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractQueue

from common.crash_points import crash_point
from common.events.topology import COMMANDS_EXCHANGE, EVENTS_EXCHANGE, Topology

DELIVERY_LIMIT = 20
"""Returns after which the broker itself buries a message; ours are far fewer, so this is only for
workers that die before they can count."""
NO_LIMIT = 2**31 - 1
"""Looking at dead letters returns them; RabbitMQ 4 would drop them after 20 looks."""


@dataclass(frozen=True)
class Layout:
    """The names and arguments of everything on the broker."""

    topology: Topology
    namespace: str = ""

    def queue(self, name: str) -> str:
        """Return the broker's name for a queue of the topology; KeyError when it has none."""
        return self._named(self.topology.queue(name).name)

    def dead_letters(self, name: str) -> str:
        """Return the name of the queue's dead letter queue."""
        return f"{self.queue(name)}.dlq"

    def rung(self, name: str, pause: float) -> str:
        """Return the name of the queue's rung of this many seconds.

        It is named by its pause because a queue's arguments never change once it exists.
        """
        return f"{self.queue(name)}.retry.{_milliseconds(pause)}ms"

    def exchange_name(self, routing_key: str) -> str:
        """Return the exchange a message goes to: commands have one of their own."""
        commands = routing_key in self.topology.commands
        return self._named(COMMANDS_EXCHANGE if commands else EVENTS_EXCHANGE)

    async def declare(self, channel: AbstractChannel, pauses: Iterable[float], *names: str) -> None:
        """Make everything (or all that these queues need); harmless when repeated.

        `pauses` are the rungs, in seconds.
        """
        events = await channel.declare_exchange(
            self._named(EVENTS_EXCHANGE), ExchangeType.TOPIC, durable=True
        )
        commands = await channel.declare_exchange(
            self._named(COMMANDS_EXCHANGE), ExchangeType.DIRECT, durable=True
        )
        for queue in self.topology.queues:
            if queue.name not in names and names:
                continue
            made = await self._declare_queue(channel, queue.name, pauses)
            for pattern in queue.patterns:
                await made.bind(events, pattern)
            for command in queue.commands:
                await made.bind(commands, command)
            crash_point("topology.half_declared", queue.name)

    async def _declare_queue(
        self, channel: AbstractChannel, name: str, pauses: Iterable[float]
    ) -> AbstractQueue:
        dead_letters, queue = self.dead_letters(name), self.queue(name)
        await _declare(channel, dead_letters, {"x-delivery-limit": NO_LIMIT})
        for pause in pauses:
            arguments = {"x-message-ttl": _milliseconds(pause), **_then_to(queue)}
            await _declare(channel, self.rung(name, pause), arguments)
        arguments = {"x-delivery-limit": DELIVERY_LIMIT, **_then_to(dead_letters)}
        return await _declare(channel, queue, arguments)

    def _named(self, name: str) -> str:
        return f"{self.namespace}.{name}" if self.namespace else name


async def _declare(channel: AbstractChannel, name: str, arguments: dict[str, Any]) -> AbstractQueue:
    quorum = {"x-queue-type": "quorum", **arguments}
    return await channel.declare_queue(name, durable=True, arguments=quorum)


def _then_to(queue: str) -> dict[str, Any]:
    # At-least-once dead-lettering asks for reject-publish; without a length limit none is rejected.
    return {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _milliseconds(pause: float) -> int:
    return max(1, round(pause * 1_000))

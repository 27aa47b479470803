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
from aio_pika.abc import AbstractChannel, AbstractExchange

from common.crash_points import crash_point
from common.events.topology import COMMANDS_EXCHANGE, EVENTS_EXCHANGE, Topology

DELIVERY_LIMIT = 20
"""Returns after which the broker itself buries a message; ours are far fewer, so this is only for
workers that die before they can count."""
STEP_TIMEOUT = 10.0
"""Seconds that the broker gets for each of them; on a new one all together may take longer."""
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

    async def declare(
        self, channel: AbstractChannel, pauses: Iterable[float], only: str | None = None
    ) -> None:
        """Make everything; harmless when repeated. `TimeoutError` when the broker falls silent.

        `pauses` are the rungs, in seconds: of every queue, or of `only` this one, since nobody but
        its consumer puts anything on them.
        """
        # The queues first: an exchange with bindings to some of them would lose the others' share.
        for queue in self.topology.queues:
            rungs = pauses if only in (None, queue.name) else ()
            await self._declare_queue(channel, queue.name, rungs)
            crash_point("topology.half_declared", queue.name)
        events = await self._declare_exchange(channel, EVENTS_EXCHANGE, ExchangeType.TOPIC)
        commands = await self._declare_exchange(channel, COMMANDS_EXCHANGE, ExchangeType.DIRECT)
        for queue in self.topology.queues:
            made = await channel.get_queue(self.queue(queue.name), ensure=False)
            for pattern in queue.patterns:
                await made.bind(events, pattern, timeout=STEP_TIMEOUT)
            for command in queue.commands:
                await made.bind(commands, command, timeout=STEP_TIMEOUT)

    async def _declare_queue(
        self, channel: AbstractChannel, name: str, pauses: Iterable[float]
    ) -> None:
        dead_letters, queue = self.dead_letters(name), self.queue(name)
        await _declare(channel, dead_letters, {"x-delivery-limit": NO_LIMIT})
        for pause in pauses:
            arguments = {"x-message-ttl": _milliseconds(pause), **_then_to(queue)}
            await _declare(channel, self.rung(name, pause), arguments)
        arguments = {"x-delivery-limit": DELIVERY_LIMIT, **_then_to(dead_letters)}
        await _declare(channel, queue, arguments)

    async def _declare_exchange(
        self, channel: AbstractChannel, name: str, kind: ExchangeType
    ) -> AbstractExchange:
        return await channel.declare_exchange(
            self._named(name), kind, durable=True, timeout=STEP_TIMEOUT
        )

    def _named(self, name: str) -> str:
        return f"{self.namespace}.{name}" if self.namespace else name


async def _declare(channel: AbstractChannel, name: str, arguments: dict[str, Any]) -> None:
    quorum = {"x-queue-type": "quorum", **arguments}
    await channel.declare_queue(name, durable=True, arguments=quorum, timeout=STEP_TIMEOUT)


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

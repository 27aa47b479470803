"""Publishing so that an accepted message is in every queue that wants it, as far as AMQP lets one.

A broker confirms what it could route nowhere, and one that was set up anew, or whose queues
somebody has deleted, routes nowhere. So the whole layout is made before a channel is used to
publish (the link sees to that), and what some queue of the topology wants is published as
mandatory: the broker gives it back when no queue takes it. What nobody wants is accepted, and gone.

Of a message that several queues want, the broker does not say that one of them was not there. So a
publisher looks, every `LOOK` seconds, whether the queues that want what it publishes are there, and
makes what is missing. What it published between the deletion of one queue of several and its next
look is missed by that queue, as is what was in it: only whoever deleted it can know.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence

import structlog
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import PublishError

from common.bus.rabbitmq import messages
from common.bus.rabbitmq.layout import Layout
from common.bus.rabbitmq.link import Link
from common.crash_points import crash_point
from common.errors import Unavailable
from common.events.envelope import Envelope

LOOK = 2.0
"""Seconds between two looks at a queue for which something is published."""

log = structlog.get_logger()


class Publisher:
    """Gives envelopes to the exchanges of a layout."""

    def __init__(self, link: Link, layout: Layout) -> None:
        self._link = link
        self._layout = layout
        self._wanting: dict[str, tuple[str, ...]] = {}
        self._look_at: dict[str, float] = defaultdict(float)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return when the broker has confirmed all; some may be accepted even when it has not."""
        await self._look({envelope.routing_key for envelope in envelopes})
        returned = await self._give(envelopes)
        if returned:
            log.warning("queues_missing", messages=len(returned), example=returned[0].routing_key)
            await self._link.prepare()
            returned = await self._give(returned)
        if returned:
            raise Unavailable(f"the broker has no queue for {returned[0].routing_key}")

    async def _look(self, routing_keys: set[str]) -> None:
        # Only at what is to be published to: another queue that does not answer is no reason.
        now = time.monotonic()
        wanting = {queue for key in routing_keys for queue in self._queues_wanting(key)}
        due = sorted(queue for queue in wanting if self._look_at[queue] <= now)
        if not due:
            return
        # First, so that of those who publish at once one looks.
        self._look_at.update(dict.fromkeys(due, now + LOOK))
        try:
            missing = await self._link.missing(due)
            if missing is not None:
                log.warning("queue_missing", queue=missing)
                await self._link.prepare()
        except BaseException:
            self._look_at.update(dict.fromkeys(due, 0.0))
            raise

    async def _give(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        # Returns those that the broker gave back.
        async with self._link.publishing() as channel:
            outcomes = await asyncio.gather(
                *(self._give_one(channel, envelope) for envelope in envelopes),
                return_exceptions=True,
            )
        for failure in outcomes:
            if isinstance(failure, BaseException) and not isinstance(failure, PublishError):
                raise Unavailable(f"the broker did not confirm: {failure!r}") from failure
        return [
            envelope
            for envelope, outcome in zip(envelopes, outcomes, strict=True)
            if isinstance(outcome, PublishError)
        ]

    async def _give_one(self, channel: AbstractChannel, envelope: Envelope) -> None:
        key = envelope.routing_key
        exchange = await channel.get_exchange(self._layout.exchange_name(key), ensure=False)
        wanted = bool(self._queues_wanting(key))
        await exchange.publish(messages.message_of(envelope), key, mandatory=wanted)
        crash_point("message.confirmed", envelope.producer)

    def _queues_wanting(self, routing_key: str) -> tuple[str, ...]:
        # Remembered, as the patterns are many and the keys few: they name kinds of events.
        if routing_key not in self._wanting:
            layout = self._layout
            queues = [one.name for one in layout.topology.queues if one.wants(routing_key)]
            self._wanting[routing_key] = tuple(layout.queue(name) for name in queues)
        return self._wanting[routing_key]

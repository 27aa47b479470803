"""Publishing so that an accepted message is in every queue that wants it.

A broker confirms what it could route nowhere, and one that was set up anew, or whose queues
somebody has deleted, routes nowhere. So the whole layout is made before a channel is used to
publish (the link sees to that), and what some queue of the topology wants is published as
mandatory: the broker gives it back when no queue takes it. What nobody wants is accepted, and gone.
"""

import asyncio
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

log = structlog.get_logger()


class Publisher:
    """Gives envelopes to the exchanges of a layout."""

    def __init__(self, link: Link, layout: Layout) -> None:
        self._link = link
        self._layout = layout
        self._wanted: dict[str, bool] = {}

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return when the broker has confirmed all; some may be accepted even when it has not."""
        returned = await self._give(envelopes)
        if returned:
            log.warning("queues_missing", messages=len(returned), example=returned[0].routing_key)
            await self._link.prepare()
            returned = await self._give(returned)
        if returned:
            raise Unavailable(f"the broker has no queue for {returned[0].routing_key}")

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
        await exchange.publish(messages.message_of(envelope), key, mandatory=self._is_wanted(key))
        crash_point("message.confirmed", envelope.producer)

    def _is_wanted(self, routing_key: str) -> bool:
        # Remembered, as the patterns are many and the keys few: they name kinds of events.
        if routing_key not in self._wanted:
            queues = self._layout.topology.queues
            self._wanted[routing_key] = any(queue.wants(routing_key) for queue in queues)
        return self._wanted[routing_key]

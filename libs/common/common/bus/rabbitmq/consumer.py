"""The consumer of one queue on RabbitMQ, over a connection of its own.

A message is acknowledged after its handler took it, or after its copy on a rung or among the dead
letters was confirmed: a crash in between repeats it, never loses it. When the connection is lost,
the broker gives what was in hand to somebody else, so the handlers are stopped. What comes back to
us then is no death (`memory`). Copies leave by another connection and are waited for beside the
loop (`outlet`), so that a broker that takes none for a while still gets what is acknowledged.

To handle a message alone the consumer is cancelled, and what came with it goes back to the queue
with its count of deaths as it was: the broker counts whatever has not been acknowledged, begun or
not.
"""

import asyncio
import math
import time
from dataclasses import dataclass

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from common.bus.consumer import Consumer, Consumption
from common.bus.delivery import Delivery, Failure
from common.bus.rabbitmq import messages
from common.bus.rabbitmq.layout import DELIVERY_LIMIT, Layout
from common.bus.rabbitmq.link import ANSWER_TIMEOUT, connected, unavailable
from common.bus.rabbitmq.memory import Memory
from common.bus.rabbitmq.outlet import Outlet
from common.crash_points import CrashPoint, crash_point
from common.errors import Unavailable
from common.stopping import TIDY_SECONDS

PROBE = 2.0
"""Seconds between proofs that the broker still counts us among the queue's consumers."""
PROBE_TIMEOUT = 3.0
STALLED = 2
"""Probes in a row that find messages waiting while none came: then the consumer is made anew."""
RENEWED = DELIVERY_LIMIT // 2
"""Returns after which a message is put back as a new one: the broker, which forgives none of them,
would bury it at twice as many."""


@dataclass(frozen=True, eq=False)
class Taken:
    """A message in hand, until it is acknowledged on the channel it came by."""

    message: AbstractIncomingMessage
    unanswered: int
    """How many workers, as far as we know, have died of it."""
    alone: bool
    worn: bool
    """Whether the broker has had it back so often that it goes back as a new one."""

    @property
    def tag(self) -> int:
        """Return the channel's number for this delivery; they grow."""
        if self.message.delivery_tag is None:
            raise TypeError("a delivered message has a tag")
        return self.message.delivery_tag


class RabbitConsumer(Consumer[Taken]):
    """A running subscription on RabbitMQ."""

    def __init__(self, url: str, layout: Layout, consumption: Consumption) -> None:
        self._url = url
        self._layout = layout
        self.newest_taken = 0.0
        """When the youngest message that came had been published, in seconds since the epoch."""
        self._received = 0
        self._probe_at = 0.0
        self._stalled = 0
        self._cancelled = False
        self._aside: dict[Taken, Delivery] = {}
        """What came with a suspect, itself included, and has not been begun."""
        self._leaving: dict[Taken, asyncio.Task[None]] = {}
        """What a copy is being made of; it is acknowledged when that is confirmed."""
        self._outlet = Outlet(url)
        self._memory = Memory()
        super().__init__(consumption)

    @property
    def in_hand(self) -> int:
        """Return how many messages were taken, begun or not, and not yet settled."""
        return super().in_hand + len(self._aside)

    async def _serve(self) -> None:
        try:
            with unavailable():
                async with connected(self._url) as connection:
                    channel = await connection.channel(on_return_raises=True)
                    await self._consume(channel)
        finally:
            await self._stop_leaving()
            await self._stop_handlers()
            self._held.clear()
            self._aside.clear()
            self._finished.clear()

    async def _consume(self, channel: AbstractChannel) -> None:
        await self._begin(channel)
        tag: str | None = None
        while True:
            self._wake.clear()
            await self._settle(channel)
            if channel.is_closed or self._cancelled:
                raise Unavailable("the broker ended the consumer")
            if tag is None and not (self._closing or self._aside or self._held):
                tag = await self._take(channel)
            if tag is not None and (self._closing or self._aside):
                queue = await channel.get_queue(self._name, ensure=False)
                await queue.cancel(tag, timeout=PROBE_TIMEOUT)
                tag = None
            if self._may_leave():
                await self._stop_handlers()
                await self._settle(channel)
                return await self._hand_back(channel)
            if self._aside and not (self._closing or self._held):
                self._isolate()
            if tag is not None:
                await self._probe(channel)
            await self._rest(PROBE)

    async def _begin(self, channel: AbstractChannel) -> None:
        # All queues, not only ours: a publisher that still has its connection must not find an
        # exchange that leads to us alone, and take that for delivery to everybody.
        await self._layout.declare(channel, self._of.retry.ladder, only=self.queue)
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await channel.set_qos(prefetch_count=self._of.concurrency)
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(self._on_cancel)
            channel.close_callbacks.add(self._on_close)
            self._cancelled = False

    async def _take(self, channel: AbstractChannel) -> str:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            self._stalled = 0
            self._probe_at = time.monotonic() + PROBE
            queue = await channel.get_queue(self._name, ensure=False)
            return await queue.consume(self._on_message)

    @property
    def _name(self) -> str:
        return self._layout.queue(self.queue)

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        self._received += 1
        self.newest_taken = max(self.newest_taken, messages.published_at(message))
        forgiven = self._memory.returned_by_us(message)
        delivery = messages.delivery_of(message, self.queue, forgiven)
        worn = messages.returns(message) >= RENEWED
        apart = bool(delivery.unanswered or worn or self._aside or not self._free)
        taken = Taken(message, delivery.unanswered, alone=apart, worn=worn)
        if apart:
            self._aside[taken] = delivery
            self._wake.set()
        else:
            self._start(taken, delivery)

    def _on_cancel(self, _frame: object) -> None:
        self._cancelled = True
        self._wake.set()

    def _on_close(self, *_: object) -> None:
        self._wake.set()

    async def _settle(self, channel: AbstractChannel) -> None:
        outcomes, self._finished = self._finished, []
        done = [taken for taken in self._leaving if self._leaving[taken].done()]
        for taken in done:
            self._leaving.pop(taken).result()
        if outcomes:
            crash_point("delivery.before_ack", self.queue)
        for taken, failure in outcomes:
            # One that did not end when it was stopped is on its way back already.
            if taken in self._held and taken not in self._leaving and taken not in done:
                if failure is None:
                    done.append(taken)
                else:
                    self._move(taken, failure)
        if not done:
            return
        for taken in done:
            self._held.pop(taken, None)
            self._aside.pop(taken, None)
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await self._acknowledge(channel, {taken.tag for taken in done})
        crash_point("delivery.acked", self.queue)

    async def _acknowledge(self, channel: AbstractChannel, tags: set[int]) -> None:
        # One acknowledgement covers everything older than the oldest message still in hand.
        underlay = await channel.get_underlay_channel()
        oldest_held = min((taken.tag for taken in (*self._held, *self._aside)), default=math.inf)
        together = [tag for tag in tags if tag < oldest_held]
        if together:
            await underlay.basic_ack(max(together), multiple=True)
        for tag in tags.difference(together):
            await underlay.basic_ack(tag)

    def _move(self, taken: Taken, failure: Failure) -> None:
        if failure.pause is None:
            copy = messages.buried(taken.message, failure)
            to = self._layout.dead_letters(self.queue)
        else:
            copy = messages.repeat_of(taken.message, failure)
            to = self._layout.rung(self.queue, failure.pause)
        self._leave(taken, copy, to, "delivery.moved")

    def _isolate(self) -> None:
        # The first of those with most deaths stays; max() returns the first.
        first = max(self._aside, key=lambda taken: taken.unanswered)
        back = [taken for taken in self._aside if taken is not first or taken.worn]
        if back:
            self._return(back)
        else:
            self._start(first, self._aside.pop(first))

    async def _hand_back(self, channel: AbstractChannel) -> None:
        async with asyncio.timeout(TIDY_SECONDS):
            self._return([*self._held, *self._aside])
            while self._leaving:
                await asyncio.wait(self._leaving.values(), return_when=asyncio.FIRST_COMPLETED)
                await self._settle(channel)

    def _return(self, back: list[Taken]) -> None:
        # As new messages: one that merely returned to the queue would count as a worker's death.
        for taken in back:
            if taken not in self._leaving:
                copy = messages.handed_back(taken.message, taken.unanswered)
                self._leave(taken, copy, self._name, "delivery.handed_back")

    def _leave(self, taken: Taken, copy: Message, to: str, confirmed: CrashPoint) -> None:
        async def leave() -> None:
            await self._outlet.send(copy, to)
            crash_point(confirmed, self.queue)

        self._leaving[taken] = asyncio.create_task(leave())
        self._leaving[taken].add_done_callback(lambda _: self._wake.set())

    async def _stop_leaving(self) -> None:
        tasks = list(self._leaving.values())
        self._leaving.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._outlet.close()

    async def _probe(self, channel: AbstractChannel) -> None:
        if time.monotonic() < self._probe_at:
            return
        async with asyncio.timeout(PROBE_TIMEOUT):
            queue = await channel.declare_queue(self._name, durable=True, passive=True)
        counts = queue.declaration_result
        idle = not self._held and not self._received
        self._stalled = self._stalled + 1 if idle and counts.message_count else 0
        self._received = 0
        if not counts.consumer_count or self._stalled >= STALLED:
            raise Unavailable("the broker has stopped delivering to the consumer")
        self._probe_at = time.monotonic() + PROBE

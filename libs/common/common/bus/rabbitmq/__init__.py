"""The bus on RabbitMQ: a topic exchange for events, a direct one for commands, quorum queues.

Needs RabbitMQ 3.10 or newer (quorum queues with message TTL and at-least-once dead-lettering).
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from common.bus import Backlog, DeadLetter, FailureListener, Handler, Where, nobody
from common.bus.consumer import Consumption
from common.bus.rabbitmq import messages
from common.bus.rabbitmq.consumer import RabbitConsumer
from common.bus.rabbitmq.head import Head
from common.bus.rabbitmq.layout import Layout
from common.bus.rabbitmq.letters import Letters, waiting
from common.bus.rabbitmq.link import Link
from common.bus.rabbitmq.publisher import Publisher
from common.crash_points import crash_point
from common.events.envelope import Envelope
from common.events.topology import Topology
from common.retry import Retry
from common.stopping import FINISH_SECONDS

MOVED_AT_ONCE = 100
BYTES_AT_ONCE = 8 * 1024 * 1024
"""How many dead letters, or of what size, are redriven between two confirmations."""


class RabbitBus:
    """The transport; keeps `common.bus.Bus`."""

    def __init__(
        self,
        url: str,
        topology: Topology,
        *,
        namespace: str = "",
        retry: Retry | None = None,
        grace: float = FINISH_SECONDS,
    ) -> None:
        """Name a broker and the system on it; nothing is opened before the first use.

        `grace`: seconds that handlers get to finish when a subscription closes.
        """
        self._url = url
        self._layout = Layout(topology, namespace)
        self._retry = retry or Retry()
        self._grace = grace
        self._link = Link(url, self._make_layout)
        self._publisher = Publisher(self._link, self._layout)
        self._consumers: list[RabbitConsumer] = []
        self._heads: dict[str, Head] = defaultdict(Head)
        self._readers: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._pauses: dict[str, set[float]] = defaultdict(lambda: set(self._retry.ladder))

    async def declare(self) -> None:
        """Make every exchange, queue and binding of the topology; harmless when repeated.

        Bindings are only ever added: during a rolling upgrade an older process must not take away
        what a newer one wants.
        """
        await self._link.prepare()

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return when the broker has confirmed all; some may be accepted even when it has not."""
        if not envelopes:
            return
        crash_point("message.before_publish", envelopes[0].producer)
        await self._publisher.publish(envelopes)

    async def subscribe(
        self,
        queue: str,
        handler: Handler,
        *,
        retry: Retry | None = None,
        concurrency: int = 8,
        on_failure: FailureListener = nobody,
    ) -> RabbitConsumer:
        """Give each message of a queue to `handler`, at most `concurrency` at a time."""
        consumption = Consumption(
            queue=self._layout.topology.queue(queue).name,
            handler=handler,
            retry=retry or self._retry,
            concurrency=concurrency,
            grace=self._grace,
            on_failure=on_failure,
        )
        self._pauses[queue].update(consumption.retry.ladder)
        consumer = RabbitConsumer(self._url, self._layout, consumption)
        self._consumers.append(consumer)
        return consumer

    async def dead_letters(
        self, queue: str, *, limit: int = 100, heads: bool = False
    ) -> list[DeadLetter]:
        """Return the oldest dead letters of a queue, whole or their heads; they stay.

        While they are looked at, whoever else wants them waits.
        """
        async with self._letters(queue) as letters:
            found = [
                messages.dead_letter_of(one, queue, head=heads)
                async for one in letters.read(limit=limit)
            ]
        return sorted(found, key=lambda letter: letter.died_at)

    async def dead_letter(self, queue: str, letter_id: str) -> DeadLetter | None:
        """Return one dead letter of a queue, or None when it has none of this id."""
        async with (
            self._letters(queue) as letters,
            aclosing(letters.read(ids=[letter_id])) as found,
        ):
            async for letter in found:
                return messages.dead_letter_of(letter, queue)
        return None

    async def dead_letter_count(self, queue: str) -> int:
        """Return how many dead letters a queue has."""
        async with self._letters(queue) as letters:
            return await letters.count()

    async def redrive(
        self, queue: str, ids: Sequence[str] | None = None, *, where: Where | None = None
    ) -> int:
        """Give dead letters (named, chosen, or all) back to their queue; return how many."""
        moved = 0
        async with self._letters(queue) as letters:
            chosen: list[AbstractIncomingMessage] = []
            async for letter in letters.read(ids=ids):
                if not _is_chosen(letter, queue, where):
                    continue
                chosen.append(letter)
                if len(chosen) == MOVED_AT_ONCE or _bytes_of(chosen) > BYTES_AT_ONCE:
                    moved += await self._move_back(queue, letters, chosen)
                    chosen = []
            moved += await self._move_back(queue, letters, chosen)
        return moved

    async def discard(
        self, queue: str, ids: Sequence[str] | None = None, *, where: Where | None = None
    ) -> int:
        """Delete dead letters (named, chosen, or all); return how many."""
        discarded = 0
        async with self._letters(queue) as letters:
            async for letter in letters.read(ids=ids):
                if _is_chosen(letter, queue, where):
                    discarded += await letters.remove([letter])
        return discarded

    async def depth(self, queue: str) -> int:
        """Return how many messages wait for a queue or are on its ladder, or in our own hands.

        The protocol does not tell what other processes have in theirs.
        """
        return (await self.backlog(queue)).depth

    async def backlog(self, queue: str) -> Backlog:
        """Return how far behind a queue's consumers are; `depth` and `Head` say what is unknown."""
        rungs = [self._layout.rung(queue, pause) for pause in self._pauses[queue]]
        async with self._link.session() as channel:
            here = await waiting(channel, self._layout.queue(queue))
            later = [await waiting(channel, rung) for rung in rungs]
            dead_letters = await waiting(channel, self._layout.dead_letters(queue))
        ours = [one for one in self._consumers if one.queue == queue]
        for one in ours:
            self._heads[queue].taken(one.newest_taken)
        depth = here + sum(later) + sum(one.in_hand for one in ours)
        return Backlog(depth, self._heads[queue].waited(here), dead_letters)

    async def health(self) -> None:
        """Return when the broker answers; raise `errors.Unavailable` when it does not."""
        async with self._link.session():
            return

    async def close(self) -> None:
        """Close every subscription and connection."""
        await asyncio.gather(*(consumer.close() for consumer in self._consumers))
        self._consumers.clear()
        await self._link.close()

    async def _make_layout(self, channel: AbstractChannel) -> None:
        await self._layout.declare(channel, self._retry.ladder)

    @asynccontextmanager
    async def _letters(self, queue: str) -> AsyncIterator[Letters]:
        # The broker's lock is the connection's: among ourselves we keep one of our own.
        async with self._readers[queue]:
            letters = Letters(self._link.session, self._layout.dead_letters(queue))
            async with letters.opened():
                yield letters

    async def _move_back(
        self, queue: str, letters: Letters, chosen: Sequence[AbstractIncomingMessage]
    ) -> int:
        if not chosen:
            return 0
        to = self._layout.queue(queue)
        async with self._link.publishing() as channel:
            outcomes = await asyncio.gather(
                *(
                    channel.default_exchange.publish(messages.redriven(one), to, mandatory=True)
                    for one in chosen
                ),
                return_exceptions=True,
            )
            crash_point("letter.redriven", queue)
            # What went is removed whatever became of the rest: else it would be there twice.
            outcome_of = dict(zip(chosen, outcomes, strict=True))
            failures = [one for one in outcomes if isinstance(one, BaseException)]
            went = [one for one in chosen if not isinstance(outcome_of[one], BaseException)]
            moved = await letters.remove(went)
            if failures:
                raise failures[0]
        return moved


def _is_chosen(letter: AbstractIncomingMessage, queue: str, where: Where | None) -> bool:
    return where is None or where(messages.dead_letter_of(letter, queue, head=True))


def _bytes_of(letters: Sequence[AbstractIncomingMessage]) -> int:
    return sum(len(letter.body) for letter in letters)

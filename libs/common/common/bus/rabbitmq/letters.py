"""The dead letter queue of one queue: looked through, with what is wanted taken out.

AMQP can only look at a message by taking it, so what is not removed is put back at the end.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from common.bus.rabbitmq import messages

RETURN_TIMEOUT = 2.0
"""Seconds to wait until what was put back can be seen again; another reader may hold it by then."""
RETURN_POLL = 0.01
_ALL_IN_HAND = 0
"""The delivery tag that stands for every unacknowledged message of a channel."""


class Letters:
    """The letters of one queue, on a channel that is used for nothing else."""

    def __init__(self, channel: AbstractChannel, name: str) -> None:
        self._channel = channel
        self._name = name
        self._in_hand = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Letters"]:
        """Lend the letters; those that were read and not removed are put back at the end."""
        yield self
        if not self._in_hand:
            return
        underlay = await self._channel.get_underlay_channel()
        await underlay.basic_nack(_ALL_IN_HAND, multiple=True, requeue=True)
        # A quorum queue takes them back a little later; until then the next reader would miss them.
        deadline = asyncio.get_running_loop().time() + RETURN_TIMEOUT
        while await waiting(self._channel, self._name) < self._in_hand:
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(RETURN_POLL)

    async def read(
        self, *, limit: int | None = None, ids: Sequence[str] | None = None
    ) -> AsyncIterator[AbstractIncomingMessage]:
        """Iterate over the letters that were there at the start, or over those named."""
        queue = await self._channel.get_queue(self._name, ensure=False)
        there = await waiting(self._channel, self._name)
        for _ in range(there if limit is None else min(there, limit)):
            letter = await queue.get(fail=False)
            if letter is None:
                return
            self._in_hand += 1
            if ids is None or messages.letter_id(letter) in ids:
                yield letter

    async def remove(self, letters: Sequence[AbstractIncomingMessage]) -> int:
        """Delete letters that were read; return how many."""
        for letter in letters:
            await letter.ack()
        self._in_hand -= len(letters)
        return len(letters)


async def waiting(channel: AbstractChannel, name: str) -> int:
    """Return how many messages of a queue are in nobody's hand."""
    queue = await channel.declare_queue(name, durable=True, passive=True)
    return queue.declaration_result.message_count or 0

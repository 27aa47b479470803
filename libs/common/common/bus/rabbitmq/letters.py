"""The dead letter queue of one queue: looked through, with what is wanted taken out.

AMQP can only look at a message by taking it, so what is not removed is put back at the end; and
while one reader has them, another would find none and believe that there are none. So one reads at
a time: whoever holds an exclusive queue beside the letters, which the broker takes away from a
connection that has gone.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import ChannelClosed

from common.bus.rabbitmq import messages
from common.errors import Unavailable

TURN_TIMEOUT = 30.0
"""Seconds to wait for another reader to end."""
TURN_POLL = 0.05
WINDOW = 100
"""Letters that are on their way to us at once: what is read as much as what is not yet."""
ARRIVAL_TIMEOUT = 5.0
"""Seconds after which a letter that was counted does not come: somebody else has taken it."""
RETURN_TIMEOUT = 2.0
"""Seconds to wait until what was put back can be seen again; a foreign reader may hold it."""
RETURN_POLL = 0.01
LOCKED = "RESOURCE_LOCKED"
"""How AMQP names the refusal (reply code 405); aio-pika gives it no class of its own."""
_ALL_IN_HAND = 0
"""The delivery tag that stands for every unacknowledged message of a channel."""

Session = Callable[[], AbstractAsyncContextManager[AbstractChannel]]
"""Lends a channel that is used for nothing else."""


class Letters:
    """The letters of one queue, in the hands of one reader."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name
        self._sessions = AsyncExitStack()
        self._channels: list[AbstractChannel] = []
        self._arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._in_hand = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Letters"]:
        """Lend the letters; those that were read and not removed are put back at the end.

        `Unavailable` when somebody else reads them for too long.
        """
        async with self._turn() as channel, self._sessions:
            yield self
            await self._put_back(channel)

    async def count(self) -> int:
        """Return how many letters there are that have not been read."""
        async with self._session() as channel:
            return await waiting(channel, self._name)

    async def read(
        self, *, limit: int | None = None, ids: Sequence[str] | None = None
    ) -> AsyncGenerator[AbstractIncomingMessage, None]:
        """Iterate over the letters that were there at the start, or over those named."""
        there = await self.count()
        wanted = there if limit is None else min(there, limit)
        names = None if ids is None else frozenset(ids)
        for number in range(wanted):
            if number % WINDOW == 0:
                await self._open_window(min(WINDOW, wanted - number))
            try:
                async with asyncio.timeout(ARRIVAL_TIMEOUT):
                    letter = await self._arrived.get()
            except TimeoutError:
                return
            if names is None or messages.letter_id(letter) in names:
                yield letter

    async def remove(self, letters: Sequence[AbstractIncomingMessage]) -> int:
        """Delete letters that were read; return how many."""
        for letter in letters:
            await letter.ack()
        self._in_hand -= len(letters)
        return len(letters)

    async def _open_window(self, size: int) -> None:
        # A consumer sends ten times as fast as single gets. The prefetch bounds what comes at once,
        # and letters that are kept in hand use it up: so each window has a channel of its own.
        if self._channels:
            await self._cancel(self._channels[-1])
        channel = await self._sessions.enter_async_context(self._session())
        await channel.set_qos(prefetch_count=size)
        queue = await channel.get_queue(self._name, ensure=False)
        self._channels.append(channel)
        await queue.consume(self._on_letter, consumer_tag=_TAG)

    async def _on_letter(self, letter: AbstractIncomingMessage) -> None:
        self._in_hand += 1
        self._arrived.put_nowait(letter)

    async def _cancel(self, channel: AbstractChannel) -> None:
        queue = await channel.get_queue(self._name, ensure=False)
        await queue.cancel(_TAG)

    async def _put_back(self, channel: AbstractChannel) -> None:
        if self._channels:
            await self._cancel(self._channels[-1])
        for used in self._channels:
            underlay = await used.get_underlay_channel()
            await underlay.basic_nack(_ALL_IN_HAND, multiple=True, requeue=True)
        if not self._in_hand:
            return
        # A quorum queue takes them back a little later; until then the next reader would miss them.
        deadline = asyncio.get_running_loop().time() + RETURN_TIMEOUT
        while await waiting(channel, self._name) < self._in_hand:
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(RETURN_POLL)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[AbstractChannel]:
        lock = f"{self._name}.reader"
        deadline = asyncio.get_running_loop().time() + TURN_TIMEOUT
        while True:
            async with self._session() as channel:
                if await _declared(channel, lock):
                    try:
                        yield channel
                    finally:
                        if not channel.is_closed:
                            await channel.queue_delete(lock)
                    return
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(f"somebody else is reading {self._name}")
            await asyncio.sleep(TURN_POLL)


_TAG = "letters"


async def waiting(channel: AbstractChannel, name: str) -> int:
    """Return how many messages of a queue are in nobody's hand."""
    queue = await channel.declare_queue(name, durable=True, passive=True)
    return queue.declaration_result.message_count or 0


async def _declared(channel: AbstractChannel, lock: str) -> bool:
    try:
        await channel.declare_queue(lock, exclusive=True, arguments={"x-queue-type": "classic"})
    except ChannelClosed as error:
        if LOCKED not in str(error):
            raise
        return False
    return True

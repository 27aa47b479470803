"""Where a consumer's copies (for a rung, the dead letters or the queue itself) leave.

A broker in an alarm (a disk or a memory that is full) no longer reads from whoever publishes: on a
connection of their own, copies that wait for its end keep no acknowledgement waiting. They are not
given up while the connection lives, which its heartbeats show: what was sent is in the broker's
buffers, and to send it once more would make it two.
"""

import asyncio
from contextlib import AsyncExitStack

from aio_pika import Message
from aio_pika.abc import AbstractChannel

from common.bus.rabbitmq.link import ANSWER_TIMEOUT, connected


class Outlet:
    """A connection for publishing, opened when there is something to publish."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._channel: AbstractChannel | None = None

    async def send(self, copy: Message, to: str) -> None:
        """Return when the broker has confirmed the copy, however long that takes."""
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._open()
        # Mandatory: were the target gone, the message would be lost with the acknowledgement.
        await self._channel.default_exchange.publish(copy, to, mandatory=True)

    async def close(self) -> None:
        """Close the connection; the next use opens another."""
        self._channel = None
        await self._connections.aclose()

    async def _open(self) -> AbstractChannel:
        await self._connections.aclose()
        connection = await self._connections.enter_async_context(connected(self._url))
        async with asyncio.timeout(ANSWER_TIMEOUT):
            return await connection.channel(on_return_raises=True)

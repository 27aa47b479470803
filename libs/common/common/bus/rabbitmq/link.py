"""Connections to the broker: opened when needed, given up when silent, opened again.

They are aio-pika's plain ones. Its robust connections restore themselves in the background, where
nobody can tell whether a consumer is back; here whoever uses a connection sees it fail.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, ChannelPreconditionFailed

from common.bus.rabbitmq.tolerance import accept_odd_properties
from common.errors import Unavailable

CONNECT_TIMEOUT = 5.0
CLOSE_TIMEOUT = 1.0
ANSWER_TIMEOUT = 10.0
"""Seconds after which a silent broker is given up."""
SESSION_TIMEOUT = 60.0
"""Seconds that an administrative act may take as a whole."""
HEARTBEAT = 5
"""Seconds; a peer that is silent for about three of them is gone."""

BROKEN = (AMQPError, OSError, RuntimeError, TimeoutError)
"""What aio-pika raises when a connection, a channel or the broker behind it is gone."""

log = structlog.get_logger()


@contextmanager
def unavailable() -> Iterator[None]:
    """Raise `Unavailable` for whatever shows that the broker cannot be reached or does not answer.

    A refusal of what was asked for (a queue that exists with other arguments) is not that.
    """
    try:
        yield
    except ChannelPreconditionFailed:
        raise
    except BROKEN as error:
        raise Unavailable(f"the broker does not answer: {error!r}") from error
    except asyncio.CancelledError as error:
        # aiormq ends what waits on a closing connection this way; it is no cancellation of ours.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Unavailable("the connection to the broker was closed") from error


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AbstractConnection]:
    """Lend a new connection."""
    connection = await _open(url)
    try:
        yield connection
    finally:
        await _close(connection)


MakeLayout = Callable[[AbstractChannel], Awaitable[None]]
"""Makes all that a publisher needs on the broker; harmless when repeated."""


class Link:
    """One connection for publishing and administration."""

    def __init__(self, url: str, make_layout: MakeLayout) -> None:
        self._url = url
        self._make_layout = make_layout
        self._connection: AbstractConnection | None = None
        self._publishing: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._preparing = asyncio.Lock()

    async def prepare(self) -> None:
        """Make the layout on the broker."""
        async with self.session() as channel:
            await self._make_layout(channel)

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[AbstractChannel]:
        """Lend the channel that all publishers share; the layout is there when it is new."""
        with unavailable():
            try:
                channel = await self._publishing_channel()
                async with asyncio.timeout(ANSWER_TIMEOUT):
                    yield channel
            except TimeoutError:
                await self.close()
                raise

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AbstractChannel]:
        """Lend a channel of its own."""
        with unavailable():
            async with asyncio.timeout(SESSION_TIMEOUT):
                async with self._opening:
                    connection = await self._usable_connection()
                async with connection.channel(on_return_raises=True) as channel:
                    yield channel

    async def missing(self, queues: Iterable[str]) -> str | None:
        """Return the first of these queues that is not on the broker, if any."""
        with unavailable():
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT), self.session() as channel:
                    return await _missing(channel, queues)
            except TimeoutError:
                await self.close()
                raise

    async def close(self) -> None:
        """Close the connection; the next use opens another."""
        connection, self._connection, self._publishing = self._connection, None, None
        if connection is not None:
            await _close(connection)

    async def _publishing_channel(self) -> AbstractChannel:
        async with self._preparing:
            if self._publishing is None or self._publishing.is_closed:
                async with self._opening:
                    connection = await self._usable_connection()
                # Whoever closed the last channel may have been a broker that knows nothing any
                # more, or one to which an exchange of ours was unknown.
                channel = await connection.channel(on_return_raises=True)
                await self._make_layout(channel)
                self._publishing = channel
            return self._publishing

    async def _usable_connection(self) -> AbstractConnection:
        if self._connection is None or not self._connection.connected.is_set():
            await self.close()
            self._connection = await _open(self._url)
        return self._connection


async def _missing(channel: AbstractChannel, queues: Iterable[str]) -> str | None:
    for queue in queues:
        try:
            await channel.declare_queue(queue, durable=True, passive=True)
        except ChannelNotFoundEntity:  # it ends the channel
            return queue
    return None


async def _open(url: str) -> AbstractConnection:
    accept_odd_properties()
    async with asyncio.timeout(CONNECT_TIMEOUT):
        return await aio_pika.connect(url, heartbeat=HEARTBEAT)


async def _close(connection: AbstractConnection) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await connection.close()
    except BROKEN as error:
        log.info("broker_connection_left_open", error=repr(error))

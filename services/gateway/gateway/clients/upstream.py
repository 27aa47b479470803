"""A service behind the gateway, over kept-alive HTTP/1.1: bytes in, bytes out.

h11 does the protocol, asyncio the rest. A general HTTP client costs several times as much for each
request (docs/benchmarks.md) and reads what a proxy must pass on unread: addresses, encodings,
cookies.
"""

import asyncio
import select
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11
import structlog

from common.errors import Unavailable

log = structlog.get_logger()

Headers = list[tuple[bytes, bytes]]

CONNECT_SECONDS = 2.0
IDLE_SECONDS = 20.0
"""Less than a service keeps an idle connection (30 s), so that it never closes one in use."""
IDLE_CONNECTIONS = 32
CHUNK_BYTES = 64 * 1024
_SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})


class Silent(Exception):
    """The service took the request and did not answer in time."""


class Broken(Exception):
    """The service's answer ended before it was complete; what was passed on must be cut."""


class _BrokeOff(Unavailable):
    """The connection ended before there was an answer; the service may have had the request."""


@dataclass(frozen=True)
class Outgoing:
    """A request on its way to a service."""

    method: bytes
    target: bytes
    """Path and query as the client sent them."""
    headers: Headers
    body: AsyncIterator[bytes] | None
    timeout: float
    """Seconds the service may be silent."""

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again although the service may have had it already."""
        return self.body is None and self.method in _SAFE_METHODS


class Answer:
    """A service's answer: its head, and its body as it comes."""

    def __init__(self, connection: "_Connection", head: h11.Response, timeout: float) -> None:
        self.status = head.status_code
        self.headers: Headers = list(head.headers)
        self._connection = connection
        self._timeout = timeout

    async def chunks(self) -> AsyncIterator[bytes]:
        """Return the body's parts; `Broken` when it ends too early."""
        try:
            while True:
                async with asyncio.timeout(self._timeout):
                    event = await self._connection.next_event()
                if not isinstance(event, h11.Data):
                    return
                yield bytes(event.data)
        except (OSError, h11.RemoteProtocolError, TimeoutError) as error:
            raise Broken(str(error) or type(error).__name__) from error


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.CLIENT)
        self._idle_since = 0.0
        self._poll = select.poll()

    async def send(self, outgoing: Outgoing) -> None:
        head = h11.Request(method=outgoing.method, target=outgoing.target, headers=outgoing.headers)
        self._write(head)
        try:
            if outgoing.body is not None:
                async for part in outgoing.body:
                    self._write(h11.Data(data=part))
                    async with asyncio.timeout(outgoing.timeout):
                        await self._writer.drain()
            self._write(h11.EndOfMessage())
            await self._writer.drain()
        except ConnectionError:
            # It may have answered without waiting for the rest; then the answer says why.
            self._protocol.send_failed()

    def _write(self, event: h11.Event) -> None:
        data = self._protocol.send(event)
        if data:
            self._writer.write(data)

    async def next_event(self) -> object:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            data = await self._reader.read(CHUNK_BYTES)
            if not data and self._protocol.their_state is h11.SEND_RESPONSE:
                raise ConnectionResetError("the connection was closed before an answer")
            self._protocol.receive_data(data)
        return event

    async def head(self) -> h11.Response:
        while not isinstance(event := await self.next_event(), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError(f"{event} instead of an answer")
        return event

    def rest(self) -> bool:
        """Make ready for another request; False when the connection cannot take one."""
        protocol = self._protocol
        if protocol.our_state is not h11.DONE or protocol.their_state is not h11.DONE:
            return False
        protocol.start_next_cycle()
        self._idle_since = time.monotonic()
        return True

    @property
    def usable(self) -> bool:
        if time.monotonic() - self._idle_since >= IDLE_SECONDS or self._writer.is_closing():
            return False
        # The end of it may have come without the event loop having got round to it yet.
        self._poll.register(self._writer.get_extra_info("socket"), select.POLLIN)
        return not self._reader.at_eof() and not self._poll.poll(0)

    def close(self) -> None:
        self._writer.close()


class Upstream:
    """One service and the connections kept to it."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._idle: list[_Connection] = []

    @asynccontextmanager
    async def exchange(self, outgoing: Outgoing) -> AsyncIterator[Answer]:
        """Send a request and lend its answer; leaving early, or being cancelled, breaks it off.

        A request that asks and changes nothing is sent a second time when its connection breaks: a
        service that is being replaced ends those it has, and another process takes new ones.
        Raises `Unavailable` when the service cannot be reached, `Silent` when it does not answer.
        """
        try:
            connection, answer = await self._answered(outgoing)
        except _BrokeOff as broken:
            if not outgoing.repeatable:
                raise
            log.info("request_repeated", target=outgoing.target.decode(), reason=str(broken))
            connection, answer = await self._answered(outgoing)
        reusable = False
        try:
            yield answer
            reusable = len(self._idle) < IDLE_CONNECTIONS and connection.rest()
        finally:
            if reusable:
                self._idle.append(connection)
            else:
                connection.close()

    async def _answered(self, outgoing: Outgoing) -> tuple[_Connection, Answer]:
        connection = await self._connection()
        try:
            return connection, await self._answer(connection, outgoing)
        except BaseException:
            connection.close()
            raise

    async def _answer(self, connection: _Connection, outgoing: Outgoing) -> Answer:
        try:
            await connection.send(outgoing)
            async with asyncio.timeout(outgoing.timeout):
                head = await connection.head()
        except TimeoutError as error:
            raise Silent(f"no answer within {outgoing.timeout:g} s") from error
        except OSError as error:
            raise _BrokeOff(f"{self._host}:{self._port} broke off: {error!r}") from error
        except h11.RemoteProtocolError as error:
            raise Unavailable(f"{self._host}:{self._port} speaks no HTTP: {error!r}") from error
        return Answer(connection, head, outgoing.timeout)

    async def _connection(self) -> _Connection:
        while self._idle:
            # The one used last is the one most likely to be still open.
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls or None, limit=2 * CHUNK_BYTES
                )
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"{self._host}:{self._port} cannot be reached: {error}") from error
        return _Connection(reader, writer)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

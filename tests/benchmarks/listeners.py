"""Many open event streams in one process, each as cheap as asyncio makes it.

HTTP/1.0 is asked for, so that the answer is the bare stream; callbacks of the protocol read it,
without a task for each. A listener that is cut off comes back with the last id it saw, as browsers
do.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

Heard = Callable[[dict[str, Any], float], None]
"""Takes an event's data and when it was read."""


@dataclass(eq=False)
class Listener:
    """A client that follows all of its user's events."""

    address: str
    token: str
    heard: Heard
    user_id: UUID
    path: str = "/api/v1/events"
    last_seen: int | None = None
    events: int = 0
    missed: int = 0
    repeated: int = 0
    connections: int = 0
    troubles: list[str] = field(default_factory=list)
    """Answers that were no stream, and streams that ended without having been cut."""
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    _connection: "_Connection | None" = None

    async def open(self) -> None:
        """Connect; the stream is open once its first event was read."""
        self.opened.clear()
        host, _, port = urlsplit(self.address).netloc.partition(":")
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: _Connection(self), host, int(port))
        await self.opened.wait()

    def cut(self) -> None:
        """Break the connection off, whatever is under way on it."""
        if self._connection is not None:
            self._connection.drop()
            self._connection = None

    def request(self) -> bytes:
        """Return what is sent to open the stream or to go on with it."""
        resume = "" if self.last_seen is None else f"Last-Event-ID: {self.last_seen}\r\n"
        return (
            f"GET {self.path} HTTP/1.0\r\nHost: localhost\r\n"
            f"Authorization: Bearer {self.token}\r\n{resume}\r\n"
        ).encode()

    def take(self, name: str, number: int | None, data: str, now: float) -> None:
        """Count an event against the order that the log promises: without gaps or repeats."""
        if number is None:
            return
        if name != "snapshot" and self.last_seen is not None:
            self.missed += max(0, number - self.last_seen - 1)
            self.repeated += number <= self.last_seen
            self.events += 1
            self.heard(json.loads(data), now)
        self.last_seen = number


class _Connection(asyncio.Protocol):
    """One connection's bytes on their way to the listener's events."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._unread = b""
        self._in_body = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._listener._connection = self
        self._listener.connections += 1
        transport.write(self._listener.request())

    def drop(self) -> None:
        assert self._transport is not None
        self._transport.abort()
        self._transport = None

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._listener.troubles.append(f"lost: {error!r}")
            self._listener.opened.set()

    def data_received(self, data: bytes) -> None:
        if self._transport is None:  # what a cut connection still delivers was never read
            return
        now = time.perf_counter()
        self._unread += data
        if not self._in_body and not self._read_head():
            return
        *blocks, self._unread = self._unread.split(b"\n\n")
        for block in blocks:
            self._read_block(block.decode(), now)

    def _read_head(self) -> bool:
        head, end, rest = self._unread.partition(b"\r\n\r\n")
        if not end:
            return False
        first = head.split(b"\r\n", 1)[0].decode()
        if " 200 " not in first:
            self._listener.troubles.append(first)
            self._listener.opened.set()
            self.drop()
            return False
        self._in_body, self._unread = True, rest
        return True

    def _read_block(self, block: str, now: float) -> None:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        identity = fields.get("id")
        number = None if identity is None else int(identity)
        self._listener.take(fields.get("event", ""), number, fields.get("data", ""), now)
        # The first block says that the stream is open; for a new one the snapshot comes next.
        if self._listener.last_seen is not None:
            self._listener.opened.set()

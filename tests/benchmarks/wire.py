"""A kept-alive HTTP/1.1 connection by hand: a general client costs more than the gateway."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

PULSE_SECONDS = 0.05


class Wire:
    """Asks one question at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def get(self, path: str, token: str = "") -> tuple[int, bytes]:
        """Return an answer's status and body."""
        return await self._ask("GET", path, token)

    async def post(
        self, path: str, token: str, body: bytes = b"", content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """Send a body; return the answer's status and body."""
        described = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        return await self._ask("POST", path, token, described, body)

    async def _ask(
        self, method: str, path: str, token: str, described: str = "", body: bytes = b""
    ) -> tuple[int, bytes]:
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}{described}\r\n"
        self._writer.write(head.encode() + body)
        return await self._answer()

    async def _answer(self) -> tuple[int, bytes]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        if b"transfer-encoding: chunked" in head:
            return status, await self._chunks()
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return status, await self._reader.readexactly(int(length))

    async def seconds(self, path: str, token: str = "") -> float:
        """Return how long an answer takes that must be 200."""
        started = time.perf_counter()
        status, body = await self.get(path, token)
        assert status == 200, (path, status, body)
        return time.perf_counter() - started

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return body


@asynccontextmanager
async def wire(address: str) -> AsyncIterator[Wire]:
    """Lend a connection."""
    where = urlsplit(address)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def pulse(address: str) -> AsyncIterator[list[float]]:
    """Lend the seconds that `/health` takes, asked all the time until the block ends.

    It waits for nothing but the event loop: what it takes longer than at rest is the loop's lag, as
    seen from outside.
    """
    beats: list[float] = []

    async def beat() -> None:
        async with wire(address) as line:
            while True:
                beats.append(await line.seconds("/health"))
                await asyncio.sleep(PULSE_SECONDS)

    task = asyncio.create_task(beat())
    try:
        yield beats
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

"""A kept-alive HTTP/1.1 connection by hand: a general client costs more than the gateway."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.benchmarks.figures import milliseconds

PULSE_SECONDS = 0.05
LAG_BUCKET = re.compile(
    rb'^sigmasight_event_loop_lag_seconds_bucket{[^}]*le="([^"]+)"[^}]*} (\S+)$', re.MULTILINE
)


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


@dataclass
class Pulse:
    """How quickly a gateway answers `/health`, and how late its event loop says that it wakes."""

    beats: list[float] = field(default_factory=list)
    lags: Counter[float] = field(default_factory=Counter)
    """Wakings that were at most so many seconds late."""

    def lag(self, q: float) -> float:
        """Return the least bound of the histogram that holds this part of the wakings."""
        everything = max(self.lags.values())
        return min(bound for bound, count in self.lags.items() if count >= q * everything)

    def __str__(self) -> str:
        told = milliseconds(self.beats, 0.95, 0.99)
        return f"{told}; lag p50 ≤ {self.lag(0.5) * 1000:g} ms, p99 ≤ {self.lag(0.99) * 1000:g} ms"


@asynccontextmanager
async def pulse(address: str) -> AsyncIterator[Pulse]:
    """Feel a gateway's pulse until the block ends."""
    felt = Pulse()

    async def beat(line: Wire) -> None:
        while True:
            felt.beats.append(await line.seconds("/health"))
            await asyncio.sleep(PULSE_SECONDS)

    async with wire(address) as line:
        before = await _lags(address)
        task = asyncio.create_task(beat(line))
        try:
            yield felt
            felt.lags = await _lags(address) - before
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _lags(address: str) -> Counter[float]:
    async with wire(address) as line:
        _, metrics = await line.get("/metrics")
    return Counter({float(le): int(float(count)) for le, count in LAG_BUCKET.findall(metrics)})

"""The gateway under test: how it is built, what its streams say, and services that misbehave."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from common.clock import Clock, system_clock
from common.service import Platform, Service
from gateway.main import build
from gateway.settings import Settings
from tests.support.databases import FreshDatabase
from tests.support.harness import Harness, running

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def gateway_with(
    database: FreshDatabase,
    home: Path,
    settings: Settings | None = None,
    *,
    clock: Clock = system_clock,
    **addresses: str,
) -> AsyncIterator[Harness]:
    """Run a gateway, with some services at addresses of their own."""

    def service(platform: Platform) -> Service:
        known = {**platform.addresses, **addresses}
        return build(settings or Settings(), replace(platform, addresses=known, clock=clock))

    async with running("gateway", service, database, home) as harness:
        yield harness


@pytest.fixture
async def gateway(database, tmp_path) -> AsyncIterator[Harness]:
    """A gateway with its usual settings."""
    async with gateway_with(database, tmp_path) as harness:
        yield harness


@asynccontextmanager
async def raw_service(serve: Serve) -> AsyncIterator[str]:
    """Lend the address of a service that does to each connection what the test says."""
    hands: set[asyncio.Task[None]] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        hands.add(task)
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield "http://{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()
        for task in hands:
            task.cancel()
        await asyncio.gather(*hands, return_exceptions=True)


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """Return a request's head."""
    return await reader.readuntil(b"\r\n\r\n")


@dataclass(frozen=True)
class Frame:
    """One event of a stream, or a comment."""

    event: str | None
    data: Any
    id: str | None
    comment: str | None


class EventStream:
    """A client of a stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def frame(self, seconds: float = 10.0) -> Frame:
        """Return the next frame; StopAsyncIteration when the stream has ended."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(seconds):
            while line := await anext(self._lines):
                name, _, value = line.partition(":")
                fields[name or "comment"] = value.removeprefix(" ")
        data = json.loads(fields["data"]) if "data" in fields else None
        return Frame(fields.get("event"), data, fields.get("id"), fields.get("comment"))

    async def event(self) -> Frame:
        """Return the next event, passing over comments."""
        while (frame := await self.frame()).event is None:
            continue
        return frame

    async def events(self, count: int) -> list[Frame]:
        """Return so many events."""
        return [await self.event() for _ in range(count)]

    async def ends(self) -> bool:
        """Whether the stream ends cleanly now, comments aside."""
        try:
            await self.event()
        except StopAsyncIteration:
            return True
        return False


@asynccontextmanager
async def listening(
    gateway: Harness,
    user_id: UUID,
    path: str = "/api/v1/events",
    last_event_id: str | None = None,
    **token: Any,
) -> AsyncIterator[EventStream]:
    """Open a stream as a user."""
    headers = gateway.neighbours.bearer(user_id, **token)
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    async with gateway.http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield EventStream(answer)

"""One service on real Postgres behind a real socket, with its neighbours and the bus stood in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import uvicorn

from common.events import Envelope, Event
from common.service import Platform, Service, host, listen
from common.settings import SERVICES, SharedSettings
from tests.support.databases import ROLE_SECRET, FreshDatabase
from tests.support.neighbours import Neighbours
from tests.support.recording_bus import RecordingBus

INTERNAL_TOKEN = "only-for-tests"


@dataclass
class Harness:
    """A running service and what surrounds it."""

    service: Service
    platform: Platform
    bus: RecordingBus
    neighbours: Neighbours
    http: httpx.AsyncClient
    """Speaks to the service; not as another service: add `internal` to headers for that."""
    internal: dict[str, str]

    async def deliver(
        self, event: Event, *, user_id: UUID | None = None, run_id: UUID | None = None
    ) -> Envelope:
        """Hand the service an event as its subscription would."""
        envelope = Envelope.of(event, producer="test", user_id=user_id, run_id=run_id)
        await self.service.handle(envelope)
        return envelope

    async def eventually(self, predicate: Callable[[], Any], seconds: float = 30.0) -> Any:
        """Return the predicate's first true value; AssertionError when it stays false."""
        async with asyncio.timeout(seconds):
            while not (value := predicate()):
                await asyncio.sleep(0.01)
        return value


@asynccontextmanager
async def running(
    name: str,
    build: Callable[[Platform], Service],
    database: FreshDatabase,
    home: Path,
) -> AsyncIterator[Harness]:
    """Run one service as its own process would, in this loop."""
    bus, neighbours = RecordingBus(), Neighbours()
    async with _serving(neighbours) as neighbourhood:
        listener = listen("127.0.0.1", 0)
        platform = Platform(
            shared=SharedSettings(
                environment="test", database_url=database.url, namespace=database.namespace
            ),
            bus=bus,
            addresses=dict.fromkeys(SERVICES, neighbourhood),
            home=home,
            internal_token=INTERNAL_TOKEN,
            role_secret=ROLE_SECRET,
        )
        service = build(platform)
        ready = asyncio.Event()
        task = asyncio.create_task(host([service], platform, {name: listener}, on_ready=ready.set))
        waiter = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if task.done():
            task.result()
        address = "http://{}:{}".format(*listener.getsockname())
        async with httpx.AsyncClient(
            # Reading authorities that nobody asks for would take 30 ms of each test.
            base_url=address,
            trust_env=False,
            verify=False,
            timeout=20,
        ) as http:
            yield Harness(
                service,
                platform,
                bus,
                neighbours,
                http,
                {"X-Internal-Token": INTERNAL_TOKEN},
            )
        platform.stopping.set()
        await task
    assert bus.undescribed == []


@asynccontextmanager
async def _serving(neighbours: Neighbours) -> AsyncIterator[str]:
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(neighbours.app, log_config=None, lifespan="off", ws="none")
    )
    task = asyncio.create_task(server._serve(sockets=[listener]))
    try:
        yield "http://{}:{}".format(*listener.getsockname())
    finally:
        server.should_exit = True
        await task

"""What a service is, what a process lends it, and how a process hosts one or many.

`build(settings, platform) -> Service` is the whole contract. Alone (`python -m auth.main`) and all
together (`deploy/embedded`) are the same call of `host`.
"""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import structlog
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.engine import URL

from common import migrations
from common.bus import Bus
from common.client import ServiceClient
from common.clock import Clock, system_clock
from common.db import (
    Database,
    parse_url,
    role_name,
    role_password,
    unavailable_when_away,
)
from common.dead_letters import api as letters
from common.errors import DatabaseAway, Unavailable
from common.events import Envelope, Message, Unparseable
from common.identity import CLOCKS_APART_SECONDS
from common.observation import observing
from common.server import Close, serve
from common.settings import SharedSettings, schema_of
from common.stopping import Stopping
from common.telemetry import Recorder, Telemetry, counting_failures, handling
from common.unit_of_work import Cause, Unit, UnitOfWork

log = structlog.get_logger()

HOLDING_SECONDS = 600.0
"""How long a handler holds its message while the database is away: RabbitMQ closes the channel of
whoever has held one for half an hour."""
PAUSE_SECONDS = 1.0
"""Between two looks whether the database is back."""

MessageHandler = Callable[[Any, Any, Unit], Awaitable[None]]
"""`(event, store, unit)`: one short transaction, no other I/O."""

Subscriptions = tuple[tuple[type[Message], MessageHandler], ...]


@dataclass(frozen=True)
class Platform:
    """What a process lends its services."""

    shared: SharedSettings
    bus: Bus
    addresses: Mapping[str, str]
    """Base URL of every service, by name."""
    home: Path
    """Where a service may keep a secret of its own between starts."""
    internal_token: str
    role_secret: str = ""
    database_overrides: Mapping[str, str] = field(default_factory=dict)
    """`<NAME>_DATABASE_URL` by service name; used as they are."""
    clock: Clock = system_clock
    stopping: Stopping = field(default_factory=Stopping)
    """Set when the process should end: streams end, hosts stop."""
    recorder: Callable[[str], Recorder] | None = None
    """Records a service's spans; None when nothing exports them."""
    _telemetry: dict[str, Telemetry] = field(default_factory=dict)

    def database(self, service: str) -> Database:
        """Return a service's database, reached with the service's own role."""
        schema = schema_of(service)
        override = self.database_overrides.get(service)
        if override:
            return Database(parse_url(override), schema, self.shared.database_pool_size)
        url = role_url(self.shared, schema, self.role_secret)
        return Database(url, schema, self.shared.database_pool_size)

    def telemetry(self, service: str) -> Telemetry:
        """Return a service's metrics and spans, the same on every call."""
        if service not in self._telemetry:
            recorder = self.recorder(service) if self.recorder else None
            self._telemetry[service] = Telemetry.of(service, recorder)
        return self._telemetry[service]

    def unit_of_work(self, service: str) -> UnitOfWork:
        """Return what opens a service's transactions."""
        return UnitOfWork(
            self.database(service),
            producer=service,
            clock=self.clock,
            telemetry=self.telemetry(service),
        )

    def client(self, service: str) -> ServiceClient:
        """Return a client of another service."""
        return ServiceClient(self.addresses[service], self.internal_token, peer=service)


def role_url(shared: SharedSettings, schema: str, role_secret: str) -> URL:
    """Return the address of the shared database as the role that owns a schema."""
    role = role_name(shared.namespace, schema)
    return parse_url(shared.database_url).set(
        username=role, password=role_password(role_secret, role)
    )


@dataclass(frozen=True)
class Service:
    """All that a service is."""

    name: str
    app: FastAPI
    unit_of_work: UnitOfWork
    resources: Callable[[], AbstractAsyncContextManager[None]]
    """What runs while the service does: relay, worker, pools, caches."""
    subscriptions: Subscriptions = ()
    store: Callable[[Unit], Any] = lambda unit: unit
    """Makes the repository that handlers are given."""
    concurrency: int = 6
    """Deliveries in hand at once: their transactions wait for the disk together, and leave two of
    the pool's eight connections to requests and the relay."""
    _held: dict[object, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Why each message that waits for the database does."""

    @property
    def waits(self) -> str | None:
        """Return why messages are held until the database is back; None when none is."""
        return next(iter(self._held.values()), None)

    @property
    def database(self) -> Database:
        """Return the service's database."""
        return self.unit_of_work.database

    async def handle(self, envelope: Envelope) -> None:
        """Do what the service does when this is delivered: once in effect, in one transaction."""
        telemetry, clock = self.unit_of_work.telemetry, self.unit_of_work.clock
        with handling(telemetry, clock, self.name, envelope) as note:
            note(await self._take_once_it_can(envelope))

    async def _take_once_it_can(self, envelope: Envelope) -> Literal["done", "repeat"]:
        # While the database is away nothing here can be done, so nothing more is taken and nothing
        # has failed: each slot waits with what it holds, and the rest waits in the queue.
        patience_ends = time.monotonic() + HOLDING_SECONDS
        delivery = object()
        try:
            while True:
                try:
                    return await self._take(envelope)
                except DatabaseAway as away:
                    if time.monotonic() >= patience_ends:
                        raise
                    log.warning("handler_waits", message_id=str(envelope.id), reason=str(away))
                    self._held[delivery] = str(away)
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._held.pop(delivery, None)

    async def _take(self, envelope: Envelope) -> Literal["done", "repeat"]:
        message = envelope.message()
        handler = dict(self.subscriptions).get(type(message))
        if handler is None:
            raise Unparseable(f"{self.name} does not listen to {envelope.routing_key}")
        async with self.unit_of_work.begin(Cause.of(envelope)) as unit:
            if not await self.unit_of_work.first_time(unit, envelope):
                log.info("repeat_dropped", message_id=str(envelope.id))
                return "repeat"
            await handler(message, self.store(unit), unit)
        return "done"


async def host(
    services: Sequence[Service],
    platform: Platform,
    sockets: Mapping[str, socket.socket],
    *,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Run services in this process until `platform.stopping` is set; then end them in order."""
    async with AsyncExitStack() as stack:
        for service in services:
            stack.push_async_callback(service.database.close)
        if not platform.shared.skip_startup_validation:
            await _check_clock(services[0].database, platform.clock)
        for service in services:  # one by one: Alembic keeps the migration under way in a global
            await migrations.upgrade(service.database, schema_of(service.name))
        # Every queue exists before any relay starts: an event can never precede its queue.
        await platform.bus.declare()
        for service in services:
            service.app.state.readiness["bus"] = platform.bus.health
            letters.install(
                service.app, service.name, service.unit_of_work, platform.internal_token
            )
            if service.subscriptions:
                service.app.state.readiness["consumer"] = _not_yet
            await stack.enter_async_context(service.resources())
        doors = await stack.enter_async_context(_doors())
        for service in services:
            doors.append(
                await serve(
                    service.app, sockets[service.name], platform.stopping, name=service.name
                )
            )
        for service in services:
            if service.subscriptions:
                doors.append(await _consume(service, platform.bus))
        await stack.enter_async_context(observing(services, platform.bus))
        on_ready()
        await platform.stopping.wait()


@asynccontextmanager
async def _doors() -> AsyncIterator[list[Close]]:
    """Lend a list of what closes the ways in; at the end of the block all close, at once.

    One after the other, those that come last would take new work while the first ones finish.
    """
    doors: list[Close] = []
    try:
        yield doors
    finally:
        outcomes = await asyncio.gather(*(close() for close in doors), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome


async def _check_clock(database: Database, clock: Clock) -> None:
    """Refuse to start when leases (the database's time) and tokens (ours) would disagree."""
    with unavailable_when_away():
        async with database.engine.connect() as connection:
            theirs = await connection.scalar(select(func.now()))
    apart = abs((clock() - theirs).total_seconds()) if theirs else 0.0
    if apart > CLOCKS_APART_SECONDS:
        raise ValueError(
            f"the clocks of this machine and of the database are {apart:.0f} s apart: set them, "
            "or start with SKIP_STARTUP_VALIDATION=true"
        )


async def _not_yet() -> None:
    raise Unavailable("the consumer has not started yet")


async def _consume(service: Service, bus: Bus) -> Close:
    subscription = await bus.subscribe(
        service.name,
        service.handle,
        concurrency=service.concurrency,
        on_failure=counting_failures(service.unit_of_work.telemetry.metrics),
    )

    async def progresses() -> None:
        if not subscription.healthy:
            raise Unavailable("the consumer is not taking messages")
        if service.waits is not None:
            raise Unavailable(f"messages are held: {service.waits}")

    service.app.state.readiness["consumer"] = progresses
    return subscription.close


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set `stopping` at SIGINT and SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)


def listen(address: str, port: int) -> socket.socket:
    """Return a listening socket; OSError when the port is taken. Port 0 takes any free one."""
    # Named, because asyncio sets TCP_NODELAY only on sockets that say they are TCP: without it the
    # second write of an answer waits 40 ms for the first one's acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise
    listener.listen(512)
    return listener

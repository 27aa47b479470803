"""Both transports as the bus suite sees them: one database and one broker, a namespace per test."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import asyncpg
import pytest

from common.bus import Bus
from common.bus.connect import connect
from common.bus.rabbitmq.layout import Layout
from common.events.topology import Queue, Topology
from common.retry import Retry
from tests.support.brokers import forget_namespace
from tests.support.tcp_proxy import at_port

ROOT = Path(__file__).parents[2]
LADDER = (0.05, 0.1, 0.2)
LEASE = 1.0
ONE_QUEUE = Topology((Queue("orders", ("order.*.v1",)),))


@dataclass
class Transport:
    """A transport under test, and what only a test does to it."""

    url: str
    topology: Topology
    namespace: str = field(default_factory=lambda: f"t{token_hex(4)}")
    _buses: list[Bus] = field(default_factory=list)

    def bus(self, *, at: str | None = None, grace: float = 10.0) -> Bus:
        """Return a bus of this namespace; it is closed after the test."""
        bus = connect(
            at or self.url,
            self.topology,
            namespace=self.namespace,
            retry=Retry(LADDER),
            lease=LEASE,
            grace=grace,
        )
        self._buses.append(bus)
        return bus

    async def by_hand(self, routing_key: str, body: str) -> None:
        """Publish as the operations guide tells an operator to."""
        raise NotImplementedError

    async def clean(self) -> None:
        """Leave nothing of this namespace behind."""

    async def close(self) -> None:
        """Close every bus and clean up."""
        await asyncio.gather(*(bus.close() for bus in self._buses))
        await self.clean()

    @asynccontextmanager
    async def worker(self, behaviour: str, queue: str = "orders") -> AsyncIterator["Worker"]:
        """Lend a consumer in a process of its own; it is killed at the end."""
        options = {
            "url": self.url,
            "namespace": self.namespace,
            "queue": queue,
            "ladder": LADDER,
            "lease": LEASE,
            "behaviour": behaviour,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.bus_worker",
            json.dumps(options),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        worker = Worker(process)
        try:
            yield worker
        finally:
            await worker.kill()

    def through(self, port: int) -> str:
        """Return this transport's address as seen through a proxy's port."""
        return at_port(self.url, port)


class PostgresTransport(Transport):
    """A database of the run's own."""

    async def by_hand(self, routing_key: str, body: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(
                "SELECT bus.send($1, $2, $3)", routing_key, body, self.namespace
            )
        finally:
            await connection.close()


class RabbitTransport(Transport):
    """A namespace on a broker."""

    async def by_hand(self, routing_key: str, body: str) -> None:
        layout = Layout(self.topology, self.namespace)
        async with await aio_pika.connect(self.url) as connection, connection.channel() as channel:
            exchange = await channel.get_exchange(layout.exchange_name(routing_key))
            await exchange.publish(aio_pika.Message(body.encode()), routing_key)

    async def clean(self) -> None:
        await forget_namespace(self.url, self.namespace, self.topology, LADDER)


@dataclass
class Worker:
    """A consumer in another process."""

    process: asyncio.subprocess.Process
    unread: list[str] = field(default_factory=list)

    async def says(self, line: str) -> None:
        """Return when it has said this line; what it says before is not heard."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while said := await self.process.stdout.readline():
                if said.decode().strip() == line:
                    return
        raise AssertionError(f"it died without saying {line!r}")

    async def until_dead(self) -> list[str]:
        """Return the lines it says until it ends by itself."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            return (await self.process.stdout.read()).decode().splitlines()

    async def last_words(self) -> list[str]:
        """Kill it and return the lines it had said that nobody has read."""
        await self.kill()
        return self.unread

    async def kill(self) -> None:
        """End it as the kernel would."""
        if self.process.returncode is None:
            self.process.kill()
            said, _ = await self.process.communicate()
            self.unread = said.decode().splitlines()


@pytest.fixture(scope="session")
def bus_database(postgres_admin_url: str) -> Iterator[str]:
    """The address of a database in which only the bus suite works."""
    name = f"test_{token_hex(4)}"

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(postgres_admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(execute(f"CREATE DATABASE {name}"))
    yield urlunsplit(urlsplit(postgres_admin_url)._replace(path=f"/{name}"))
    asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def topology() -> Topology:
    """The queues of a test; one that needs others parametrises this."""
    return ONE_QUEUE


@pytest.fixture(params=["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
async def transport(
    request: pytest.FixtureRequest, topology: Topology, bus_database: str
) -> AsyncIterator[Transport]:
    """Each transport in turn, with everything declared."""
    transport: Transport
    if request.param == "postgres":
        transport = PostgresTransport(bus_database, topology)
    else:
        transport = RabbitTransport(request.getfixturevalue("rabbit_url"), topology)
    await transport.bus().declare()
    yield transport
    await transport.close()


@pytest.fixture
def bus(transport: Transport) -> Bus:
    """A bus of the transport."""
    return transport.bus()

"""SIGTERM to a process with a message and work in hand, which a lock in the database holds up."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest

from common.bus import Bus
from common.bus.connect import connect
from common.db import dsn, parse_url, role_name, role_password
from common.events import Envelope
from common.events.topology import TOPOLOGY
from common.stopping import FINISH_SECONDS, GRACE_SECONDS
from tests.support.brokers import forget_namespace
from tests.support.databases import ROLE_SECRET, FreshDatabase
from tests.support.risk_engine import book, event, position
from tests.support.system import Process, eventually, free_port, wait_until_ready

pytestmark = pytest.mark.timeout(240)

LEASE_SECONDS = 15.0
HELD_UP = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'sigmasight-marketdata' AND wait_event_type = 'Lock'"
)


@dataclass
class Marketdata:
    """Processes of one service, and locks on what they write to."""

    database: FreshDatabase
    broker: str
    home: Path
    bus: Bus
    sql: asyncpg.Connection
    locks: dict[str, asyncpg.Connection]

    def process(self, name: str) -> tuple[Process, str]:
        """Return a running process that is ready, and its address."""
        port = free_port()
        environment = {
            "DATABASE_URL": self.database.url,
            "BROKER": self.broker,
            "NAMESPACE": self.database.namespace,
            "SERVICE_ROLE_SECRET": ROLE_SECRET,
            "SIGMASIGHT_HOME": str(self.home),
            "MARKETDATA_PORT": str(port),
        }
        given = {key: value for key, value in environment.items() if value}
        process = Process("marketdata.main", given, self.home / f"{name}.log")
        process.start()
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(address, [process])
        return process, address

    async def lock(self, table: str) -> None:
        """Hold up whoever touches a table."""
        connection = self.locks[table] = await asyncpg.connect(self.database.url)
        await connection.execute(f"BEGIN; LOCK TABLE marketdata.{table}")

    async def release(self, table: str) -> None:
        await self.locks.pop(table).close()

    async def new_portfolio(self) -> None:
        await self.bus.publish([Envelope.of(event(book(position("AAPL", 10))), producer="test")])

    async def held_up(self, count: int) -> float:
        """Return the seconds until so many statements wait for a lock."""
        began = time.monotonic()

        async def waiting() -> bool:
            return bool(await self.sql.fetchval(HELD_UP) == count)

        await eventually(waiting)
        return time.monotonic() - began

    async def holds_a_message_and_work(self) -> None:
        """Let whoever is there take one of each."""
        await self.lock("bars")
        await self.new_portfolio()
        await self.held_up(1)
        await self.lock("holdings")
        await self.new_portfolio()
        await self.held_up(2)

    async def rows(self, table: str) -> list[asyncpg.Record]:
        return list(await self.sql.fetch(f"SELECT * FROM marketdata.{table}"))

    async def nothing_left(self) -> bool:
        """Whether both messages and both works are done, each once."""
        assert await self.bus.dead_letters("marketdata") == []
        # What risk-engine hears: two portfolios, two answers about prices.
        return (
            await self.bus.depth("marketdata") == 0
            and await self.rows("work") == []
            and await self.rows("outbox") == []
            and len(await self.rows("inbox")) == 2
            and await self.bus.depth("risk-engine") == 4
        )


@pytest.fixture(params=["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
async def marketdata(request, database: FreshDatabase, tmp_path) -> AsyncIterator[Marketdata]:
    broker = "" if request.param == "postgres" else request.getfixturevalue("rabbit_url")
    async with connected(database, broker) as bus:
        await bus.declare()
        sql = await asyncpg.connect(database.url)
        lent = Marketdata(database, broker, tmp_path, bus, sql, {})
        yield lent
        for lock in [*lent.locks.values(), sql]:
            await lock.close()
    if broker:
        await forget_namespace(broker, database.namespace)


@asynccontextmanager
async def connected(database: FreshDatabase, broker: str) -> AsyncIterator[Bus]:
    role = role_name(database.namespace, "bus")
    own = parse_url(database.url).set(username=role, password=role_password(ROLE_SECRET, role))
    bus = connect(broker or dsn(own), TOPOLOGY, namespace=database.namespace)
    try:
        yield bus
    finally:
        await bus.close()


async def test_what_is_in_hand_is_finished_and_taken_once(marketdata: Marketdata):
    process, address = await asyncio.to_thread(marketdata.process, "only")
    await marketdata.holds_a_message_and_work()
    told = time.monotonic()
    process.signal(signal.SIGTERM)
    await asyncio.sleep(1.0)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health", trust_env=False)
    await marketdata.new_portfolio()  # which is no longer for this one
    await marketdata.release("holdings")
    await marketdata.release("bars")
    assert await asyncio.to_thread(process.ended, within=30) == 0, process.tail()
    assert time.monotonic() - told < GRACE_SECONDS

    assert len(await marketdata.rows("inbox")) == 2
    assert await marketdata.bus.depth("marketdata") == 1
    assert await marketdata.bus.dead_letters("marketdata") == []
    # The first one's work is done; the second one's was left by its handler, and is nobody's.
    [left] = await marketdata.rows("work")
    assert (left["attempts"], left["lease_until"]) == (0, None)
    assert await marketdata.rows("outbox") == []


async def test_what_is_too_slow_is_handed_back_and_taken_by_another_at_once(
    marketdata: Marketdata,
):
    process, _ = await asyncio.to_thread(marketdata.process, "first")
    await marketdata.holds_a_message_and_work()
    other, _ = await asyncio.to_thread(marketdata.process, "second")
    told = time.monotonic()
    process.signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.ended, within=30) == 0, process.tail()
    assert FINISH_SECONDS <= (seconds := time.monotonic() - told) < GRACE_SECONDS, seconds
    # Both wait for the locks again, and it is the other one's statements that do.
    assert await marketdata.held_up(2) < LEASE_SECONDS / 2
    await marketdata.release("holdings")
    await marketdata.release("bars")
    await eventually(marketdata.nothing_left)
    assert other.stop() == 0, other.tail()

"""A service's pool: what a transaction costs, what a lost server costs, how large it may grow."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import event, text

from common.bus.postgres import CONNECTIONS
from common.db import Database, parse_url, role_name, role_password
from common.events.topology import TOPOLOGY
from common.settings import SERVICES, SharedSettings
from common.unit_of_work import UnitOfWork
from tests.support.databases import ROLE_SECRET, FreshDatabase

AS_IT_COMES = 100 - 3
"""Postgres' own `max_connections`, less those kept for its superuser."""


@pytest.fixture
async def pool(database: FreshDatabase) -> AsyncIterator[Database]:
    role = role_name(database.namespace, "chat")
    url = parse_url(database.url).set(username=role, password=role_password(ROLE_SECRET, role))
    own = Database(url, "chat")
    yield own
    await own.close()


async def pids(pool: Database, count: int) -> set[int]:
    """Return the servers' processes behind so many connections in use at once."""
    together = asyncio.Barrier(count)

    async def pid() -> int:
        async with pool.engine.connect() as connection:
            await together.wait()
            return int(await connection.scalar(text("SELECT pg_backend_pid()")) or 0)

    return set(await asyncio.gather(*(pid() for _ in range(count))))


async def test_a_transaction_sends_its_own_statements_and_nothing_else(pool: Database):
    sent: list[str] = []

    def listen(adapted, _record) -> None:
        adapted.driver_connection.add_query_logger(lambda query: sent.append(query.query))

    event.listen(pool.engine.sync_engine, "connect", listen)
    unit_of_work = UnitOfWork(pool, producer="test")
    for _ in range(2):  # the first makes the connection
        sent.clear()
        async with unit_of_work.begin() as unit:
            await unit.connection.execute(text("SELECT 1"))
    # The driver does not log what it has prepared, which is the statement between the two.
    assert [query.rstrip(";") for query in sent] == ["BEGIN", "COMMIT"]


async def test_connections_that_the_server_has_closed_are_replaced_unnoticed(
    pool: Database, postgres_admin_url: str
):
    before = await pids(pool, 4)
    admin = await asyncpg.connect(postgres_admin_url)
    await admin.execute("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", before)
    await admin.close()
    await asyncio.sleep(0.1)
    after = await pids(pool, 4)
    assert len(after) == 4
    assert before.isdisjoint(after)


def test_seven_processes_fit_into_a_postgres_as_it_comes():
    default: int = SharedSettings.model_fields["database_pool_size"].default
    per_process = default + CONNECTIONS
    listening = len(TOPOLOGY.queues) + 1  # consumers, and the gateway for its streams
    assert len(SERVICES) * per_process + listening < AS_IT_COMES

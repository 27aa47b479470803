"""Seven processes in a storm: their services killed, their broker and their database restarted.

Meanwhile people import, and ask again until they are answered. FAULT_IMPORTS says how many.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from common.settings import SERVICES
from tests.support.crowd import STOCKS, Crowd
from tests.support.databases import connected, fresh_database
from tests.support.invariants import at_rest
from tests.support.private_servers import PrivatePostgres, PrivateRabbit
from tests.support.system import SevenProcesses
from tests.support.victim import QUICK

pytestmark = [pytest.mark.fault, pytest.mark.rabbitmq, pytest.mark.timeout(3600)]

IMPORTS = int(os.environ.get("FAULT_IMPORTS") or 1_000)
IMPORTERS = 6
LISTENERS = 20
RESTARTS = 5
"""Of the broker, and as many of the database."""
BETWEEN_KILLS = (2.0, 5.0)
"""Seconds."""
TO_REST = 180.0
COUNTS = """
SELECT (SELECT count(*) FROM onboarding.portfolios) AS accepted,
       (SELECT count(DISTINCT portfolio_id) FROM risk_engine.results) AS calculated,
       (SELECT count(*) FROM scheduler.runs WHERE status = 'completed') AS completed
"""


@pytest.fixture
async def weather(
    tmp_path: Path,
) -> AsyncIterator[tuple[SevenProcesses, PrivateRabbit, PrivatePostgres]]:
    """The seven processes on servers of their own, and these servers."""
    async with AsyncExitStack() as stack:
        broker = PrivateRabbit(tmp_path / "rabbit")
        database = PrivatePostgres(tmp_path / "postgres")
        for server in (broker, database):
            await server.start()
            stack.push_async_callback(server.close)
        fresh = await stack.enter_async_context(fresh_database(database.url))
        system = SevenProcesses(
            tmp_path / "home", fresh.url, broker.url, fresh.namespace, extra=QUICK
        )
        stack.callback(system.stop)
        await asyncio.to_thread(system.start)
        yield system, broker, database


async def test_imports_outlast_kills_and_restarts_of_everything(weather, fault):
    system, *servers = weather
    chance = random.Random(fault.seed)
    people = random.Random(fault.seed)
    crowd = Crowd(system.address, people, system.bus(), system.admin_url, listeners=LISTENERS)
    killed: Counter[str] = Counter()
    done = 0

    async def import_one() -> None:
        nonlocal done
        person = await crowd.newcomer()
        await person.upload(*people.sample(STOCKS, 2))
        await person.close()
        done += 1

    async def keep_importing(numbers: Iterator[int]) -> None:
        for _ in numbers:
            await import_one()

    async def keep_killing() -> None:
        while True:
            await asyncio.sleep(chance.uniform(*BETWEEN_KILLS))
            service = chance.choice(SERVICES)
            if system.kill_one(service) is not None:
                killed[service] += 1

    async def restart_all() -> None:
        # Spread over the imports, however fast they go.
        rounds = [server for _ in range(RESTARTS) for server in servers]
        for number, server in enumerate(rounds, 1):
            while done < IMPORTS * number // (len(rounds) + 1):
                await asyncio.sleep(0.1)
            await server.restart()

    began = time.monotonic()
    numbers = iter(range(IMPORTS))
    killing = asyncio.create_task(keep_killing())
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(restart_all())
            for _ in range(IMPORTERS):
                group.create_task(keep_importing(numbers))
        took = time.monotonic() - began
        assert not killing.done(), killing
        killing.cancel()
        broken = await at_rest(
            system.admin_url(), crowd.bus, crowd.promised, crowd.heard, seconds=TO_REST
        )
        async with connected(system.admin_url()) as connection:
            [counts] = await connection.fetch(COUNTS)
        complaints = list(crowd.complaints)
    finally:
        killing.cancel()
        crowd.leave()
        await crowd.bus.close()
    rested = time.monotonic() - began - took
    print(f"{IMPORTS} imports in {took:.0f} s, at rest {rested:.0f} s later; {dict(counts)}")
    print(f"killed {dict(killed)}; {RESTARTS} restarts of each server")
    fault.note(
        **{
            "services killed in a storm": killed.total(),
            "restarts of a broker and a database survived": 2 * RESTARTS,
            "imports through a storm": counts["accepted"],
        }
    )
    assert not broken, f"{broken}\n  replay: {fault.replay()}"
    assert complaints == []
    assert killed.total() > 0
    assert dict(counts) == dict.fromkeys(("accepted", "calculated", "completed"), IMPORTS)

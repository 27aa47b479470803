"""Everything together: books coming in, people reading, streams open, on one process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.benchmarks.figures import (
    SEED,
    Figures,
    milliseconds,
    processor_seconds,
    proportional_set_size,
    size,
)
from tests.benchmarks.load import Load
from tests.benchmarks.people import people
from tests.benchmarks.wire import pulse
from tests.support.invariants import at_rest
from tests.support.system import System

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

IMPORTS = size("IMPORTS", 200)
IMPORTERS = size("IMPORTERS", 4)
READERS = size("READERS", 8)
STREAMS_EACH = size("STREAMS_EACH", 2)


@asynccontextmanager
async def watched_database(system: System) -> AsyncIterator[dict[str, int]]:
    """Lend what the system's database has seen by the end: most connections, transactions."""
    seen = {"connections": 0, "transactions": 0}
    database = await asyncpg.connect(system.admin_url())
    commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    connections = "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"

    async def look() -> None:
        before = await database.fetchval(commits)
        while True:
            seen["connections"] = max(seen["connections"], await database.fetchval(connections))
            seen["transactions"] = await database.fetchval(commits) - before
            await asyncio.sleep(0.2)

    task = asyncio.create_task(look())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await database.close()


async def test_imports_reads_and_streams_together(system: System, figures: Figures):
    load = Load(
        system.address,
        await people(system.address, IMPORTS),
        seed=SEED,
        importers=IMPORTERS,
        readers=READERS,
        streams_each=STREAMS_EACH,
    )
    bus = system.bus()
    before, used = proportional_set_size(system.process.pid), processor_seconds(system.process.pid)
    try:
        async with pulse(system.address) as felt, watched_database(system) as database:
            await load.run()
            used = processor_seconds(system.process.pid) - used
        broken = await at_rest(system.admin_url(), bus)
    finally:
        await bus.close()
    after = proportional_set_size(system.process.pid)

    connection = await asyncpg.connect(system.admin_url())
    results = await connection.fetch(
        "SELECT count(*) AS rows, count(DISTINCT portfolio_id) AS portfolios "
        "FROM risk_engine.results GROUP BY engine"
    )
    runs = await connection.fetch("SELECT status, count(*) FROM scheduler.runs GROUP BY status")
    await connection.close()
    assert broken == []
    assert [(row["rows"], row["portfolios"]) for row in results] == [(IMPORTS, IMPORTS)] * len(
        results
    )
    assert {row["status"]: row["count"] for row in runs} == {"completed": IMPORTS}
    # At rest, every stream has been told everything; give the last frames a moment on the wire.
    await asyncio.sleep(0.5)
    for name in ("portfolio.created", "risk.calculated", "run.completed"):
        times = {load.heard[person.user_id, name] for person in load.persons}
        assert times == {STREAMS_EACH}, name
    assert [trouble for each in load.listeners for trouble in each.troubles] == []
    assert sum(each.missed + each.repeated for each in load.listeners) == 0
    load.leave()

    runtime = "RabbitMQ" if system.broker else "embedded"
    figures.add(
        f"{IMPORTS} imports of 75 positions, {IMPORTERS} at once, {READERS} readers, "
        f"{len(load.listeners)} streams, seed {SEED}, {runtime}: upload to `risk.calculated`",
        f"{milliseconds(load.imports, 0.95)}; {IMPORTS / load.seconds:.1f} imports/s; "
        "lost 0, doubled 0",
    )
    figures.add(
        "the same: reads meanwhile",
        f"{len(load.reads) / load.seconds:.0f}/s; {milliseconds(load.reads, 0.95, 0.99)}",
    )
    figures.add(
        "the same: `/health` meanwhile; the event loop's lag",
        str(felt),
        "lag p99 ≤ 50 ms",
    )
    figures.add(
        "the same, per import and its reads: database transactions; processor time of the host "
        "and its children; connections at most; PSS",
        f"{database['transactions'] / IMPORTS:.0f}; {used / IMPORTS * 1000:.0f} ms; "
        f"{database['connections']}; {before:.0f} → {after:.0f} MiB",
    )

"""What a person on a laptop feels: cold start, memory, and from an upload to its result."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from risk_engine.domain import ENGINES
from tests.benchmarks.books import POSITIONS
from tests.benchmarks.figures import SEED, Figures, milliseconds, proportional_set_size, size
from tests.benchmarks.load import Load
from tests.benchmarks.people import Person, people
from tests.benchmarks.wire import Wire, wire
from tests.support.system import System

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

UPLOADS = size("UPLOADS", 50)


async def test_cold_start_memory_and_upload_to_result(tmp_path: Path, figures: Figures):
    system = System(tmp_path / "home")
    new = system.start()
    assert system.stop() == 0
    known = system.start()
    try:
        one_by_one = Load(
            system.address,
            await people(system.address, UPLOADS + 1),
            seed=SEED,
            importers=1,
            readers=0,
            streams_each=1,
        )
        await one_by_one.run()
        one_by_one.leave()
        await asyncio.sleep(1)
        memory = proportional_set_size(system.process.pid)
    finally:
        assert system.stop() == 0
    first, *warm = one_by_one.imports
    figures.add("cold start to ready, new home (initdb and all migrations)", f"{new:.1f} s")
    figures.add("cold start to ready, known home", f"{known:.1f} s", "≤ 5 s")
    figures.add(
        f"upload of {POSITIONS} positions to `risk.calculated` on SSE, {UPLOADS} users one by one",
        milliseconds(warm, 0.95),
        "p50 ≤ 500 ms, p95 ≤ 1,000 ms (eight engines)",
    )
    figures.add("the same, first upload of the process (prices and pool cold)", f"{first:.1f} s")
    figures.add(
        "PSS of host, calculation pool and Postgres after the uploads",
        f"{memory:.0f} MiB",
        "≤ 600 MiB",
    )


async def test_from_an_upload_to_all_engines_read(system: System, figures: Figures):
    """Told of the result, a client asks once: the report has all engines."""
    seconds = []
    async with wire(system.address) as line:
        for number, person in enumerate(await people(system.address, UPLOADS + 1)):
            one = Load(
                system.address, [person], seed=SEED + number, importers=1, readers=0, streams_each=1
            )
            await one.run()
            reading = await _read(line, person)
            seconds.append(one.imports[0] + reading)
            one.leave()
    first, *warm = seconds
    figures.add(
        f"upload of {POSITIONS} positions to all {len(ENGINES)} engines read through the gateway, "
        f"{UPLOADS} users one by one, {'RabbitMQ' if system.broker else 'embedded'}",
        f"{milliseconds(warm, 0.95)}; the first {first:.1f} s",
        "p50 ≤ 500 ms, p95 ≤ 1,000 ms",
    )


async def _read(line: Wire, person: Person) -> float:
    _, told = await line.get("/api/v1/auth/me", person.token)
    path = f"/api/v1/analytics/portfolio/{json.loads(told)['portfolio_id']}/report"
    started = time.perf_counter()
    status, answer = await line.get(path, person.token)
    taken = time.perf_counter() - started
    assert status == 200, answer
    assert json.loads(answer)["engines"].keys() == set(ENGINES), answer
    return taken

"""What the gateway adds to a request: the same question to the service and through it, in turn."""

import asyncio
import statistics
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.settings import SERVICES, schema_of
from tests.benchmarks.conftest import UNLIMITED
from tests.benchmarks.figures import Figures, milliseconds, size
from tests.benchmarks.people import people
from tests.benchmarks.wire import wire
from tests.support.databases import ROLE_SECRET, FreshDatabase
from tests.support.system import Process, free_port, wait_until_ready

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

REQUESTS = size("REQUESTS", 3_000)
WARM = 200
"""Requests before those that count."""
PATH = "/api/v1/auth/me"
"""Checks a token and reads two rows: as little as a service does for anybody."""


@pytest.fixture
async def addresses(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """A service and a gateway in processes of their own, by name."""
    ports = {name: free_port() for name in SERVICES}
    found = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    environment = {
        "DATABASE_URL": database.url,
        "NAMESPACE": database.namespace,
        "SERVICE_ROLE_SECRET": ROLE_SECRET,
        "INTERNAL_TOKEN": "only-for-tests",
        "SIGMASIGHT_HOME": str(tmp_path),
        **UNLIMITED,
        **{f"{schema_of(name).upper()}_URL": address for name, address in found.items()},
        **{f"{schema_of(name).upper()}_PORT": str(port) for name, port in ports.items()},
    }
    running = {
        name: Process(f"{name}.main", environment, tmp_path / f"{name}.log")
        for name in ("auth", "gateway")
    }
    for process in running.values():
        process.start()
    for name, process in running.items():
        await asyncio.to_thread(wait_until_ready, found[name], [process])
    yield found
    for process in running.values():
        process.stop()


async def test_the_gateway_adds_little_to_a_request(addresses: dict[str, str], figures: Figures):
    (person,) = await people(addresses["gateway"], 1)
    direct, through = [], []
    async with wire(addresses["auth"]) as service, wire(addresses["gateway"]) as gateway:
        assert await service.get(PATH, person.token) == await gateway.get(PATH, person.token)
        for _ in range(WARM + REQUESTS):
            direct.append(await service.seconds(PATH, person.token))
            through.append(await gateway.seconds(PATH, person.token))
    del direct[:WARM], through[:WARM]
    added = [with_it - without for with_it, without in zip(through, direct, strict=True)]
    figures.add(
        f"gateway added to a service, {REQUESTS:,} requests one by one, separate processes",
        milliseconds(added, 0.99),
        "p50 ≤ 1.5 ms",
    )
    figures.add(
        f"the same, `GET {PATH}` directly; through the gateway",
        f"{milliseconds(direct, 0.99)}; {milliseconds(through, 0.99)} "
        f"({statistics.median(through) / statistics.median(direct):.2f} of it)",
    )

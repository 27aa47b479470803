"""The system, started as its users start it, on each pair of database and transport."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.brokers import forget_namespace
from tests.support.databases import fresh_database
from tests.support.spy import Spy
from tests.support.system import SevenProcesses, System

RUNTIMES = ["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]
"""In one process."""
PROCESSES = pytest.param("processes", marks=pytest.mark.rabbitmq)
"""In seven."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[*RUNTIMES, PROCESSES])
async def system(request, tmp_path_factory) -> AsyncIterator[System]:
    """A running system of this module's own, stopped as Ctrl-C would."""
    home = tmp_path_factory.mktemp("home")
    if request.param == "embedded":
        embedded = System(home)
        embedded.start()
        yield embedded
        assert embedded.stop() == 0, embedded.process.tail()
        return
    broker = request.getfixturevalue("rabbit_url")
    kind = SevenProcesses if request.param == "processes" else System
    async with fresh_database(request.getfixturevalue("postgres_admin_url")) as fresh:
        deployed = kind(home, fresh.url, broker, fresh.namespace)
        deployed.start()
        yield deployed
        assert deployed.stop() == 0, deployed.process.tail()
        await forget_namespace(broker, fresh.namespace)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spy(system: System) -> AsyncIterator[Spy]:
    """Hear all that the system says from its start to its end; every word must be as described."""
    listening = Spy(system.bus_url(), system.namespace)
    await listening.open()
    yield listening
    assert await listening.faults() == []
    await listening.close()

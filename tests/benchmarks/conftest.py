"""What benchmarks share: the rows they print, and the system under load."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.benchmarks.figures import Figures
from tests.support.brokers import forget_namespace
from tests.support.databases import fresh_database
from tests.support.system import System

FIGURES = Figures()
RUNTIMES = ["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]
UNLIMITED = {
    "GATEWAY_ATTEMPTS_PER_MINUTE": "1000000",
    "GATEWAY_WRITES_PER_MINUTE": "1000000",
    "DATABASE_POOL_SIZE": "8",
}
"""All that a thousand people do comes from one address here; pools are as large as usual."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep what is broken on purpose, a thousand times, out of what is printed."""
    root = logging.getLogger()
    usual = root.level
    root.setLevel(logging.ERROR)
    yield
    root.setLevel(usual)


@pytest.fixture
def figures() -> Figures:
    """The rows of this run; all of them are printed again at its end."""
    return FIGURES


@pytest.fixture(params=RUNTIMES)
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """The system in one process, on its own Postgres and bus or on a server and RabbitMQ."""
    if request.param == "embedded":
        embedded = System(tmp_path / "home", extra=UNLIMITED)
        embedded.start()
        yield embedded
        assert embedded.stop() == 0, embedded.process.tail()
        return
    broker = request.getfixturevalue("rabbit_url")
    async with fresh_database(request.getfixturevalue("postgres_admin_url")) as fresh:
        deployed = System(tmp_path / "home", fresh.url, broker, fresh.namespace, extra=UNLIMITED)
        deployed.start()
        yield deployed
        assert deployed.stop() == 0, deployed.process.tail()
        await forget_namespace(broker, fresh.namespace)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of `docs/benchmarks.md`."""
    if FIGURES.rows:
        terminalreporter.write_sep("=", "rows for docs/benchmarks.md")
        terminalreporter.write_line(FIGURES.table())

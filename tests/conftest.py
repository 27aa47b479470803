"""Where tests get a server from: `TEST_DATABASE_URL` and `TEST_BROKER`, else the embedded runtime.

Nothing else of the environment is read, so that a test can never touch a running system.
"""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from xdist.remote import Producer

from common.telemetry import configure_logging
from tests.support.databases import FreshDatabase, copied_database, migrated_template
from tests.support.lanes import Lanes

for _name in list(os.environ):
    # A developer's own settings must not reach the services under test.
    if _name in {"DATABASE_URL", "BROKER", "NAMESPACE", "SECRET_KEY", "PORT", "ENVIRONMENT"}:
        del os.environ[_name]

configure_logging("WARNING")

REQUIRE_RABBITMQ = bool(os.environ.get("REQUIRE_RABBITMQ"))
"""Set by `make check`: then a RabbitMQ test that cannot run is a failure, not a skip."""


@pytest.fixture(scope="session")
def postgres_admin_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server in which databases and roles may be made."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    from deploy.embedded.postgres import EmbeddedPostgres

    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def rabbit_url() -> str:
    """The address of a RabbitMQ broker."""
    url = os.environ.get("TEST_BROKER")
    if not url and REQUIRE_RABBITMQ:
        pytest.fail("TEST_BROKER is not set, and `make check` does not pass without RabbitMQ")
    if not url:
        pytest.skip("TEST_BROKER is not set: no RabbitMQ broker to test against")
    return url


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fail a check from which the RabbitMQ tests have vanished, by whatever change."""
    if REQUIRE_RABBITMQ and not any(item.get_closest_marker("rabbitmq") for item in items):
        raise pytest.UsageError("no RabbitMQ test was collected, and `make check` needs them")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes | None:
    """Order whole files by how much they wait; any other `--dist` is xdist's affair."""
    return Lanes(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(postgres_admin_url: str) -> AsyncIterator[FreshDatabase]:
    """A database with all schemas as they are after migration, to copy."""
    async with migrated_template(postgres_admin_url) as migrated:
        yield migrated


@pytest.fixture
async def database(
    postgres_admin_url: str, template: FreshDatabase
) -> AsyncIterator[FreshDatabase]:
    """A database of the test's own, bootstrapped and migrated."""
    async with copied_database(postgres_admin_url, template) as copy:
        yield copy

"""What several files of these tests need."""

from collections.abc import AsyncIterator

import pytest

from common.unit_of_work import UnitOfWork
from tests.integration.messaging_world import a_unit_of_work
from tests.support.databases import FreshDatabase


@pytest.fixture
async def unit_of_work(database: FreshDatabase) -> AsyncIterator[UnitOfWork]:
    """Units of work on a database of the test's own."""
    async with a_unit_of_work(database) as unit_of_work:
        yield unit_of_work

"""Chat stands in its place: it says that it is not built, and remembers what it will need."""

from collections.abc import AsyncIterator
from datetime import date
from uuid import uuid4

import pytest
from sqlalchemy import text

from chat.handlers import SUBSCRIPTIONS
from chat.main import build
from chat.settings import Settings
from chat.tables import METADATA
from common.events.risk_engine import RiskCalculated
from common.events.topology import TOPOLOGY
from common.service import Platform, Service
from tests.support.harness import Harness, running
from tests.support.schemas import assert_migrated

AGE = "SELECT revision, as_of, panel_version FROM chat.ages WHERE portfolio_id = :id"
THURSDAY, FRIDAY = date(2026, 7, 9), date(2026, 7, 10)


def service(platform: Platform) -> Service:
    return build(Settings(), platform)


@pytest.fixture
async def chat(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("chat", service, database, tmp_path) as harness:
        yield harness


async def test_every_address_says_that_it_is_not_built(chat):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        for path in ("chat", "chat/conversations", "chat/send", "insights/generate", "insights"):
            answer = await chat.http.request(method, f"/api/v1/{path}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ERR_CHAT_001")
            assert "not built yet" in answer.json()["detail"]
    elsewhere = await chat.http.get("/api/v1/chats")
    assert elsewhere.status_code == 404


async def test_it_is_ready_and_its_schema_is_the_one_in_the_code(chat):
    assert (await chat.http.get("/health/ready")).status_code == 200
    assert (await chat.http.get("/openapi.json")).status_code == 200
    await assert_migrated(chat.service.database, METADATA)
    assert [contract.routing_key() for contract, _ in SUBSCRIPTIONS] == list(
        TOPOLOGY.queue("chat").patterns
    )


async def test_the_newest_results_are_remembered_in_whichever_order_they_are_heard_of(chat):
    portfolio = uuid4()

    def results(revision: int, as_of: date, panel_version: int = 1) -> RiskCalculated:
        return RiskCalculated(
            portfolio_id=portfolio,
            revision=revision,
            as_of=as_of,
            panel_version=panel_version,
            status="ok",
            engines={},
        )

    for heard, newest in [
        (results(1, THURSDAY), (1, THURSDAY, 1)),
        (results(1, FRIDAY), (1, FRIDAY, 1)),
        (results(1, FRIDAY, panel_version=2), (1, FRIDAY, 2)),
        (results(1, THURSDAY, panel_version=3), (1, FRIDAY, 2)),
        (results(2, THURSDAY), (2, THURSDAY, 1)),
        (results(1, FRIDAY, panel_version=9), (2, THURSDAY, 1)),
    ]:
        await chat.deliver(heard)
        async with chat.service.unit_of_work.begin() as unit:
            found = await unit.connection.execute(
                text(
                    "SELECT revision, as_of, panel_version FROM chat.ages WHERE portfolio_id = :id"
                ),
                {"id": portfolio},
            )
        assert tuple(found.one()) == newest

"""What a running service measures of itself: gauges that are true or unknown, work by its end."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event as sql_event
from sqlalchemy import text

from chat.main import build
from chat.settings import Settings
from common import observation
from common.errors import Unavailable
from common.events.chat import InsightGenerated
from common.metrics import Metrics
from common.retry import Retry
from common.service import Platform
from common.unit_of_work import UnitOfWork
from common.work import Worker
from tests.integration.messaging_world import Errand, job
from tests.support.bus_probe import until
from tests.support.harness import Harness, running

pytestmark = pytest.mark.usefixtures("looking_often")
QUICK = Retry(ladder=(0.01, 0.02), attempts=2)


@pytest.fixture
def looking_often(monkeypatch):
    monkeypatch.setattr(observation, "LOOK_SECONDS", 0.05)


@pytest.fixture
async def chat(database, tmp_path) -> AsyncIterator[Harness]:
    def service(platform: Platform):
        return build(Settings(), platform)

    async with running("chat", service, database, tmp_path) as harness:
        yield harness


def samples(metrics: Metrics) -> dict[tuple[str, str], float]:
    """Return the values by name and the labels beside the service."""
    return {
        (
            one.name.removeprefix("sigmasight_"),
            ",".join(v for k, v in sorted(one.labels.items()) if k != "service"),
        ): one.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for one in family.samples
    }


async def seen(harness: Harness, name: str, labels: str = "") -> float:
    """Return what the next looks find, once it has settled."""
    await asyncio.sleep(0.5)
    return samples(harness.service.unit_of_work.telemetry.metrics)[name, labels]


async def test_what_the_bus_does_not_take_shows_as_rows_that_grow_older(chat):
    chat.bus.down = True
    async with chat.service.unit_of_work.begin() as unit:
        unit.publish(InsightGenerated(insight_id=uuid4(), portfolio_id=uuid4(), title="x"))
    assert await seen(chat, "outbox_rows") == 1
    assert await seen(chat, "outbox_age_seconds") > 0.5
    assert await seen(chat, "ready", "bus") == 0
    assert await seen(chat, "ready", "database") == 1
    # What cannot be asked is not known: it is no 0, nor what it was before.
    assert math.isnan(await seen(chat, "queue_depth"))
    assert math.isnan(await seen(chat, "queue_dead_letters"))

    chat.bus.down = False
    await chat.eventually(lambda: chat.bus.published)
    assert await seen(chat, "outbox_rows") == await seen(chat, "outbox_age_seconds") == 0
    assert await seen(chat, "ready", "bus") == 1
    assert await seen(chat, "queue_depth") == 0
    assert samples(chat.service.unit_of_work.telemetry.metrics)["relay_seconds_count", ""] == 1


async def test_work_that_waits_and_work_that_died_are_told_apart(chat):
    units = chat.service.unit_of_work
    for name in ("waits", "died"):
        async with units.begin() as unit:
            unit.enqueue("errand", Errand(name=name))
    async with units.begin() as unit:
        await unit.connection.execute(
            text("UPDATE chat.work SET died_at = now() WHERE payload ->> 'name' = 'died'")
        )
    assert await seen(chat, "work_rows") == await seen(chat, "work_dead_letters") == 1
    assert await seen(chat, "work_age_seconds") > 0.5

    async with units.begin() as unit:
        await unit.connection.execute(
            text("UPDATE chat.work SET available_at = now() + interval '1 hour'")
        )
    assert await seen(chat, "work_age_seconds") == 0


async def test_attempts_at_work_are_counted_by_how_they_ended(chat):
    units: UnitOfWork = chat.service.unit_of_work
    tries: list[str] = []

    async def run(work, finish):
        tries.append(work.payload["name"])
        if work.payload["name"] == "broken":
            raise ValueError("broken")
        if tries.count("away") == 1:
            raise Unavailable("away")
        async with finish():
            pass

    given_up: list[str] = []
    async with Worker(units, job(run, given_up), retry=QUICK).running():
        for name in ("away", "broken"):
            async with units.begin() as unit:
                unit.enqueue("errand", Errand(name=name))
        await until(lambda: given_up and tries.count("away") == 2)
        await asyncio.sleep(0.1)
    counted = samples(units.telemetry.metrics)
    by_outcome = {
        labels.removeprefix("errand,"): value
        for (name, labels), value in counted.items()
        if name == "work_seconds_count"
    }
    assert by_outcome == {"done": 1, "retried": 2, "given_up": 1}
    # It was asked for by nobody's message: there is no event from which to count.
    assert ("critical_seconds_count", "errand") not in counted


async def test_work_in_hand_shows_for_how_long_and_nothing_once_it_has_ended(chat):
    units: UnitOfWork = chat.service.unit_of_work
    go_on = asyncio.Event()

    async def run(work, finish):
        await go_on.wait()
        async with finish():
            pass

    async with Worker(units, job(run, []), lease=timedelta(seconds=0.6)).running():
        assert await seen(chat, "work_in_hand_seconds") == 0
        async with units.begin() as unit:
            unit.enqueue("errand", Errand(name="slow"))
        await asyncio.sleep(0.5)
        assert await seen(chat, "work_in_hand_seconds") > 0.5
        go_on.set()
        assert await seen(chat, "work_in_hand_seconds") == 0


async def test_a_scrape_asks_the_database_nothing(chat, monkeypatch):
    monkeypatch.setattr(observation, "LOOK_SECONDS", 60)
    assert await seen(chat, "ready", "database") == 1
    asked: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if "outbox" not in statement:  # the relay looks by itself
            asked.append(statement)

    engine = chat.service.database.engine.sync_engine
    sql_event.listen(engine, "before_cursor_execute", note)
    answer = await chat.http.get("/metrics")
    sql_event.remove(engine, "before_cursor_execute", note)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'sigmasight_ready{check="database",service="chat"} 1.0' in answer.text
    assert asked == []


async def test_a_loop_that_is_held_up_shows_as_lag(chat):
    time.sleep(0.6)
    await asyncio.sleep(0.3)
    counted = samples(chat.service.unit_of_work.telemetry.metrics)
    ticks = counted["event_loop_lag_seconds_count", ""]
    assert ticks - counted["event_loop_lag_seconds_bucket", "0.25"] >= 1

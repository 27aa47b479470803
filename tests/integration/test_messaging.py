"""Unit of work, outbox, relay and inbox: what commits is announced, and taken once."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from common.events import Envelope
from common.relay import BATCH, Relay
from common.unit_of_work import Cause
from tests.integration.messaging_world import SCHEMA, Errand, count, insight
from tests.support.bus_probe import until
from tests.support.recording_bus import RecordingBus


async def test_what_is_published_leaves_with_the_commit_and_carries_its_cause(unit_of_work):
    bus, run_id, user_id = RecordingBus(), uuid4(), uuid4()
    async with Relay(unit_of_work, bus).running():
        cause = Cause(run_id=run_id, user_id=user_id, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
        async with unit_of_work.begin(cause) as unit:
            unit.publish(insight("kept"))
            await asyncio.sleep(0.05)
            assert bus.published == []
        await until(lambda: bool(bus.published))
    [envelope] = bus.published
    assert (envelope.run_id, envelope.user_id) == (run_id, user_id)
    assert envelope.traceparent == cause.traceparent
    assert await count(unit_of_work, unit_of_work.tables.outbox) == 0


async def test_what_rolls_back_is_never_announced(unit_of_work):
    async def fail() -> None:
        async with unit_of_work.begin() as unit:
            unit.publish(insight())
            unit.enqueue("errand", Errand(name="x"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await count(unit_of_work, unit_of_work.tables.outbox) == 0
    assert await count(unit_of_work, unit_of_work.tables.work) == 0


async def test_a_bus_that_is_down_delays_and_loses_nothing(unit_of_work):
    bus = RecordingBus(down=True)
    async with Relay(unit_of_work, bus).running():
        for number in range(5):
            async with unit_of_work.begin() as unit:
                unit.publish(insight(str(number)))
        await asyncio.sleep(0.1)
        assert await count(unit_of_work, unit_of_work.tables.outbox) == 5
        bus.down = False
        await until(lambda: len(bus.published) == 5)
    assert [event.payload["title"] for event in bus.published] == list("01234")


async def test_racing_relays_carry_each_message_once(unit_of_work):
    bus = RecordingBus()
    async with unit_of_work.begin() as unit:
        for number in range(1000):
            unit.publish(insight(str(number)))
    relays = [Relay(unit_of_work, bus) for _ in range(4)]
    while sum(await asyncio.gather(*(relay.drain() for relay in relays))):
        pass
    assert len({event.id for event in bus.published}) == len(bus.published) == 1000


async def test_a_commit_wakes_only_whom_it_leaves_something_for(unit_of_work):
    woken: list[str] = []
    unit_of_work.on_events(lambda: woken.append("relay"))
    unit_of_work.on_work(lambda: woken.append("worker"))
    async with unit_of_work.begin() as unit:
        unit.publish(insight())
    async with unit_of_work.begin() as unit:
        unit.enqueue("errand", Errand(name="x"))
    async with unit_of_work.begin():
        pass
    assert woken == ["relay", "worker"]


@pytest.mark.parametrize(("messages", "transactions"), [(0, 1), (3, 1), (BATCH, 2), (BATCH + 1, 2)])
async def test_the_relay_looks_again_only_behind_a_full_batch(
    unit_of_work, messages: int, transactions: int
):
    async with unit_of_work.begin() as unit:
        for number in range(messages):
            unit.publish(insight(str(number)))
    begun: list[object] = []
    event.listen(unit_of_work.database.engine.sync_engine, "begin", begun.append)
    assert await Relay(unit_of_work, RecordingBus()).drain() == messages
    assert len(begun) == transactions


async def test_the_inbox_takes_a_message_once_even_when_two_deliveries_race(unit_of_work):
    envelope = Envelope.of(insight(), producer="test")

    async def deliver() -> bool:
        async with unit_of_work.begin() as unit:
            return bool(await unit_of_work.first_time(unit, envelope))

    assert sorted(await asyncio.gather(*(deliver() for _ in range(8)))) == [False] * 7 + [True]


async def test_old_messages_are_forgotten_and_recent_ones_kept(unit_of_work):
    for _ in range(2):
        async with unit_of_work.begin() as unit:
            await unit_of_work.first_time(unit, Envelope.of(insight(), producer="test"))
    async with unit_of_work.begin() as unit:
        await unit.connection.execute(
            text(
                f"UPDATE {SCHEMA}.inbox SET received_at = now() - interval '15 days' WHERE "
                f"message_id = (SELECT message_id FROM {SCHEMA}.inbox LIMIT 1)"
            )
        )
    assert await unit_of_work.forget_old_messages() == 1
    assert await count(unit_of_work, unit_of_work.tables.inbox) == 1


async def test_errors_of_the_database_do_not_repeat_what_was_sent(unit_of_work):
    async def send() -> None:
        async with unit_of_work.begin() as unit:
            await unit.connection.execute(
                text("SELECT CAST(:secret AS text), 1 / 0"), {"secret": "hunter2"}
            )

    with pytest.raises(DBAPIError, match="division by zero") as failed:
        await send()
    assert "hunter2" not in str(failed.value)


async def test_a_row_that_cannot_be_read_stays_and_holds_up_nobody(unit_of_work):
    bus = RecordingBus()
    async with unit_of_work.begin() as unit:
        await unit.connection.execute(
            text(f"INSERT INTO {SCHEMA}.outbox (envelope) VALUES ('{{\"x\": 1}}')")
        )
    async with Relay(unit_of_work, bus).running():
        async with unit_of_work.begin() as unit:
            unit.publish(insight("neighbour"))
        await until(lambda: bus.published)
    assert await count(unit_of_work, unit_of_work.tables.outbox) == 1

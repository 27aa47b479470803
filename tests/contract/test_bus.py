"""What a bus promises, whichever transport keeps it."""

import asyncio
import time
from uuid import UUID

import pytest

from common.events import Envelope
from common.events.topology import Queue, Topology
from common.retry import Retry
from tests.contract.conftest import LEASE
from tests.support.bus_probe import Recorder, empty, letters, order, until

SEVERAL_QUEUES = Topology(
    (
        Queue("placed", ("order.placed.v1",)),
        Queue("orders", ("order.*.v1",)),
        Queue("everything", ("#",)),
        Queue("late", ("#.late.v1",)),
        Queue("clerk", commands=("clerk.file_papers.v1",)),
    )
)


# --- who gets what


@pytest.mark.parametrize("topology", [SEVERAL_QUEUES])
async def test_every_queue_gets_the_events_and_the_commands_it_wants(bus):
    handlers = {queue.name: Recorder() for queue in SEVERAL_QUEUES.queues}
    for name, handler in handlers.items():
        await bus.subscribe(name, handler)

    await bus.publish(
        [
            order(1, "order.placed"),
            order(2, "order.cancelled"),
            order(3, "order.placed.again"),
            order(4, "parcel.late"),
            order(5, "clerk.file_papers"),
        ]
    )
    await until(lambda: sum(len(handler.taken) for handler in handlers.values()) >= 9)
    for queue in handlers:
        await empty(bus, queue)

    assert {name: handler.numbers for name, handler in handlers.items()} == {
        "placed": [1],
        "orders": [1, 2],
        "everything": [1, 2, 3, 4],
        "late": [4],
        "clerk": [5],
    }


async def test_an_event_that_nobody_wants_is_accepted(bus):
    await bus.publish([order(1, "weather.changed"), order(2)])

    assert await bus.depth("orders") == 1


async def test_an_envelope_arrives_as_it_was_sent(bus):
    sent, handler = order(1, city="Zürich"), Recorder()
    await bus.publish([sent])
    await bus.subscribe("orders", handler)
    await until(lambda: bool(handler.taken))

    assert handler.taken == [sent]


@pytest.mark.parametrize("topology", [SEVERAL_QUEUES])
async def test_a_command_may_be_published_by_hand_as_its_bare_payload(transport, bus):
    handler = Recorder()
    await bus.subscribe("clerk", handler)
    await transport.by_hand("clerk.file_papers.v1", '{"n": 7}')
    await until(lambda: bool(handler.taken))

    [command] = handler.taken
    assert (command.routing_key, command.payload) == ("clerk.file_papers.v1", {"n": 7})
    assert isinstance(command.id, UUID)


async def test_a_large_body_arrives_whole(bus):
    papers, handler = "x" * 5 * 1024 * 1024, Recorder()
    await bus.publish([order(1, papers=papers)])
    await bus.subscribe("orders", handler)
    await until(lambda: bool(handler.taken))

    assert handler.taken[0].payload["papers"] == papers


async def test_a_thousand_messages_are_published_at_once(bus):
    handler = Recorder()
    began = time.monotonic()
    await bus.publish([order(n) for n in range(1_000)])
    assert time.monotonic() - began < 5  # 0.05 s on Postgres, 0.5 s on RabbitMQ when left alone

    await bus.subscribe("orders", handler)
    await until(lambda: len(handler.taken) == 1_000)
    assert handler.numbers == list(range(1_000))


# --- who competes


async def test_processes_that_compete_take_each_message_once(transport, bus):
    async with transport.worker("take") as one, transport.worker("take") as other:
        await asyncio.gather(one.says("ready"), other.says("ready"))
        await bus.publish([order(n) for n in range(200)])
        await empty(bus)
        await asyncio.sleep(0.2)  # a second delivery would show up by now
        took = [await one.last_words(), await other.last_words()]

    assert all(took), "both processes took a part"
    assert sorted(took[0] + took[1]) == sorted(f"took {n}" for n in range(200))


async def test_a_message_goes_to_another_when_its_process_is_killed(transport, bus):
    handler = Recorder()
    async with transport.worker("hold") as worker:
        await bus.publish([order(1)])
        await worker.says("holding 1")
    await bus.subscribe("orders", handler)
    await until(lambda: bool(handler.taken))
    await empty(bus)

    assert handler.numbers == [1]
    assert await bus.dead_letters("orders") == []


async def test_a_message_that_kills_its_workers_becomes_a_dead_letter(transport, bus):
    await bus.publish([order(1)])
    for _ in range(Retry.deaths):
        async with transport.worker("die") as worker:
            await worker.says("dying of 1")
    handler = Recorder()
    await bus.subscribe("orders", handler)
    [letter] = await letters(bus)

    assert letter.reason.startswith("WorkerDied")
    assert letter.attempts == Retry.deaths
    assert handler.attempts == []


async def test_what_was_in_hand_beside_the_one_that_kills_is_not_blamed(transport, bus):
    """Each time it kills, everything in hand has lost its worker: the others are soon cleared."""
    await bus.publish([order(n) for n in range(1, 21)])
    taken: list[str] = []
    for _ in range(Retry.deaths):
        async with transport.worker("die of 1") as worker:
            taken += await worker.until_dead()
    numbers = [int(line.split()[1]) for line in taken if line.startswith("took")]
    handler = Recorder()
    await bus.subscribe("orders", handler)
    # Not `empty` first: on its way from the broker to us, a message is counted on neither side.
    await until(lambda: {*numbers, *handler.numbers} == set(range(2, 21)))
    [letter] = await letters(bus)
    await empty(bus)

    assert Envelope.from_bytes(letter.body, letter.routing_key).payload["n"] == 1


async def test_no_more_messages_are_in_hand_than_the_concurrency_allows(bus):
    running, most, done = 0, 0, 0

    async def handler(_envelope: Envelope) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running, done = running - 1, done + 1

    await bus.publish([order(n) for n in range(30)])
    await bus.subscribe("orders", handler, concurrency=3)
    await until(lambda: done == 30)

    assert most == 3


async def test_a_slow_handler_keeps_its_message(transport, bus):
    """Its lease is renewed: nobody else gets the message meanwhile."""
    slow, idle = [], Recorder()

    async def handler(envelope: Envelope) -> None:
        slow.append(envelope)
        await asyncio.sleep(2 * LEASE)

    await bus.publish([order(1)])
    await bus.subscribe("orders", handler)
    await until(lambda: bool(slow))
    await transport.bus().subscribe("orders", idle)
    await empty(bus)

    assert (len(slow), idle.attempts) == (1, [])

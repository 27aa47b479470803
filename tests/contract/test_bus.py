"""What a bus promises, whichever transport keeps it."""

import asyncio
import time
from uuid import UUID

import aio_pika
import pytest

from common.bus import Bus, consumer
from common.bus.connect import connect
from common.bus.rabbitmq.layout import Layout
from common.errors import Unavailable
from common.events import Envelope, Unparseable
from common.events.topology import Queue, Topology
from common.retry import Retry
from tests.contract.conftest import LADDER, LEASE, ONE_QUEUE, Transport
from tests.support.bus_probe import TRACE, Recorder, empty, letters, order, until
from tests.support.tcp_proxy import TcpProxy

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
    handler = Recorder()
    await bus.subscribe("orders", handler)
    await empty(bus)
    [letter] = await letters(bus)

    assert Envelope.from_bytes(letter.body, letter.routing_key).payload["n"] == 1
    numbers = [int(line.split()[1]) for line in taken if line.startswith("took")]
    assert set(numbers + handler.numbers) == set(range(2, 21))


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


# --- what fails


async def test_what_is_unavailable_is_tried_again_down_the_whole_ladder(bus):
    handler = Recorder(*(Unavailable("the warehouse is closed") for _ in range(9)))
    await bus.publish([order(1)])
    await bus.subscribe("orders", handler)
    [letter] = await letters(bus)

    assert letter.attempts == len(handler.attempts) == len(LADDER) + 1
    assert all(pause >= rung for pause, rung in zip(handler.pauses, LADDER, strict=True))
    assert letter.reason == "Unavailable: the warehouse is closed"


async def test_any_other_error_gets_three_attempts_and_the_letter_tells_its_cause(bus):
    sent = order(1)
    handler = Recorder(*(ValueError("no such\n\x00shelf") for _ in range(9)))
    await bus.publish([sent])
    await bus.subscribe("orders", handler)
    [letter] = await letters(bus)

    assert letter.attempts == len(handler.attempts) == 3
    assert letter.reason == "ValueError: no such \N{REPLACEMENT CHARACTER}shelf"
    assert "raise self.failures.pop(0)" in letter.stack
    assert (letter.queue, letter.routing_key) == ("orders", "order.placed.v1")
    assert (letter.message_id, letter.traceparent) == (sent.id, TRACE)
    assert Envelope.from_bytes(letter.body, letter.routing_key) == sent
    assert await bus.depth("orders") == 0


async def test_what_succeeds_in_the_end_leaves_nothing_behind(bus):
    handler = Recorder(ValueError("once"), Unavailable("twice"))
    await bus.publish([order(1)])
    await bus.subscribe("orders", handler)
    await until(lambda: bool(handler.taken))
    await empty(bus)

    assert handler.numbers == [1]
    assert await bus.dead_letters("orders") == []


@pytest.mark.parametrize("body", ["{not json", "[1, 2]", '{"payload": {}, "name": null}'])
async def test_a_body_that_cannot_be_read_is_a_dead_letter_at_once(transport, bus, body):
    handler = Recorder()
    await transport.by_hand("order.placed.v1", body)
    await bus.publish([order(1)])
    await bus.subscribe("orders", handler)
    [letter] = await letters(bus)
    await until(lambda: bool(handler.taken))

    assert (letter.attempts, letter.body, letter.message_id) == (1, body.encode(), None)
    assert letter.reason.startswith("Unparseable: ")
    assert handler.numbers == [1], "the rest is served"


async def test_a_payload_that_the_handler_cannot_read_is_a_dead_letter_at_once(bus):
    handler = Recorder(Unparseable("no quantity"))
    await bus.publish([order(1)])
    await bus.subscribe("orders", handler)
    [letter] = await letters(bus)

    assert (letter.attempts, len(handler.attempts)) == (1, 1)
    assert letter.reason == "Unparseable: no quantity"


async def test_a_handler_that_cancels_itself_has_failed(bus):
    handler = Recorder(*(asyncio.CancelledError() for _ in range(9)))
    await bus.publish([order(1)])
    await bus.subscribe("orders", handler)
    [letter] = await letters(bus)

    assert letter.reason.startswith("CancelledError")
    assert letter.attempts == 3


# --- how it ends, and begins again


async def test_closing_lets_the_message_in_hand_finish_and_takes_no_other(bus):
    entered, leave, finished = asyncio.Event(), asyncio.Event(), []

    async def handler(envelope: Envelope) -> None:
        entered.set()
        await leave.wait()
        finished.append(envelope)

    subscription = await bus.subscribe("orders", handler, concurrency=1)
    await bus.publish([order(1), order(2)])
    await entered.wait()
    closing = asyncio.create_task(subscription.close())
    await asyncio.sleep(0.1)
    leave.set()
    await closing

    assert len(finished) == 1
    assert not subscription.healthy
    assert await bus.depth("orders") == 1


async def test_closing_hands_back_what_does_not_finish_within_the_grace(transport, bus):
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def stuck(_envelope: Envelope) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    subscription = await transport.bus(grace=0.2).subscribe("orders", stuck)
    await bus.publish([order(1)])
    await entered.wait()
    await subscription.close()
    assert cancelled.is_set()

    handler, began = Recorder(), time.monotonic()
    await bus.subscribe("orders", handler)
    await until(lambda: bool(handler.taken))
    assert time.monotonic() - began < LEASE, "nobody waited for the lease to end"


async def test_what_is_handed_back_again_and_again_has_not_failed(transport, bus):
    """As by one rolling restart after another: nobody's worker died, no attempt was made."""
    entered = asyncio.Event()

    async def stuck(_envelope: Envelope) -> None:
        entered.set()
        await asyncio.Event().wait()

    sent = order(1)
    await bus.publish([sent])
    for _ in range(4):
        entered.clear()
        subscription = await transport.bus(grace=0.0).subscribe("orders", stuck)
        await entered.wait()
        await subscription.close()
    handler = Recorder(*(ValueError("no such shelf") for _ in range(2)))
    await bus.subscribe("orders", handler)
    await until(lambda: bool(handler.taken))
    await empty(bus)

    assert handler.taken == [sent]
    assert await bus.dead_letters("orders") == []


async def test_a_consumer_whose_handlers_hang_is_not_healthy_until_one_ends(bus, monkeypatch):
    monkeypatch.setattr(consumer, "STANDSTILL", 0.3)
    entered, leave = asyncio.Event(), asyncio.Event()

    async def stuck(_envelope: Envelope) -> None:
        entered.set()
        await leave.wait()

    subscription = await bus.subscribe("orders", stuck, concurrency=2)
    await bus.publish([order(1)])
    await entered.wait()
    await asyncio.sleep(0.5)
    assert subscription.healthy, "there is a free slot"
    await bus.publish([order(2), order(3)])
    await until(lambda: not subscription.healthy)
    leave.set()
    await until(lambda: subscription.healthy)
    await empty(bus)


async def test_a_server_that_cannot_be_reached_is_unavailable(transport, bus):
    nowhere = transport.bus(at=transport.through(1))

    with pytest.raises(Unavailable):
        await nowhere.publish([order(1)])
    with pytest.raises(Unavailable):
        await nowhere.health()
    await bus.health()


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="redis"):
        connect("redis://127.0.0.1", ONE_QUEUE)


async def test_consumption_and_publishing_resume_after_the_line_was_cut(transport: Transport):
    async with TcpProxy.to(transport.url).listening() as proxy:
        bus, handler = transport.bus(at=transport.through(proxy.port)), Recorder()
        subscription = await bus.subscribe("orders", handler)
        await bus.publish([order(1)])
        await until(lambda: handler.numbers == [1] and subscription.healthy)

        proxy.cut()
        await until(lambda: not subscription.healthy)
        with pytest.raises(Unavailable):
            await bus.publish([order(2)])

        proxy.mend()
        await until(lambda: subscription.healthy)
        await bus.publish([order(3)])
        await until(lambda: 3 in handler.numbers)
        await bus.close()


@pytest.mark.parametrize(
    "transport", [pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)], indirect=True
)
async def test_a_queue_that_somebody_deleted_is_made_again_with_its_bindings(
    transport: Transport, bus: Bus
):
    handler = Recorder()
    subscription = await bus.subscribe("orders", handler)
    await until(lambda: subscription.healthy)
    await delete_queue(transport, "orders")
    await until(lambda: not subscription.healthy)
    await until(lambda: subscription.healthy)
    await bus.publish([order(1)])
    await until(lambda: bool(handler.taken))


async def delete_queue(transport: Transport, name: str) -> None:
    async with await aio_pika.connect(transport.url) as connection, connection.channel() as channel:
        await channel.queue_delete(Layout(transport.topology, transport.namespace).queue(name))

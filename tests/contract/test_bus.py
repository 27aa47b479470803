"""What a bus promises, whichever transport keeps it."""

import asyncio
import time
from urllib.parse import urlsplit
from uuid import UUID

import aio_pika
import pytest

from common.bus import HEAD_BYTES, Bus, DeadLetter
from common.bus.connect import connect
from common.bus.rabbitmq.layout import Layout
from common.errors import Unavailable
from common.events import Envelope, Unparseable
from common.events.topology import Queue, Topology
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
    for _ in range(3):
        async with transport.worker("die") as worker:
            await worker.says("dying of 1")
    handler = Recorder()
    await bus.subscribe("orders", handler)
    [letter] = await letters(bus)

    assert letter.reason.startswith("WorkerDied")
    assert letter.attempts == 3
    assert handler.attempts == []


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


# --- what is done about dead letters


@pytest.fixture
async def three_letters(bus):
    subscription = await bus.subscribe("orders", Recorder(*(Unparseable("?") for _ in range(3))))
    await bus.publish([order(n) for n in range(3)])
    found = await letters(bus, 3)
    await subscription.close()
    return {Envelope.from_bytes(one.body, one.routing_key).payload["n"]: one for one in found}


async def test_looking_at_dead_letters_leaves_them_where_they_are(bus, three_letters):
    assert sorted(three_letters) == [0, 1, 2]
    for _ in range(3):
        assert set(await bus.dead_letters("orders")) == set(three_letters.values())
    assert len(await bus.dead_letters("orders", limit=2)) == 2


async def test_a_redriven_letter_is_a_new_message_to_its_queue(bus, three_letters):
    assert await bus.redrive("orders", [three_letters[1].id, "no such letter"]) == 1
    assert await bus.redrive("orders", [three_letters[1].id]) == 0, "harmless when repeated"

    handler = Recorder(ValueError("still wrong"), ValueError("still wrong"))
    await bus.subscribe("orders", handler)
    await until(lambda: bool(handler.taken))

    assert handler.numbers == [1]
    assert len(handler.attempts) == 3, "its attempts count from one again"
    assert {one.id for one in await bus.dead_letters("orders")} == {
        three_letters[0].id,
        three_letters[2].id,
    }


async def test_all_letters_are_redriven_or_discarded_when_none_is_named(bus, three_letters):
    assert await bus.discard("orders", [three_letters[0].id]) == 1
    assert await bus.discard("orders", [three_letters[0].id]) == 0
    assert await bus.redrive("orders") == 2
    assert await bus.redrive("orders") == 0
    assert await bus.depth("orders") == 2
    assert await bus.discard("orders") == 0
    assert await bus.dead_letters("orders") == []


async def test_letters_are_chosen_by_their_heads(bus, three_letters):
    """As all letters of one cause are, by the workbench."""
    seen = []

    def first_and_last(head: DeadLetter) -> bool:
        seen.append(head)
        return number_of(head) != 1

    assert await bus.redrive("orders", where=first_and_last) == 2
    assert await bus.redrive("orders", where=first_and_last) == 0
    assert await bus.depth("orders") == 2
    assert {one.stack for one in seen} == {""}
    assert await bus.discard("orders", where=lambda head: number_of(head) == 1) == 1
    assert await bus.dead_letter_count("orders") == 0


async def test_one_letter_is_found_whole_and_an_unknown_id_finds_none(bus, three_letters):
    assert await bus.dead_letter("orders", three_letters[1].id) == three_letters[1]
    for nobody in ("no such letter", "0", "9" * 40, ""):
        assert await bus.dead_letter("orders", nobody) is None
        assert await bus.redrive("orders", [nobody]) == 0
    assert await bus.dead_letter_count("orders") == 3


async def test_a_head_holds_the_beginning_of_a_large_body_and_its_size(bus):
    sent = order(1, papers="x" * 5 * 1024 * 1024)
    subscription = await bus.subscribe("orders", Recorder(Unparseable("?")))
    await bus.publish([sent])
    [whole] = await letters(bus)
    await subscription.close()
    [head] = await bus.dead_letters("orders", heads=True)

    assert whole.body == sent.to_bytes()
    assert whole.size == head.size == len(sent.to_bytes())
    assert head.body == sent.to_bytes()[:HEAD_BYTES]
    assert (head.id, head.reason, head.stack) == (whole.id, whole.reason, "")


async def test_what_is_poison_again_comes_back_as_one_letter_its_attempts_counted_anew(bus):
    subscription = await bus.subscribe("orders", Recorder(*(ValueError("?") for _ in range(9))))
    sent = order(1)
    await bus.publish([sent])
    [first] = await letters(bus)
    assert await bus.redrive("orders", [first.id]) == 1
    await empty(bus)
    [second] = await letters(bus)
    await subscription.close()

    assert (first.attempts, second.attempts) == (3, 3)
    assert second.message_id == first.message_id == sent.id
    assert second.id != first.id, "it can be told from the one that was redriven"
    assert second.died_at > first.died_at
    assert second.body == first.body


async def test_a_letter_that_kills_its_workers_again_is_counted_anew(transport, bus):
    await bus.publish([order(1)])
    for _ in range(2):
        for _ in range(3):
            async with transport.worker("die") as worker:
                await worker.says("dying of 1")
        subscription = await bus.subscribe("orders", Recorder())
        [letter] = await letters(bus)
        await subscription.close()
        assert letter.reason.startswith("WorkerDied")
        assert letter.attempts == 3
        assert await bus.redrive("orders") == 1


async def test_redriving_a_cause_again_and_again_while_it_is_broken_ends_and_loses_nothing(bus):
    """Letters that die again while others are still being moved are not moved twice."""
    broken = True

    async def handler(envelope: Envelope) -> None:
        if broken:
            raise Unparseable("?")
        taken.append(envelope.payload["n"])

    taken: list[int] = []
    subscription = await bus.subscribe("orders", handler, concurrency=20)
    await bus.publish([order(n) for n in range(150)])
    await letters(bus, 150)
    for _ in range(3):
        async with asyncio.timeout(20):
            assert await bus.redrive("orders", where=lambda _: True) <= 150
    await letters(bus, 150)
    assert await bus.dead_letter_count("orders") == 150

    broken = False
    assert await bus.redrive("orders", where=lambda _: True) == 150
    await empty(bus)
    assert sorted(taken) == list(range(150))
    assert await bus.dead_letter_count("orders") == 0
    await subscription.close()


async def test_a_letter_that_two_redrive_at_once_is_moved_once(transport, bus, three_letters):
    other = transport.bus()
    ids = [one.id for one in three_letters.values()]
    moved = await asyncio.gather(
        *(one.redrive("orders", ids) for one in (bus, other, bus, other)),
        *(one.redrive("orders", where=lambda _: True) for one in (bus, other)),
    )
    handler = Recorder()
    await bus.subscribe("orders", handler)
    await empty(bus)

    assert sum(moved) == 3
    assert handler.numbers == [0, 1, 2]
    assert await bus.dead_letter_count("orders") == 0


async def test_letters_are_there_for_everybody_while_somebody_looks_at_them(
    transport, bus, three_letters
):
    """RabbitMQ hides a message from all others while one looks at it."""
    other = transport.bus()
    found = await asyncio.gather(
        *(one.dead_letters("orders") for _ in range(5) for one in (bus, other)),
        *(one.dead_letters("orders", limit=1) for one in (bus, other)),
    )
    assert [len(some) for some in found] == [3] * 10 + [1] * 2
    _, moved, count = await asyncio.gather(
        other.dead_letters("orders"),
        bus.redrive("orders", [three_letters[0].id]),
        other.dead_letter_count("orders"),
    )
    assert moved == 1, "whoever looks does not keep it from being redriven"
    assert count in {2, 3}
    assert len(await bus.dead_letters("orders")) == 2


async def test_two_thousand_letters_are_looked_at_and_redriven_in_bounded_time(bus):
    subscription = await bus.subscribe(
        "orders", Recorder(*(Unparseable("?") for _ in range(2_000))), concurrency=50
    )
    for first in range(0, 2_000, 500):
        await bus.publish([order(n, papers="x" * 1_000) for n in range(first, first + 500)])
    async with asyncio.timeout(60):
        while await bus.dead_letter_count("orders") < 2_000:
            await asyncio.sleep(0.1)
    await subscription.close()

    began = time.monotonic()
    assert len(await bus.dead_letters("orders")) == 100
    few = time.monotonic() - began
    assert len(await bus.dead_letters("orders", limit=2_000, heads=True)) == 2_000
    every = time.monotonic() - began - few
    assert await bus.redrive("orders", where=lambda head: number_of(head) % 2 == 0) == 1_000
    half = time.monotonic() - began - few - every
    assert (await bus.dead_letter_count("orders"), await bus.depth("orders")) == (1_000, 1_000)
    print(f"100 of 2,000 in {few:.2f} s, 2,000 heads in {every:.2f} s, 1,000 back in {half:.2f} s")
    # 0.02, 0.1 and 0.2 s on Postgres, 0.2, 1 and 3 s on RabbitMQ with a busy machine.
    assert few < 5
    assert every < 10
    assert half < 20


def number_of(letter: DeadLetter) -> int:
    return int(Envelope.from_bytes(letter.body, letter.routing_key).payload["n"])


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
    target = urlsplit(transport.url)
    proxy = TcpProxy(target.hostname or "", target.port or 0)
    async with proxy.listening():
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

"""What a bus promises about dead letters, whichever transport keeps it."""

import asyncio
import time
from typing import Any

import aio_pika
import pytest

from common.bus import HEAD_BYTES, DeadLetter, postgres
from common.bus.postgres import PostgresBus, schema
from common.bus.rabbitmq.layout import Layout
from common.events import Envelope, Unparseable
from common.retry import Retry
from tests.contract.conftest import Transport
from tests.support.bus_probe import Recorder, empty, letters, order, until


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


@pytest.mark.parametrize("act", ["redrive", "discard"])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("transport", ["postgres"], indirect=True)
async def test_however_many_letters_are_moved_no_statement_moves_more_than_a_batch(
    bus, three_letters, monkeypatch, act, named
):
    """A statement that moved them all would be given up in the middle of a large number."""
    monkeypatch.setattr(postgres, "HEADS_AT_ONCE", 2)
    batches = []
    count = PostgresBus._count

    async def counting(self: PostgresBus, statement: str, *arguments: Any) -> int:
        moved = await count(self, statement, *arguments)
        if statement in {schema.REDRIVE, schema.DISCARD}:
            batches.append(moved)
        return moved

    monkeypatch.setattr(PostgresBus, "_count", counting)
    ids = [one.id for one in three_letters.values()] if named else None

    assert await getattr(bus, act)("orders", ids) == 3
    assert batches == [2, 1]
    assert await bus.dead_letter_count("orders") == 0
    assert await bus.depth("orders") == (3 if act == "redrive" else 0)


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
        for _ in range(Retry.deaths):
            async with transport.worker("die") as worker:
                await worker.says("dying of 1")
        subscription = await bus.subscribe("orders", Recorder())
        [letter] = await letters(bus)
        await subscription.close()
        assert letter.reason.startswith("WorkerDied")
        assert letter.attempts == Retry.deaths
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


@pytest.mark.parametrize(
    "transport", [pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)], indirect=True
)
async def test_a_reader_that_dies_gives_up_its_turn(transport: Transport, bus, three_letters):
    name = f"{Layout(transport.topology, transport.namespace).dead_letters('orders')}.reader"
    dying = await aio_pika.connect(transport.url)
    channel = await dying.channel()
    await channel.declare_queue(name, exclusive=True, arguments={"x-queue-type": "classic"})
    looking = asyncio.create_task(bus.dead_letters("orders"))
    await asyncio.sleep(0.5)
    assert not looking.done()
    await dying.close()
    async with asyncio.timeout(5):
        assert len(await looking) == 3


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


@pytest.mark.parametrize(
    "transport", [pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)], indirect=True
)
@pytest.mark.parametrize("died_at", ["nonsense", "2026-01-05T12:00:00"])
async def test_a_letter_with_an_odd_time_of_death_is_shown_all_the_same(transport, bus, died_at):
    name = Layout(transport.topology, transport.namespace).dead_letters("orders")
    message = aio_pika.Message(b"{}", headers={"died-at": died_at})
    async with await aio_pika.connect(transport.url) as connection, connection.channel() as channel:
        await channel.default_exchange.publish(message, name)
    [letter] = await letters(bus)
    assert letter.died_at.tzinfo is not None

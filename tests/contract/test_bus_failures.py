"""What a bus promises when a handler fails, a consumer ends or a line is cut."""

import asyncio
import time

import aio_pika
import pytest

from common.bus import Bus, consumer
from common.bus.connect import connect
from common.bus.rabbitmq.layout import Layout
from common.errors import Unavailable
from common.events import Envelope, Unparseable
from tests.contract.conftest import LADDER, LEASE, ONE_QUEUE, Transport
from tests.support.bus_probe import TRACE, Recorder, empty, letters, order, until
from tests.support.tcp_proxy import TcpProxy

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


@pytest.mark.parametrize(
    "body",
    [
        "{not json",
        "[1, 2]",
        '{"payload": {}, "name": null}',
        pytest.param("[" * 100_000, id="nested too deeply"),
    ],
)
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


async def test_a_consumer_with_a_handler_that_hangs_is_not_healthy_until_it_ends(bus, monkeypatch):
    """Although the slots beside it are free, and what they take is finished."""
    monkeypatch.setattr(consumer, "STANDSTILL", 0.3)
    leave, taken = asyncio.Event(), []

    async def one_hangs(envelope: Envelope) -> None:
        if envelope.payload["n"] == 1:
            await leave.wait()
        taken.append(envelope)

    subscription = await bus.subscribe("orders", one_hangs, concurrency=2)
    await bus.publish([order(1)])
    await until(lambda: subscription.healthy)
    await until(lambda: not subscription.healthy)
    await bus.publish([order(2), order(3)])
    await until(lambda: len(taken) == 2)
    assert not subscription.healthy
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

"""What the bus on RabbitMQ promises of messages whose properties nobody can decode.

Each is published by hand, byte for byte, since no client library would write it.
"""

import asyncio
import struct
import time

import pytest

from common.bus import Bus, DeadLetter
from common.bus.rabbitmq.layout import Layout
from tests.contract.conftest import RabbitTransport
from tests.support.bus_probe import Recorder, empty, letters, order, until
from tests.support.raw_amqp import long, raw_channel, short, table

pytestmark = [
    pytest.mark.rabbitmq,
    pytest.mark.parametrize("transport", ["rabbitmq"], indirect=True),
]

MICROSECONDS = struct.pack(">Q", 1_700_000_000_000_000)


def nested(levels: int) -> bytes:
    """Return a table within a table within a table."""
    field = b"V"
    for _ in range(levels):
        field = b"F" + long(short(b"deeper") + field)
    return field


ODD = {
    "a timestamp in microseconds": {"timestamp": MICROSECONDS},
    "the last timestamp": {"timestamp": b"\xff" * 8},
    "a message id that is no UTF-8": {"message_id": short(b"\xff" * 255)},
    "a content type that is no UTF-8": {"content_type": short(b"\xfe")},
    "a header's name that is no UTF-8": {"headers": long(short(b"\xff") + b"V")},
    "an id that is no UTF-8": {"headers": table(id=b"S" + long(b"\xff"))},
    "a header's timestamp": {"headers": table(when=b"T" + MICROSECONDS)},
    "an id that is a time": {"headers": table(id=b"T" + b"\xff" * 8)},
    "an id that is a decimal": {"headers": table(id=b"D" + b"\xff" * 5)},
    "an id as long as a frame": {"headers": table(id=b"S" + long(b"x" * 130_900))},
    "a list of times": {"headers": table(times=b"A" + long(b"T" + MICROSECONDS))},
    "a header two thousand deep": {"headers": table(deep=nested(2_000))},
    "the largest number of attempts": {"headers": table(attempts=b"l\x7f" + b"\xff" * 7)},
    "the highest priority": {"priority": b"\xff"},
    "an expiration": {"expiration": short(b"+600000")},
}


async def publish_odd(transport: RabbitTransport, *, dead: bool = False) -> None:
    """Publish every odd message to the queue, or into its dead letters."""
    layout = Layout(transport.topology, transport.namespace)
    exchange = "" if dead else layout.exchange_name("order.placed.v1")
    key = layout.dead_letters("orders") if dead else "order.placed.v1"
    async with raw_channel(transport.url) as raw:
        for number, properties in enumerate(ODD.values()):
            body = order(number).to_bytes()
            await raw.publish(exchange, key.encode(), body, **properties)


async def test_odd_messages_are_handled_like_any_other(transport: RabbitTransport, bus: Bus):
    await publish_odd(transport)
    handler = Recorder()
    subscription = await bus.subscribe("orders", handler)
    await until(lambda: len(handler.taken) >= len(ODD))
    await empty(bus)

    assert handler.numbers == list(range(len(ODD)))
    assert subscription.healthy


async def test_odd_messages_that_fail_are_tried_again_buried_and_redriven(
    transport: RabbitTransport, bus: Bus
):
    await publish_odd(transport)
    handler = Recorder(*(ValueError("?") for _ in range(3 * len(ODD))))
    subscription = await bus.subscribe("orders", handler)
    buried = await letters(bus, len(ODD))
    await empty(bus)
    handler.failures.clear()
    assert {one.routing_key for one in buried} == {"order.placed.v1"}

    assert await bus.redrive("orders") == len(ODD)
    await until(lambda: len(handler.taken) >= len(ODD))
    await empty(bus)
    assert handler.numbers == list(range(len(ODD)))
    assert subscription.healthy


async def test_odd_letters_are_shown_redriven_once_and_discarded(
    transport: RabbitTransport, bus: Bus
):
    await publish_odd(transport, dead=True)
    shown = await bus.dead_letters("orders", heads=True)
    assert sorted(number_of(one) for one in shown) == list(range(len(ODD)))

    half = [one.id for one in shown if number_of(one) % 2]
    assert await bus.redrive("orders", half) == await bus.depth("orders") == len(half)
    assert await bus.discard("orders") == len(ODD) - len(half)
    assert await bus.dead_letter_count("orders") == 0


def number_of(letter: DeadLetter) -> int:
    [number] = [n for n in range(len(ODD)) if f'"n":{n}}}' in letter.body.decode().replace(" ", "")]
    return number


async def test_a_time_that_cannot_be_read_takes_no_other_header_with_it(
    transport: RabbitTransport, bus: Bus
):
    sent = order(1)
    name = b"S" + long(str(sent.id).encode())
    headers = table(when=b"T" + MICROSECONDS, id=name)
    key = Layout(transport.topology, transport.namespace).dead_letters("orders")
    async with raw_channel(transport.url) as raw:
        await raw.publish("", key.encode(), sent.to_bytes(), headers=headers)
    [letter] = await letters(bus)
    assert letter.message_id == sent.id


async def test_a_routing_key_that_is_no_utf_8_is_a_letter_and_its_neighbours_are_served(
    transport: RabbitTransport, bus: Bus
):
    exchange = Layout(transport.topology, transport.namespace).exchange_name("order.placed.v1")
    async with raw_channel(transport.url) as raw:
        await raw.publish(exchange, b"order.\xff.v1", b"not JSON")
    await bus.publish([order(1)])
    handler = Recorder()
    await bus.subscribe("orders", handler)
    [letter] = await letters(bus)
    await until(lambda: bool(handler.taken))
    assert (letter.routing_key, letter.body) == ("order.?.v1", b"not JSON")
    assert handler.numbers == [1]


async def test_a_message_from_the_future_does_not_make_the_queue_look_young(
    transport: RabbitTransport, bus: Bus
):
    exchange = Layout(transport.topology, transport.namespace).exchange_name("order.placed.v1")
    in_a_year = struct.pack(">Q", int(time.time()) + 365 * 86_400)
    handler = Recorder()
    await bus.backlog("orders")
    subscription = await bus.subscribe("orders", handler)
    async with raw_channel(transport.url) as raw:
        await raw.publish(exchange, b"order.placed.v1", order(1).to_bytes(), timestamp=in_a_year)
    await until(lambda: bool(handler.taken))
    await subscription.close()
    await bus.backlog("orders")
    await bus.publish([order(2)])
    async with asyncio.timeout(10):
        while not (await bus.backlog("orders")).age:
            await asyncio.sleep(0.1)

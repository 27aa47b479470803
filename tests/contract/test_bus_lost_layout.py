"""What the bus on RabbitMQ promises when what stands on the broker is gone.

As when a broker comes back on an empty disk, or a person deletes what looks unused.
"""

import asyncio

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel

from common.bus import Bus
from common.bus.rabbitmq import publisher
from common.bus.rabbitmq.layout import Layout
from common.bus.rabbitmq.link import Link
from common.errors import Unavailable
from common.events.topology import Queue, Topology
from tests.contract.conftest import LADDER, RabbitTransport, Transport
from tests.support.brokers import forget_namespace, forget_queues
from tests.support.bus_probe import Recorder, empty, order, publish_as_a_relay_does, until
from tests.support.tcp_proxy import TcpProxy

pytestmark = [
    pytest.mark.rabbitmq,
    pytest.mark.parametrize("transport", ["rabbitmq"], indirect=True),
]

TWO_QUEUES = Topology(
    (
        Queue("orders", ("order.*.v1",), commands=("orders.recount.v1",)),
        Queue("late", ("order.late.v1",)),
    )
)


async def forget(transport: Transport, *, exchanges: bool) -> None:
    forget_all = forget_namespace if exchanges else forget_queues
    await forget_all(transport.url, transport.namespace, transport.topology, LADDER)


async def taken_from(bus: Bus, queue: str, count: int = 1) -> list[int]:
    handler = Recorder()
    subscription = await bus.subscribe(queue, handler)
    await until(lambda: len(handler.taken) >= count)
    await empty(bus, queue)
    await subscription.close()
    return handler.numbers


@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize("topology", [TWO_QUEUES])
async def test_what_is_published_after_everything_was_deleted_reaches_consumers_that_were_away(
    transport: RabbitTransport, bus: Bus, exchanges
):
    await bus.publish([order(1)])
    await forget(transport, exchanges=exchanges)

    await publish_as_a_relay_does(bus, order(2))
    await bus.publish([order(3, "order.late"), order(4, "orders.recount")])

    consumers = transport.bus()
    assert await taken_from(consumers, "orders", 3) == [2, 3, 4]
    assert await taken_from(consumers, "late") == [3]


@pytest.mark.parametrize("topology", [TWO_QUEUES])
async def test_a_publisher_whose_line_was_cut_makes_everything_before_it_publishes(
    transport: RabbitTransport,
):
    """A broker that lost everything has ended its connections: nothing is given back at first."""
    async with TcpProxy.to(transport.url).listening() as proxy:
        bus = transport.bus(at=transport.through(proxy.port))
        await bus.publish([order(1)])
        proxy.cut()
        await forget(transport, exchanges=True)
        await declare_alone(transport, "late")
        proxy.mend()
        await publish_as_a_relay_does(bus, order(2, "order.late"))
        await bus.close()

    assert await taken_from(transport.bus(), "orders") == [2]


async def declare_alone(transport: Transport, name: str) -> None:
    """Make the part of one queue, as a process of a topology that knows no other does."""
    part = Topology(tuple(queue for queue in transport.topology.queues if queue.name == name))
    async with await aio_pika.connect(transport.url) as connection, connection.channel() as channel:
        await Layout(part, transport.namespace).declare(channel, LADDER)


@pytest.mark.parametrize("topology", [TWO_QUEUES])
async def test_a_consumer_that_comes_back_first_makes_the_queues_of_the_others_too(
    transport: RabbitTransport, bus: Bus
):
    """Else its publisher, whose connection never broke, would believe that one queue is all."""
    await bus.publish([order(1)])
    first = Recorder()
    subscription = await transport.bus().subscribe("late", first)
    await until(lambda: subscription.healthy)
    await forget(transport, exchanges=True)
    await until(lambda: not subscription.healthy)
    await until(lambda: subscription.healthy)

    await publish_as_a_relay_does(bus, order(2, "order.late"))

    assert await taken_from(transport.bus(), "orders") == [2]
    assert first.numbers == [2]


@pytest.mark.parametrize("topology", [TWO_QUEUES])
async def test_one_queue_of_several_that_was_deleted_misses_nothing_after_the_next_look(
    transport: RabbitTransport, bus: Bus, monkeypatch
):
    """The broker confirms what the other queue takes, and nobody consumes from what went."""
    monkeypatch.setattr(publisher, "LOOK", 0.5)
    await bus.publish([order(1, "order.late")])
    name = Layout(transport.topology, transport.namespace).queue("late")
    async with await aio_pika.connect(transport.url) as connection, connection.channel() as channel:
        await channel.queue_delete(name)
    await bus.publish([order(2, "order.late")])
    await asyncio.sleep(publisher.LOOK)
    await bus.publish([order(3, "order.late")])

    assert await taken_from(bus, "late") == [3]
    assert await taken_from(bus, "orders", 3) == [1, 2, 3]


async def test_a_look_that_failed_is_repeated_before_the_next_message(transport, bus, monkeypatch):
    looks: list[list[str]] = []

    async def missing(_link: Link, queues: list[str]) -> None:
        looks.append(queues)
        if len(looks) == 1:
            raise Unavailable("the broker does not answer")

    monkeypatch.setattr(Link, "missing", missing)
    with pytest.raises(Unavailable):
        await bus.publish([order(1)])
    await bus.publish([order(2), order(3)])
    await bus.publish([order(4)])
    assert looks == [[f"{transport.namespace}.orders"]] * 2


async def test_what_no_queue_takes_is_unavailable_although_the_broker_confirms_it(
    transport: RabbitTransport, bus: Bus, monkeypatch
):
    monkeypatch.setattr(publisher, "LOOK", 60.0)
    await bus.publish([order(1)])
    await forget(transport, exchanges=False)
    made: list[AbstractChannel] = []

    async def make_nothing(_layout: Layout, channel: AbstractChannel, *_: object) -> None:
        made.append(channel)

    with monkeypatch.context() as patched:
        patched.setattr(Layout, "declare", make_nothing)
        with pytest.raises(Unavailable, match=r"no queue for order\.placed\.v1"):
            await bus.publish([order(2), order(3, "weather.changed")])
    assert len(made) == 1, "it was tried once more, on a layout that was made anew"

    await bus.publish([order(2)])
    assert await bus.depth("orders") == 1

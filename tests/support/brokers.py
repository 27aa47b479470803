"""Leaves nothing of a test's namespace in a broker."""

from collections.abc import Iterable

import aio_pika

from common.bus.rabbitmq.layout import Layout
from common.events.topology import TOPOLOGY, Topology
from common.retry import Retry


async def forget_queues(
    url: str,
    namespace: str,
    topology: Topology,
    ladder: Iterable[float] = Retry().ladder,
) -> None:
    """Delete the queues of a topology, with their rungs and dead letters."""
    layout = Layout(topology, namespace)
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for queue in topology.queues:
            await channel.queue_delete(layout.queue(queue.name))
            await channel.queue_delete(layout.dead_letters(queue.name))
            for pause in ladder:
                await channel.queue_delete(layout.rung(queue.name, pause))


async def forget_namespace(
    url: str,
    namespace: str,
    topology: Topology = TOPOLOGY,
    ladder: Iterable[float] = Retry().ladder,
) -> None:
    """Delete every queue and exchange of the namespace."""
    await forget_queues(url, namespace, topology, ladder)
    layout = Layout(topology, namespace)
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for routing_key in ("no.command", *topology.commands):
            await channel.exchange_delete(layout.exchange_name(routing_key))

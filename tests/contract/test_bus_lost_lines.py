"""That RabbitMQ lost a consumer, or takes nothing from it, is no death of a worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from common.bus import Bus
from common.bus.rabbitmq import consumer
from common.errors import Unavailable
from common.events import Envelope
from common.retry import Retry
from tests.contract.conftest import ONE_QUEUE, RabbitTransport, Transport
from tests.support.bus_probe import Recorder, empty, letters, order, until
from tests.support.private_servers import PrivateRabbit
from tests.support.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(120)]
PATIENCE = 1.0
"""Seconds that a broker gets here to take an acknowledgement."""
ON_RABBIT = pytest.mark.parametrize("transport", ["rabbitmq"], indirect=True)


class Holding:
    """A handler that holds every message until it may let go, as while its database is away."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.leave = asyncio.Event()
        self.taken: set[int] = set()

    async def __call__(self, envelope: Envelope) -> None:
        self.begun.append(envelope.payload["n"])
        await self.leave.wait()
        self.taken.add(envelope.payload["n"])


async def cut(proxy: TcpProxy, handler: Holding, messages: int) -> None:
    """Cut the line once, and return when all messages are in hand again."""
    begun = len(handler.begun)
    proxy.cut()
    proxy.mend()
    await until(lambda: len(handler.begun) >= begun + messages)


@ON_RABBIT
@pytest.mark.parametrize("renewed", [consumer.RENEWED, 2])
async def test_a_line_that_is_cut_again_and_again_buries_nothing(
    transport: Transport, bus: Bus, monkeypatch, renewed
):
    monkeypatch.setattr(consumer, "RENEWED", renewed)
    async with TcpProxy.to(transport.url).listening() as proxy:
        behind, handler = transport.bus(at=transport.through(proxy.port)), Holding()
        await bus.publish([order(n) for n in range(3)])
        await behind.subscribe("orders", handler, concurrency=2)
        await until(lambda: len(handler.begun) == 2)
        for _ in range(Retry.deaths + 1):
            await cut(proxy, handler, 2)
        handler.leave.set()
        await until(lambda: handler.taken == {0, 1, 2})
        await empty(bus)
        await behind.close()

    assert await bus.dead_letters("orders") == []


@ON_RABBIT
async def test_deaths_before_and_after_a_line_that_was_cut_are_counted(
    transport: Transport, bus: Bus
):
    async def one_dies() -> None:
        async with transport.worker("die") as worker:
            await worker.says("dying of 1")

    await bus.publish([order(1)])
    for _ in range(Retry.deaths - 1):
        await one_dies()
    async with TcpProxy.to(transport.url).listening() as proxy:
        behind, handler = transport.bus(at=transport.through(proxy.port), grace=0.0), Holding()
        await behind.subscribe("orders", handler)
        await until(lambda: handler.begun == [1])
        for _ in range(2):
            await cut(proxy, handler, 1)
        await behind.close()
    await one_dies()
    untouched = Recorder()
    await bus.subscribe("orders", untouched)
    [letter] = await letters(bus)

    assert letter.reason == f"WorkerDied: {Retry.deaths} attempts in a row ended without an answer"
    assert untouched.attempts == []


# --- a broker in an alarm


@pytest.fixture
async def private_rabbit(tmp_path: Path) -> AsyncIterator[PrivateRabbit]:
    server = PrivateRabbit(tmp_path / "server")
    await server.start()
    yield server
    await server.close()


async def test_what_has_failed_waits_for_the_end_of_an_alarm_and_all_else_goes_on(
    private_rabbit: PrivateRabbit, monkeypatch
):
    """A broker whose disk is full reads nothing more from whoever publishes."""
    monkeypatch.setattr("common.bus.rabbitmq.consumer.ANSWER_TIMEOUT", PATIENCE)
    transport = RabbitTransport(private_rabbit.url, ONE_QUEUE)
    bus, begun, leave, taken = transport.bus(), list[int](), asyncio.Event(), list[int]()

    async def handler(envelope: Envelope) -> None:
        number = envelope.payload["n"]
        begun.append(number)
        await leave.wait()
        if number < 3 and begun.count(number) == 1:
            raise Unavailable("the warehouse is closed")
        taken.append(number)

    async with asyncio.timeout(30):  # a broker that has just begun may not be ready
        while not await declared(bus):
            await asyncio.sleep(0.2)
    subscription = await bus.subscribe("orders", handler, concurrency=6)
    await bus.publish([order(n) for n in range(6)])
    await until(lambda: len(begun) == 6)
    await private_rabbit.alarm(on=True)
    leave.set()
    await until(lambda: len(taken) == 3)
    await asyncio.sleep(5 * PATIENCE)
    assert subscription.healthy
    assert len(begun) == 6, "nothing has come again"
    assert await bus.depth("orders") == 3, "the rest was acknowledged"

    await private_rabbit.alarm(on=False)
    await until(lambda: sorted(taken) == list(range(6)))
    await empty(bus)
    assert len(begun) == 9
    assert await bus.dead_letters("orders") == []
    await transport.close()


async def declared(bus: Bus) -> bool:
    with suppress(Unavailable):
        await bus.declare()
        return True
    return False

"""What a bus promises when the line to its server, or the server, goes away and comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from common.bus import Bus, Subscription
from common.errors import Unavailable
from common.events import Envelope
from tests.contract.conftest import ONE_QUEUE, PostgresTransport, RabbitTransport, Transport
from tests.support.bus_probe import Recorder, empty, order, publish_as_a_relay_does, until
from tests.support.private_servers import PrivatePostgres, PrivateRabbit
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.timeout(300)

BACK_WITHIN = 10.0
"""Seconds until messages flow again once the server can be reached."""
SERVERS = ["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]


@asynccontextmanager
async def behind_a_proxy(transport: Transport) -> AsyncIterator[tuple[TcpProxy, Bus]]:
    async with TcpProxy.to(transport.url).listening() as proxy:
        bus = transport.bus(at=transport.through(proxy.port))
        yield proxy, bus
        await bus.close()


async def flowing(bus: Bus, handler: Recorder) -> Subscription:
    """Return a subscription that has taken a message."""
    subscription = await bus.subscribe("orders", handler)
    await bus.publish([order(1)])
    await until(lambda: handler.numbers == [1] and subscription.healthy)
    return subscription


async def test_messages_flow_again_when_a_silent_line_speaks(transport: Transport):
    async with behind_a_proxy(transport) as (proxy, bus):
        handler = Recorder()
        subscription = await flowing(bus, handler)
        proxy.silence()
        publishing = asyncio.create_task(publish_as_a_relay_does(bus, order(2)))
        await until(lambda: not subscription.healthy)

        proxy.mend()
        mended = time.monotonic()
        await publishing
        await until(lambda: 2 in handler.numbers and subscription.healthy)
        assert time.monotonic() - mended < BACK_WITHIN


@pytest.mark.fault
async def test_messages_flow_again_although_the_lines_there_were_are_silent_for_good(
    transport: Transport,
):
    async with behind_a_proxy(transport) as (proxy, bus):
        handler, elsewhere = Recorder(), transport.bus()
        await flowing(bus, handler)
        proxy.forget()
        forgotten, sent = time.monotonic(), 1
        while len(handler.numbers) == 1:
            sent += 1
            await elsewhere.publish([order(sent)])
            await asyncio.sleep(0.2)
        assert time.monotonic() - forgotten < BACK_WITHIN
        await publish_as_a_relay_does(bus, order(sent + 1))
        # What was sent down the old line is repeated when the server, too, has given it up.
        await until(lambda: handler.numbers == list(range(1, sent + 2)), seconds=30)


@pytest.mark.parametrize("transport", ["postgres"], indirect=True)
async def test_messages_flow_again_when_the_server_ended_its_sessions(
    transport: Transport, bus: Bus
):
    handler = Recorder()
    subscription = await flowing(bus, handler)
    admin = await asyncpg.connect(transport.url)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await admin.close()
    await until(lambda: not subscription.healthy)
    await publish_as_a_relay_does(bus, order(2))
    await until(lambda: 2 in handler.numbers and subscription.healthy, BACK_WITHIN)


# --- servers of our own, which may be ended


Server = PrivatePostgres | PrivateRabbit


def impatient_rabbit(directory: Path) -> PrivateRabbit:
    return PrivateRabbit(directory, consumer_timeout=3_000)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=SERVERS)
async def server(request, tmp_path_factory) -> AsyncIterator[Server]:
    directory = tmp_path_factory.mktemp(request.param)
    kind = PrivatePostgres if request.param == "postgres" else impatient_rabbit
    lent = kind(directory / "server")
    await lent.start()
    yield lent
    await lent.close()


@pytest.fixture
async def restartable(server: Server) -> AsyncIterator[Transport]:
    """A transport on a server of the module's own."""
    kind = PostgresTransport if isinstance(server, PrivatePostgres) else RabbitTransport
    transport = kind(server.url, ONE_QUEUE)
    bus = transport.bus()
    # A broker that has just been restarted may still answer INTERNAL_ERROR, as a process meets it.
    async with asyncio.timeout(30):
        while not await declared(bus):
            await asyncio.sleep(0.2)
    yield transport
    await transport.close()


async def declared(bus: Bus) -> bool:
    try:
        await bus.declare()
    except Unavailable:
        return False
    return True


async def test_nothing_is_lost_when_the_server_is_killed_with_messages_in_hand(
    server: Server, restartable: Transport
):
    """What waits, what is in hand and what comes meanwhile: all is taken in the end."""
    bus, leave, taken = restartable.bus(), asyncio.Event(), set[int]()

    async def handler(envelope: Envelope) -> None:
        await leave.wait()
        taken.add(envelope.payload["n"])

    subscription = await bus.subscribe("orders", handler, concurrency=2)
    await until(lambda: subscription.healthy)
    await bus.publish([order(n) for n in range(10)])
    # RabbitMQ notes where a new quorum queue lives a moment after it was declared: a power cut
    # before that leaves a queue without a leader, which only a person can mend.
    await asyncio.sleep(2.0)
    await server.kill()
    await until(lambda: not subscription.healthy)
    publishing = asyncio.create_task(publish_as_a_relay_does(bus, order(10), 100))
    await server.start()
    back = time.monotonic()
    leave.set()
    await publishing
    await until(lambda: taken == set(range(11)) and subscription.healthy)
    assert time.monotonic() - back < BACK_WITHIN
    await empty(bus)
    assert await bus.dead_letters("orders") == []
    # Nor may we delete our queues so soon: RabbitMQ 3.10 then dead-letters nothing any more, since
    # the workers of queues that have gone while it restored them took their supervisor with them.
    await asyncio.sleep(2.0)


@pytest.mark.parametrize("server", SERVERS[1:], indirect=True)
async def test_a_channel_that_the_broker_closes_is_opened_anew(restartable: Transport):
    """It loses patience with a message that is in hand for too long."""
    bus, begun = restartable.bus(), list[float]()

    async def handler(_envelope: Envelope) -> None:
        begun.append(time.monotonic())
        if len(begun) == 1:
            await asyncio.Event().wait()

    subscription = await bus.subscribe("orders", handler, concurrency=2)
    await bus.publish([order(1)])
    await until(lambda: len(begun) == 2)
    await empty(bus)
    await bus.publish([order(2)])
    await until(lambda: len(begun) == 3 and subscription.healthy)
    assert await bus.dead_letters("orders") == []

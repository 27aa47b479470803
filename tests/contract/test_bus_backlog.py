"""What a bus tells of its queues and of what fails, whichever transport keeps it."""

import asyncio
import time

import pytest

from common.bus import Bus
from common.bus.rabbitmq.head import Head
from common.errors import Unavailable
from tests.contract.conftest import LADDER
from tests.support.bus_probe import Recorder, empty, letters, order, until


async def has_depth(bus: Bus, depth: int) -> None:
    async with asyncio.timeout(10):
        while (await bus.backlog("orders")).depth != depth:
            await asyncio.sleep(0.02)


async def test_an_empty_queue_has_no_backlog(bus):
    backlog = await bus.backlog("orders")
    assert (backlog.depth, backlog.age, backlog.dead_letters) == (0, 0.0, 0)


async def test_the_first_in_line_grows_older_until_somebody_takes_it(bus):
    await bus.backlog("orders")
    await bus.publish([order(1)])
    await has_depth(bus, 1)
    await asyncio.sleep(1.5)
    await bus.publish([order(2)])
    await has_depth(bus, 2)

    waiting = await bus.backlog("orders")
    assert 1.4 < waiting.age < 6

    handler = Recorder()
    await bus.subscribe("orders", handler)
    await until(lambda: len(handler.taken) == 2)
    await empty(bus, "orders")
    assert (await bus.backlog("orders")).age == 0


async def test_a_queue_that_is_never_empty_and_never_late_looks_young(bus):
    """Each look finds somebody waiting, as at a busy counter: the age is still that of a wait."""
    await bus.backlog("orders")
    await bus.publish([order(number) for number in range(40)])

    async def serve(_envelope) -> None:
        await asyncio.sleep(0.1)
        await bus.publish([order(99)])

    subscription = await bus.subscribe("orders", serve, concurrency=4)
    await asyncio.sleep(5)
    # Forty in line, four served each tenth of a second: a second's wait, and a second's rounding.
    assert 0 < (await bus.backlog("orders")).age < 3.5
    await subscription.close()


async def test_what_is_in_hand_or_on_the_ladder_counts_as_depth_and_does_not_wait(bus):
    entered, leave = asyncio.Event(), asyncio.Event()

    async def hold(_envelope) -> None:
        entered.set()
        await leave.wait()

    subscription = await bus.subscribe("orders", hold)
    await bus.publish([order(1)])
    await entered.wait()
    await asyncio.sleep(0.3)
    backlog = await bus.backlog("orders")
    assert (backlog.depth, backlog.age) == (1, 0.0)
    leave.set()
    await empty(bus, "orders")
    await subscription.close()


async def test_failures_are_heard_of_as_they_happen_and_letters_are_counted(bus):
    heard: list[tuple[str, float | None]] = []

    async def refuse(envelope) -> None:
        raise Unavailable("away") if envelope.payload["n"] == 1 else ValueError("bug")

    await bus.subscribe("orders", refuse, on_failure=lambda key, pause: heard.append((key, pause)))
    await bus.publish([order(1), order(2)])
    await letters(bus, 2)

    assert {key for key, _ in heard} == {"order.placed.v1"}
    pauses = [pause for _, pause in heard]
    assert pauses.count(None) == 2
    # Unavailable climbs the ladder, the other error gets three attempts.
    assert sorted(pause for pause in pauses if pause) == sorted([*LADDER, *LADDER[:2]])
    assert (await bus.backlog("orders")).dead_letters == 2


async def test_a_server_that_is_away_leaves_the_backlog_unknown(transport):
    away = transport.bus(at=transport.through(1))
    with pytest.raises(Unavailable):
        await away.backlog("orders")


# --- what RabbitMQ cannot tell


def test_nothing_in_a_queue_is_older_than_when_it_was_empty_or_than_what_was_taken():
    now = time.time()
    head = Head(since=now - 100)
    assert head.waited(3) == pytest.approx(100, abs=1)
    head.taken(now - 7)
    assert head.waited(3) == pytest.approx(7, abs=1)
    head.taken(now - 50)  # from the ladder: it came to its rung before the others to the queue
    assert head.waited(3) == pytest.approx(7, abs=1)
    assert head.waited(0) == 0
    assert head.waited(1) == pytest.approx(0, abs=1)

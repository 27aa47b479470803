"""A thousand open event streams: how late an event is, what one costs, what a reconnect loses."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from common.bus import Bus
from common.events import Envelope
from common.events.chat import InsightGenerated
from common.loops import wait
from tests.benchmarks.figures import SEED, Figures, milliseconds, proportional_set_size, size
from tests.benchmarks.listeners import Listener
from tests.benchmarks.people import Person, people
from tests.benchmarks.wire import pulse
from tests.support.system import System, eventually

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

STREAMS = size("STREAMS", 1_000)
PER_USER = 20
"""As many as the gateway allows one user."""
RESTLESS = 0.1
"""The part of the clients that reconnect all the time."""
STAY = (0.5, 2.5)
"""Seconds they stay connected."""
CATCH_UP = 300.0
"""Seconds after which an event that has not been read counts as missed."""
SECONDS = size("STREAM_SECONDS", 20)
BURSTS = size("BURSTS", 10)
OPENING_AT_ONCE = 50


@dataclass
class Teller:
    """Publishes events for users, and knows when each began its way."""

    bus: Bus
    began: dict[str, float] = field(default_factory=dict)
    told: Counter[UUID] = field(default_factory=Counter)

    async def tell(self, user_id: UUID) -> None:
        """Publish an event that only this user's streams show."""
        number = UUID(int=len(self.began) + 1)
        event = InsightGenerated(insight_id=number, portfolio_id=user_id, title="benchmark")
        self.told[user_id] += 1
        self.began[str(number)] = time.perf_counter()
        await self.bus.publish([Envelope.of(event, producer="benchmark", user_id=user_id)])

    async def evenly(self, users: Sequence[UUID], seconds: int) -> None:
        """Tell every user one event a second, one user after another."""
        started = time.perf_counter()
        async with asyncio.TaskGroup() as telling:
            for number in range(seconds * len(users)):
                due = started + number / len(users)
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                telling.create_task(self.tell(users[number % len(users)]))

    async def at_once(self, users: Iterable[UUID]) -> None:
        """Tell every user one event at the same moment."""
        await asyncio.gather(*(self.tell(user) for user in users))


@asynccontextmanager
async def restless(listeners: Sequence[Listener]) -> AsyncIterator[None]:
    """Cut and reopen streams all the time until the block ends; then they are open."""
    chance = random.Random(SEED)
    resting = asyncio.Event()

    async def come_and_go(listener: Listener) -> None:
        while not resting.is_set():
            await wait(resting, chance.uniform(*STAY))
            listener.cut()
            await listener.open()

    async with asyncio.TaskGroup() as moving:
        for listener in listeners:
            moving.create_task(come_and_go(listener))
        yield
        resting.set()


async def open_all(listeners: Sequence[Listener]) -> float:
    """Open streams, some at a time; return how long all took."""
    turn = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_one(listener: Listener) -> None:
        async with turn, asyncio.timeout(60):
            await listener.open()

    started = time.perf_counter()
    await asyncio.gather(*(open_one(listener) for listener in listeners))
    return time.perf_counter() - started


async def test_a_thousand_streams_hear_everything_once_and_soon(system: System, figures: Figures):
    users = await people(system.address, STREAMS // PER_USER)
    bus = system.bus()
    teller, late = Teller(bus), list[float]()

    def heard(data: dict[str, Any], now: float) -> None:
        late.append(now - teller.began[data["insight_id"]])

    def listeners(count: int, heard: Callable[[dict[str, Any], float], None]) -> list[Listener]:
        owners: list[Person] = [users[number % len(users)] for number in range(count)]
        return [Listener(system.address, owner.token, heard, owner.user_id) for owner in owners]

    coming_and_going = int(STREAMS * RESTLESS)
    moving = listeners(coming_and_going, lambda _data, _now: None)
    steady = listeners(STREAMS - coming_and_going, heard)
    # Once before anything is weighed: what the first streams bring into memory is not the others'.
    await open_all(moving)
    closed = proportional_set_size(system.process.pid, family=False)
    opening = await open_all(steady)
    weight = proportional_set_size(system.process.pid, family=False) - closed

    everyone = (*steady, *moving)

    async def all_heard() -> bool:
        return all(each.events >= teller.told[each.user_id] for each in everyone)

    ids = [user.user_id for user in users]
    async with pulse(system.address) as felt, restless(moving):
        await teller.evenly(ids, SECONDS)
        await eventually(all_heard, seconds=CATCH_UP)
        evenly, late = late, []
        for _ in range(BURSTS):
            await teller.at_once(ids)
            await eventually(all_heard, seconds=CATCH_UP)
        bursts = late
    reconnects = sum(each.connections - 1 for each in moving)
    for listener in everyone:
        listener.cut()
    await bus.close()

    assert [trouble for each in everyone for trouble in each.troubles] == []
    assert sum(each.missed for each in everyone) == 0
    assert sum(each.repeated for each in everyone) == 0
    assert all(each.events == SECONDS + BURSTS for each in everyone)

    runtime = "RabbitMQ" if system.broker else "Postgres bus"
    figures.add(
        f"{STREAMS:,} open SSE streams of {len(users)} users, {runtime}: publish to client, "
        f"{len(ids)} events and {STREAMS:,} frames a second",
        milliseconds(evenly, 0.95, 0.99),
        "p95 ≤ 250 ms",
    )
    figures.add(
        f"the same, {len(ids)} events and {STREAMS:,} frames at one moment",
        milliseconds(bursts, 0.95, 0.99),
    )
    figures.add(
        f"the same, {coming_and_going} clients reconnecting, {reconnects:,} times in all",
        f"{sum(each.events for each in everyone):,} frames: missed 0, repeated 0",
    )
    figures.add(
        "memory of an open stream (PSS of the host); opening all of them",
        f"{weight / len(steady) * 1024:.0f} KiB; {opening:.1f} s",
    )
    figures.add("the same: `/health` meanwhile; the event loop's lag", str(felt))

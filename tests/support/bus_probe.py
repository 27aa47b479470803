"""What the bus suite sends, and how it watches what comes."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

from common.bus import Bus, DeadLetter
from common.errors import Unavailable
from common.events import Envelope

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def order(n: int = 0, name: str = "order.placed", **payload: object) -> Envelope:
    """Return an event of a shop that no service of ours knows."""
    return Envelope(name=name, producer="shop", traceparent=TRACE, payload={"n": n, **payload})


class Recorder:
    """A handler that keeps what it takes, after failing in the ways it is told to."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.attempts: list[tuple[float, Envelope]] = []
        self.taken: list[Envelope] = []

    async def __call__(self, envelope: Envelope) -> None:
        self.attempts.append((time.monotonic(), envelope))
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(envelope)

    @property
    def numbers(self) -> list[int]:
        return sorted(envelope.payload["n"] for envelope in self.taken)

    @property
    def pauses(self) -> list[float]:
        times = [when for when, _ in self.attempts]
        return [later - earlier for earlier, later in pairwise(times)]


async def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def empty(bus: Bus, queue: str = "orders") -> None:
    """Wait until nothing waits for a queue, is in hand or on its ladder."""
    async with asyncio.timeout(10):
        while await bus.depth(queue):
            await asyncio.sleep(0.02)


async def letters(bus: Bus, count: int = 1, queue: str = "orders") -> list[DeadLetter]:
    """Return the dead letters once there are this many."""
    async with asyncio.timeout(15):
        while len(found := await bus.dead_letters(queue, limit=count + 100)) < count:
            await asyncio.sleep(0.02)
    return found


async def publish_as_a_relay_does(bus: Bus, envelope: Envelope, within: float = 20.0) -> None:
    """Publish an envelope again and again until it is accepted."""
    async with asyncio.timeout(within):
        while True:
            with suppress(Unavailable):
                return await bus.publish([envelope])
            await asyncio.sleep(0.2)

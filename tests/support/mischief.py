"""What a network, a broker and a database may do at worst, by chance from a seed.

The bus duplicates and shuffles what is published, delays deliveries so that order is lost, and has
handlers run again after they succeeded. At crash points an error is raised although what was asked
for is done, or before it is: both are what a cut connection looks like.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.bus import (
    Backlog,
    Bus,
    DeadLetter,
    FailureListener,
    Handler,
    Retry,
    Subscription,
    nobody,
)
from common.errors import Unavailable
from common.events import Envelope

ERRORS_AT = (
    "unit.before_commit",
    "unit.after_commit",
    "message.before_publish",
    "message.confirmed",
    "outbox.confirmed",
    "delivery.before_ack",
)
"""Crash points at which real code may be told that something failed, by a connection that broke."""


@dataclass
class Mischief:
    """How likely each kind is, per occasion; the seed decides when."""

    seed: int
    copies: int = 3
    """Every message is published once to so many times."""
    delay: float = 0.2
    """Seconds a delivery is held back at most."""
    again: float = 0.3
    """A handler that took a message is given it once more."""
    failure: float = 0.03
    """A delivery fails with `Unavailable`, before its handler or after it."""
    error: float = 0.01
    """A crash point of `ERRORS_AT` raises `Unavailable`."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def happens(self, probability: float) -> bool:
        """Whether it does this time."""
        return self._chance.random() < probability

    def at(self, point: str) -> None:
        """Fail at a crash point, perhaps."""
        if point in ERRORS_AT and self.happens(self.error):
            raise Unavailable(f"mischief at {point}")

    def multiplied(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Return each message one or several times, all in another order."""
        many = [one for one in envelopes for _ in range(self._chance.randint(1, self.copies))]
        self._chance.shuffle(many)
        return many

    async def pause(self) -> None:
        """Hold a delivery back."""
        await asyncio.sleep(self._chance.uniform(0.0, self.delay))


class MischievousBus:
    """A transport under mischief; keeps `common.bus.Bus`."""

    def __init__(self, bus: Bus, mischief: Mischief) -> None:
        self._bus = bus
        self._mischief = mischief

    async def declare(self) -> None:
        await self._bus.declare()

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await self._bus.publish(self._mischief.multiplied(envelopes))

    async def subscribe(
        self,
        queue: str,
        handler: Handler,
        *,
        retry: Retry | None = None,
        concurrency: int = 8,
        on_failure: FailureListener = nobody,
    ) -> Subscription:
        mischief = self._mischief

        async def handle(envelope: Envelope) -> None:
            await mischief.pause()
            if mischief.happens(mischief.failure):
                raise Unavailable("mischief before the handler")
            await handler(envelope)
            if mischief.happens(mischief.again):
                await handler(envelope)
            if mischief.happens(mischief.failure):
                raise Unavailable("mischief after the handler")

        return await self._bus.subscribe(
            queue, handle, retry=retry, concurrency=concurrency, on_failure=on_failure
        )

    # What an administrator does is passed on as it is.

    async def dead_letters(self, queue: str, **options: Any) -> list[DeadLetter]:
        return await self._bus.dead_letters(queue, **options)

    async def dead_letter(self, queue: str, letter_id: str) -> DeadLetter | None:
        return await self._bus.dead_letter(queue, letter_id)

    async def dead_letter_count(self, queue: str) -> int:
        return await self._bus.dead_letter_count(queue)

    async def redrive(self, queue: str, *args: Any, **options: Any) -> int:
        return await self._bus.redrive(queue, *args, **options)

    async def discard(self, queue: str, *args: Any, **options: Any) -> int:
        return await self._bus.discard(queue, *args, **options)

    async def depth(self, queue: str) -> int:
        return await self._bus.depth(queue)

    async def backlog(self, queue: str) -> Backlog:
        return await self._bus.backlog(queue)

    async def health(self) -> None:
        await self._bus.health()

    async def close(self) -> None:
        await self._bus.close()

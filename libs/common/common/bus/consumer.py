"""What both transports' consumers are: one loop, and a task per message in hand.

The loop alone talks to the transport: it settles what handlers have finished, takes more while
there are free slots, and rests until something arrives, is finished or falls due. It outlives
every error by connecting again.

A message whose worker died is suspected of having killed it, and so is all that was in hand beside
it. Suspects are therefore handled alone, the one with most deaths first, with nothing else of the
queue in hand: what dies then is counted alone. Only another queue or work of the same process may
still be to blame, which is why `Retry.deaths` are more than one would need.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

import structlog

from common.bus import FailureListener, Handler, nobody
from common.bus.delivery import Delivery, Failure, attempt
from common.crash_points import crash_point
from common.retry import Retry
from common.stopping import TIDY_SECONDS

RECONNECT = 0.5
"""Seconds between attempts to get the transport back."""
SILENCE = 6.0
"""Seconds without a completed turn after which a consumer counts as stopped."""
STANDSTILL = 30.0
"""Seconds for which a message may be in hand: a handler is a short transaction, so by then it hangs
or waits for something, and its message is not being served."""

log = structlog.get_logger()


class Hold(Protocol):
    """How a transport names one delivery of one message."""

    @property
    def alone(self) -> bool:
        """Whether nothing may be in hand beside it."""


Claim = TypeVar("Claim", bound=Hold)


@dataclass(frozen=True)
class Consumption:
    """What is consumed, by whom and how."""

    queue: str
    handler: Handler
    retry: Retry
    concurrency: int
    grace: float
    """Seconds that handlers get to finish when the subscription closes."""
    on_failure: FailureListener = nobody


class Consumer(ABC, Generic[Claim]):
    """A running subscription whose transport may fall away and come back."""

    def __init__(self, consumption: Consumption) -> None:
        self._of = consumption
        self._held: dict[Claim, asyncio.Task[None]] = {}
        self._finished: list[tuple[Claim, Failure | None]] = []
        self._wake = asyncio.Event()
        self._last_turn: float | None = None
        self._begun: WeakKeyDictionary[asyncio.Task[None], float] = WeakKeyDictionary()
        self._deadline: float | None = None
        self._task = asyncio.create_task(self._run(), name=f"bus consumer of {consumption.queue}")

    @property
    def queue(self) -> str:
        """Return the name of the queue."""
        return self._of.queue

    @property
    def in_hand(self) -> int:
        """Return how many messages were taken and not yet settled."""
        return len(self._held)

    @property
    def healthy(self) -> bool:
        """Whether messages were being taken a moment ago, and none has been in hand for long.

        The others may well be finished meanwhile: one that hangs is not to hide behind them.
        """
        now = time.monotonic()
        oldest = min((self._begun[task] for task in self._held.values()), default=now)
        progressing = now - oldest < STANDSTILL
        turning = self._last_turn is not None and now - self._last_turn < SILENCE
        return turning and progressing and not self._task.done()

    async def close(self) -> None:
        """Stop taking messages, let those in hand finish for the grace, hand back the rest."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._of.grace
        self._wake.set()
        left = max(0.0, self._deadline - time.monotonic())
        ended, _ = await asyncio.wait({self._task}, timeout=left + 2 * TIDY_SECONDS)
        if not ended:
            # The transport does not answer; it will find out by itself that we are gone.
            log.warning("bus_consumer_cut", queue=self.queue, in_hand=self.in_hand)
            self._task.cancel()
            await asyncio.wait({self._task})

    @abstractmethod
    async def _serve(self) -> None:
        """Connect and consume until `_may_leave`; whatever is raised leads to another call."""

    async def _run(self) -> None:
        try:
            while not self._may_leave():
                try:
                    return await self._serve()
                except Exception as error:  # noqa: BLE001 - consumption outlives every error
                    self._last_turn = None
                    log.warning("bus_consumer_interrupted", queue=self.queue, error=repr(error))
                await asyncio.sleep(RECONNECT)
        finally:
            await self._stop_handlers()

    @property
    def _free(self) -> int:
        # How many more may be taken: none beside a message that is handled alone.
        if any(claim.alone for claim in self._held):
            return 0
        return self._of.concurrency - len(self._held)

    @property
    def _closing(self) -> bool:
        return self._deadline is not None

    def _may_leave(self) -> bool:
        if self._deadline is None:
            return False
        return not self._held or time.monotonic() >= self._deadline

    async def _rest(self, seconds: float) -> None:
        # The end of a turn: until something happens, or for this long.
        self._last_turn = time.monotonic()
        if self._deadline is not None:
            seconds = min(seconds, self._deadline - self._last_turn)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _start(self, claim: Claim, delivery: Delivery) -> None:
        task = asyncio.create_task(self._handle(claim, delivery))
        self._begun[task] = time.monotonic()
        self._held[claim] = task

    async def _handle(self, claim: Claim, delivery: Delivery) -> None:
        crash_point("delivery.received", self.queue)
        failure = await attempt(delivery, self._of.handler, self._of.retry)
        self._finished.append((claim, failure))
        self._wake.set()
        if failure is not None:
            self._of.on_failure(delivery.routing_key, failure.pause)

    def _settled(self, outcomes: tuple[tuple[Claim, Failure | None], ...]) -> None:
        # Outcomes are forgotten only after the transport knows them.
        del self._finished[: len(outcomes)]
        for claim, _ in outcomes:
            del self._held[claim]

    async def _stop_handlers(self) -> None:
        tasks = [task for task in self._held.values() if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=TIDY_SECONDS)

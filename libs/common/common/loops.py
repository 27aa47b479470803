"""Background work that no odd error may end: it is logged, and the loop goes on."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from common.errors import Unavailable

log = structlog.get_logger()

PAUSE_SECONDS = 1.0


async def forever(
    name: str,
    turn: Callable[[], Awaitable[None]],
    *,
    pause: float = PAUSE_SECONDS,
    until: asyncio.Event | None = None,
) -> None:
    """Take one turn after another until `until` is set or the task is cancelled.

    A turn that fails is followed by a pause of so many seconds. What is away is a warning; anything
    else is an error with its stack. Neither ends the loop: a service whose relay or worker had
    silently stopped would look ready and do nothing.

    A cancellation ends it at the latest after the turn under way, also when a library took that for
    its own: `asyncio.wait_for` does so on Python 3.11 when what it waits for ends just then.
    """
    stop = until or asyncio.Event()
    task = asyncio.current_task()
    while not stop.is_set():
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        try:
            await turn()
        except Unavailable as error:
            log.warning("loop_waits", loop=name, reason=str(error))
            await wait(stop, pause)
        except Exception:
            log.exception("loop_failed", loop=name)
            await wait(stop, pause)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


class Loop(ABC):
    """What a service does again and again beside its requests.

    `idle` is the sentence by which `health` says that it is not being done.
    """

    def __init__(self, name: str, *, idle: str, pause: float = PAUSE_SECONDS) -> None:
        self._name, self._idle, self._pause = name, idle, pause
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take turns until the block ends."""
        turns = forever(self._name, self.turn, pause=self._pause)
        self._task = asyncio.create_task(turns, name=self._name)
        try:
            yield
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def health(self) -> None:
        """Return while turns are taken; raise `Unavailable` when they are not."""
        if self._task is None or self._task.done():
            raise Unavailable(self._idle)

    @abstractmethod
    async def turn(self) -> None:
        """Do it once, and wait until it is time for the next."""

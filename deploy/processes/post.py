"""A post: one process of a service is to be there, whoever it is at the moment."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from common.stopping import GRACE_SECONDS
from deploy.processes.child import Child
from deploy.processes.plan import CannotStart, Door

log = structlog.get_logger()

READY_SECONDS = 120.0
"""How long a start may take, the migration of a large table included."""
STEADY_SECONDS = 10.0
"""Who ran for so long may come back at once; who did not waits, ever longer."""
SUCCESSORS = 3
"""Processes that are tried in turn in somebody's place before they keep it."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
KILL_AFTER = GRACE_SECONDS + 2.0


class Post:
    """Keeps one process of a service running; `begin`, then `keep` until cancelled, then `end`."""

    def __init__(self, door: Door, environment: Mapping[str, str], log_file: Path) -> None:
        self.service = door.service
        self._door = door
        self._environment = environment
        self._log_file = log_file
        self._child: Child | None = None
        self._began = 0.0
        self._failures = 0
        self._changing = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Return the process id of who is there."""
        return None if self._child is None else self._child.pid

    @property
    def staffed(self) -> bool:
        """Whether somebody is there."""
        return self._child is not None and self._child.status is None

    async def begin(self) -> None:
        """Start the first process; `CannotStart` with its own words when it does not get ready."""
        self._child = await self._start()
        if not await self._child.ready(READY_SECONDS):
            raise CannotStart(await self._why_not(self._child))

    async def keep(self, colleagues: Sequence["Post"]) -> None:
        """Start another process whenever the one that is there ends, for good.

        `colleagues` are the posts of the same service.
        """
        while True:
            child = self._child
            assert child is not None  # noqa: S101 - `begin` came first
            if not child.is_ready and not await child.ready(READY_SECONDS):
                await child.stop(KILL_AFTER)
            status = await child.ended()
            async with self._changing:
                if self._child is child:  # else it was replaced
                    if not any(one.staffed for one in colleagues) and not child.is_ready:
                        self._door.close()
                    pause = self._pause(child)
                    log.warning(
                        "process_ended",
                        service=self.service,
                        pid=child.pid,
                        status=status,
                        last_words=child.last_words(),
                        next_in=pause,
                    )
                    await asyncio.sleep(pause)
                    await self._restart()

    def _pause(self, ended: Child) -> float:
        if ended.is_ready and time.monotonic() - self._began > STEADY_SECONDS:
            self._failures = 0
            return 0.0
        self._failures += 1
        return min(FIRST_PAUSE * 2.0 ** (self._failures - 1), LONGEST_PAUSE)

    async def replace(self) -> bool:
        """Put a new process in the place of the one that is there, which stays if that fails."""
        async with self._changing:
            before, successor = self._child, await self._successor()
            if successor is None:
                return False
            self._child = successor
        if before is not None:
            await before.stop(KILL_AFTER)
        log.info("replaced", service=self.service, pid=successor.pid)
        return True

    async def _successor(self) -> Child | None:
        for attempt in range(1, SUCCESSORS + 1):
            try:
                child = await self._start()
            except OSError as error:
                log.warning(
                    "not_replaced", service=self.service, attempt=attempt, reason=str(error)
                )
                continue
            try:
                if await child.ready(READY_SECONDS):
                    return child
            except asyncio.CancelledError:
                child.tell_to_stop()
                raise
            reason = await self._why_not(child)
            log.warning("not_replaced", service=self.service, attempt=attempt, reason=reason)
        return None

    def tell_to_stop(self) -> None:
        """Ask who is there to end in order."""
        if self._child is not None:
            self._child.tell_to_stop()

    async def end(self) -> bool:
        """End who is there; return whether that was in order."""
        return self._child is None or await self._child.stop(KILL_AFTER)

    async def _start(self) -> Child:
        self._began = time.monotonic()
        return await Child.start(self.service, self._door.open(), self._environment, self._log_file)

    async def _restart(self) -> None:
        try:
            self._child = await self._start()
        except OSError as error:
            log.warning("not_restarted", service=self.service, reason=str(error))
        else:
            log.info("restarted", service=self.service, pid=self._child.pid)

    async def _why_not(self, child: Child) -> str:
        if child.status is None:
            # The line ends a moment before the process does.
            await child.stop(KILL_AFTER)
        return child.last_words()

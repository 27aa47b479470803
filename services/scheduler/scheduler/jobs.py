"""What the scheduler does by itself: it ends runs that have waited too long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from common.errors import Unavailable
from common.loops import forever
from common.unit_of_work import UnitOfWork
from scheduler.handlers.lifecycle import end_runs
from scheduler.repository import Store

log = structlog.get_logger()

RUNS_AT_ONCE = 100
"""Runs of one transaction of a sweep."""


class Sweeper:
    """Ends the items of runs past their deadline; replicas share the runs between them."""

    def __init__(self, unit_of_work: UnitOfWork, *, every_seconds: float) -> None:
        self._unit_of_work = unit_of_work
        self._every_seconds = every_seconds
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep now and then until the block ends."""
        turns = forever("sweeper", self._sweep_and_rest, pause=self._every_seconds)
        self._task = asyncio.create_task(turns, name="sweeper")
        try:
            yield
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def health(self) -> None:
        """Return while sweeps go on; raise `Unavailable` when overdue runs would stay open."""
        if self._task is None or self._task.done():
            raise Unavailable("overdue runs are not being ended")

    async def sweep(self) -> int:
        """End every overdue run; return how many there were."""
        total = 0
        while ended := await self._sweep_some():
            total += ended
        return total

    async def _sweep_and_rest(self) -> None:
        await self.sweep()
        await asyncio.sleep(self._every_seconds)

    async def _sweep_some(self) -> int:
        async with self._unit_of_work.begin() as unit:
            store = Store(unit)
            overdue = await store.runs.lock_overdue(unit.now, at_most=RUNS_AT_ONCE)
            if overdue:
                log.warning("runs_overdue", runs=[str(run_id) for run_id in overdue])
                await store.items.expire(overdue, unit.now)
                await end_runs(store, unit, overdue)
        return len(overdue)

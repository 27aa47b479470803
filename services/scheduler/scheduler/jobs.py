"""What the scheduler does by itself: it ends runs that have waited too long."""

import asyncio

import structlog

from common.loops import Loop
from common.unit_of_work import UnitOfWork
from scheduler.handlers.lifecycle import end_runs
from scheduler.repository import Store

log = structlog.get_logger()

RUNS_AT_ONCE = 100
"""Runs of one transaction of a sweep."""


class Sweeper(Loop):
    """Ends the items of runs past their deadline; replicas share the runs between them."""

    def __init__(self, unit_of_work: UnitOfWork, *, every_seconds: float) -> None:
        super().__init__("sweeper", idle="overdue runs are not being ended", pause=every_seconds)
        self._unit_of_work = unit_of_work
        self._every_seconds = every_seconds

    async def sweep(self) -> int:
        """End every overdue run; return how many there were."""
        total = 0
        while ended := await self._sweep_some():
            total += ended
        return total

    async def turn(self) -> None:
        """Sweep, and rest."""
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

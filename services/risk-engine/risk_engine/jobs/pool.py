"""The one door by which heavy work leaves the event loop: processes that only calculate."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

import structlog

from common.errors import Unavailable, WorkerDied
from risk_engine.jobs.process import Process

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """Processes that each do one call at a time: one that dies takes no other's call along."""

    def __init__(self, workers: int, *, seconds: float = 600.0) -> None:
        """`seconds`: how long a call may take before its process is killed."""
        self._processes = tuple(Process(seconds) for _ in range(workers))
        # The one used last is taken first: the others start when they are needed.
        self._idle: asyncio.LifoQueue[Process] = asyncio.LifoQueue()
        for process in self._processes:
            self._idle.put_nowait(process)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Warm up meanwhile; at the end what still calculates is for nobody, and is cut off."""
        warming = asyncio.create_task(self._warm(), name="pool-warming")
        try:
            yield
        finally:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
            # Whoever waited for a calculation has handed its work back by now.
            await asyncio.gather(*(process.end() for process in self._processes))

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a top-level function in a process.

        Raises:
            WorkerDied: the process died with the call, or took too long and was killed.
            Unavailable: no process starts, or the pool has ended.
        """
        process = await self._idle.get()
        try:
            return await process.run(function, *args, **kwargs)
        finally:
            self._idle.put_nowait(process)

    async def _warm(self) -> None:
        try:
            process_id = await self.run(os.getpid)
        except (Unavailable, WorkerDied) as error:
            log.warning("pool_not_warmed", reason=str(error))
        else:
            log.info("pool_warm", process_id=process_id)

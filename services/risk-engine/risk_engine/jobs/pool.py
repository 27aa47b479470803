"""The one door by which heavy work leaves the event loop: processes that only calculate."""

import asyncio
import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Generic, ParamSpec, TypeVar

import structlog

from common.errors import Unavailable

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Timed(Generic[T]):
    """What a function returned, and when it ran, in nanoseconds since the epoch."""

    result: T
    began: int
    ended: int

    @property
    def seconds(self) -> float:
        """Return how long it ran."""
        return (self.ended - self.began) / 1e9


def timed(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Timed[T]:
    """Call a function; in a process of the pool, so that waiting for a free one does not count."""
    began = time.time_ns()
    result = function(*args, **kwargs)
    return Timed(result, began, time.time_ns())


PR_SET_PDEATHSIG = 1
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""What numpy's BLAS reads when it is loaded: the pool has a process per core as it is."""


class Pool:
    """Spawned processes, started by the first call and replaced when one dies."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._executor = self._new()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Warm up meanwhile; at the end what still calculates is for nobody, and is cut off."""
        warming = asyncio.create_task(self._warm(), name="pool-warming")
        try:
            yield
        finally:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
            await self._end()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a top-level function in a process; `Unavailable` if that died meanwhile."""
        try:
            future = self._submit(function, *args, **kwargs)
        except BrokenProcessPool:
            # A process died while nobody waited for it.
            self._replace(self._executor)
            future = self._submit(function, *args, **kwargs)
        executor = self._executor
        try:
            return await asyncio.wrap_future(future)
        except BrokenProcessPool as error:
            self._replace(executor)
            raise Unavailable("a process of the pool died while it calculated") from error

    def _submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        # Processes start here when they are needed, on the thread that submits.
        with _bare_children():
            return self._executor.submit(function, *args, **kwargs)

    async def _end(self) -> None:
        # Whoever waited for a calculation has handed its work back by now.
        for process in tuple((self._executor._processes or {}).values()):
            process.kill()
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(os.getpid(),),
        )

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        if self._executor is broken:
            log.warning("pool_replaced", workers=self._workers)
            self._executor = self._new()
            broken.shutdown(wait=False)

    async def _warm(self) -> None:
        try:
            process_id = await self.run(os.getpid)
        except Unavailable as error:
            log.warning("pool_not_warmed", reason=str(error))
        else:
            log.info("pool_warm", process_id=process_id)


@contextlib.contextmanager
def _bare_children() -> Iterator[None]:
    """Start processes without the main module, and with BLAS told to use one thread.

    `spawn` makes a child import the parent's `__main__` again, and with it every service hosted
    there: 90 MiB and seconds instead of 25 MiB (PSS), for nothing the pool calls. There is no
    argument for either, so both are put in place while the child starts. The event loop is the only
    thread that starts any, and does not run anything else meanwhile.
    """
    main = sys.modules["__main__"]
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    sys.modules["__main__"] = ModuleType("__main__")
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(parent: int) -> None:
    # Ctrl-C reaches the whole group; the parent ends the pool in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(parent)
    # Loaded before the first chunk needs it.
    import risk_engine.engine.chunk  # noqa: F401


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        # Sent when the thread that started us ends: the event loop's, so the process.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch_parent, daemon=True).start()
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)

"""A process that only calculates: spawned with little, watched, killed when it comes to no end."""

import asyncio
import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import ModuleType
from typing import ParamSpec, TypeVar

import structlog

from common.errors import Unavailable, WorkerDied

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")

STARTS = 3
START_SECONDS = 60.0
PR_SET_PDEATHSIG = 1
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""What numpy's BLAS reads when it is loaded: the pool has a process per core as it is."""


class Process:
    """One process for one call at a time, started when it is needed and again when it has died."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: how long a call may take before the process is killed."""
        self._seconds = seconds
        self._executor: ProcessPoolExecutor | None = None
        self._ended = False

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a top-level function.

        Raises:
            WorkerDied: the process died with the call, or took too long and was killed.
            Unavailable: no process starts, or there is to be none any more.
        """
        executor = await self._started()
        try:
            future = _submit(executor, function, *args, **kwargs)
        except BrokenProcessPool as error:
            raise Unavailable("the process died before it began to calculate") from error
        try:
            async with asyncio.timeout(self._seconds) as limit:
                return await asyncio.wrap_future(future)
        except BrokenProcessPool as error:
            if self._ended:
                raise Unavailable("the pool has ended") from error
            raise WorkerDied("the process died while it calculated") from error
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise WorkerDied(f"it calculated for {self._seconds:g} s and was killed") from error
        finally:
            if not future.done() or future.cancelled():
                # Nobody waits for it any longer.
                self._kill()

    async def end(self) -> None:
        """Kill it for good, and return when it is gone."""
        self._ended = True
        if self._executor is not None:
            _kill_process(self._executor)
            # Calls are not cancelled, or whoever waits would take himself for cancelled.
            await asyncio.to_thread(self._executor.shutdown)

    async def _started(self) -> ProcessPoolExecutor:
        """Return one whose process answers: what dies before that is no call's fault."""
        for _ in range(STARTS):
            if self._ended:
                break
            if self._executor is not None and _lives(self._executor):
                return self._executor
            self._kill()
            self._executor = executor = _new_executor()
            try:
                async with asyncio.timeout(START_SECONDS):
                    await asyncio.wrap_future(_submit(executor, os.getpid))
            except (BrokenProcessPool, TimeoutError) as error:
                log.warning("process_did_not_start", reason=repr(error))
                self._kill()
            else:
                return executor
        raise Unavailable("no process starts in which to calculate")

    def _kill(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            _kill_process(executor)
            executor.shutdown(wait=False)


def _new_executor() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(os.getpid(),),
    )


def _kill_process(executor: ProcessPoolExecutor) -> None:
    for process in tuple((executor._processes or {}).values()):
        process.kill()


def _lives(executor: ProcessPoolExecutor) -> bool:
    # A process killed while idle is a zombie before its executor has noticed.
    processes = tuple((executor._processes or {}).values())
    return not executor._broken and all(process.is_alive() for process in processes)


def _submit(
    executor: ProcessPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> Future[T]:
    # The process starts here when it is needed, on the thread that submits.
    with _bare_children():
        return executor.submit(function, *args, **kwargs)


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

"""Longer work, done outside any transaction and finished in one.

A handler leaves a row in its service's `work` table; the service's `jobs.py` leases it, fetches and
computes, then commits result, completion and events together through `finish`. A worker that dies
loses its lease and another takes the row: work must be idempotent until it finishes. A row that was
in hand when its worker died, or that ended in `WorkerDied`, is done alone (`rows.claim`), piece by
piece where it has pieces (`Job.split`), and is given up after `Retry.deaths`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from pydantic import BaseModel

from common.crash_points import crash_point
from common.errors import LeaseLost, Unavailable, WorkerDied
from common.failures import reason_and_stack
from common.loops import PAUSE_SECONDS, forever, wait
from common.metrics import Metric
from common.retry import Retry
from common.stopping import TIDY_SECONDS, Stopping
from common.telemetry import working
from common.telemetry.work import Outcome
from common.unit_of_work import Unit, UnitOfWork
from common.work.rows import Held, Rows, Work

__all__ = ["Finish", "Held", "Job", "Work", "Worker"]

log = structlog.get_logger()

LEASE = timedelta(seconds=15)
POLL_SECONDS = 1.0
STANDSTILL = timedelta(minutes=5)
WORKERS_DIED = "its workers died"


Finish = Callable[[], AbstractAsyncContextManager[Unit]]
"""Opens the transaction that ends the work; `LeaseLost` if somebody else holds it by now."""


@dataclass(frozen=True)
class Job:
    """What a kind of work does, and what it says when it is given up."""

    run: Callable[[Work, Finish], Awaitable[None]]
    give_up: Callable[[Work, str, Unit], Awaitable[None]]
    """Called with the reason, in the transaction that turns the row into a dead letter."""
    split: Callable[[Work], Sequence[BaseModel]] = lambda _work: ()
    """Returns payloads that together are the row's, or none when it is one thing: what killed a
    worker is done in pieces, so that the one to blame is given up without the others."""


class Worker:
    """Takes a service's work rows, a few at a time."""

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        jobs: Mapping[str, Job],
        *,
        concurrency: int = 4,
        retry: Retry | None = None,
        lease: timedelta = LEASE,
        standstill: timedelta = STANDSTILL,
        stopping: Stopping | None = None,
    ) -> None:
        """Name the work; `stopping` is the process's, without it an end leaves no time to finish.

        `lease`: how long a row stays with a worker that says nothing. `standstill`: how long none
        of the rows in hand may end before `health` says so.
        """
        self._unit_of_work = unit_of_work
        self._jobs = jobs
        self._concurrency = concurrency
        self._retry = retry or Retry()
        self._lease = lease
        self._wake = asyncio.Event()
        self._standstill = standstill.total_seconds()
        self._in_hand: dict[Held, asyncio.Task[None]] = {}
        self._since: dict[Held, float] = {}
        self._moved = time.monotonic()
        self._alone = False
        self._rows = Rows(unit_of_work, jobs.keys(), lease)
        self._stopping = stopping or Stopping(finish=0.0)
        unit_of_work.on_work(self._wake.set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until the process stops or the block ends; what is in hand then may finish.

        What does not in the time there is goes back for another worker.
        """
        name = self._unit_of_work.producer
        self._show_age()
        renewing = asyncio.create_task(
            forever(f"leases-{name}", self._renew), name=f"leases-{name}"
        )
        working = asyncio.create_task(self._work(), name=f"work-{name}")
        try:
            yield
        finally:
            self._stopping.set()
            self._wake.set()
            await asyncio.gather(working, return_exceptions=True)
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def health(self) -> None:
        """Return while work moves; `Unavailable` when none in hand has ended for too long."""
        still = time.monotonic() - self._moved
        if self._in_hand and still > self._standstill:
            raise Unavailable(f"none of the work in hand has ended for {still:.0f} s")

    async def _work(self) -> None:
        # A claim is never cut: its rows would be leased to nobody.
        await forever(f"work-{self._unit_of_work.producer}", self._turn, until=self._stopping)
        if self._in_hand:
            await asyncio.wait(self._in_hand.values(), timeout=self._stopping.seconds_left())
        unfinished = dict(self._in_hand)
        for task in unfinished.values():
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished.values(), timeout=TIDY_SECONDS)
            await self._hand_back(unfinished)

    async def _turn(self) -> None:
        self._wake.clear()
        taken = await self._rows.claim(free, self._in_hand) if (free := self._free) > 0 else []
        if taken:
            self._alone = any(work.deaths for work in taken)
            crash_point("work.claimed", self._unit_of_work.producer)
        for work in taken:
            held = (work.id, work.token)
            self._moved = self._since[held] = time.monotonic()
            self._in_hand[held] = asyncio.create_task(
                self._attempt(work), name=f"{work.kind}-{work.id}"
            )
            self._in_hand[held].add_done_callback(partial(self._release, held))
        if not taken and not self._stopping.is_set():
            await wait(self._wake, POLL_SECONDS)

    @property
    def _free(self) -> int:
        # How many more rows may be taken: none beside one that is done alone.
        return 0 if self._alone and self._in_hand else self._concurrency - len(self._in_hand)

    def _release(self, held: Held, _task: asyncio.Task[None]) -> None:
        self._in_hand.pop(held, None)
        self._since.pop(held, None)
        self._moved = time.monotonic()
        self._wake.set()

    async def _attempt(self, work: Work) -> None:
        units = self._unit_of_work
        with working(units.telemetry, units.clock, work) as note:
            try:
                if work.deaths and (pieces := self._jobs[work.kind].split(work)):
                    return note(await self._split(work, pieces), "")
                if work.deaths >= self._retry.deaths:
                    return note(await self._give_up(work, WORKERS_DIED, ""), WORKERS_DIED)
                await self._jobs[work.kind].run(work, partial(self._finishing, work))
            except LeaseLost:
                log.warning("lease_lost", work_id=str(work.id))
                note("lost", "")
            except WorkerDied as death:
                note(await self._count_death(work, death), f"WorkerDied: {death}")
            except Exception as error:  # noqa: BLE001 - every failure is recorded on the row
                note(await self._fail(work, error), f"{type(error).__name__}: {error}")
            else:
                note("done", "")

    @asynccontextmanager
    async def _finishing(self, work: Work) -> AsyncIterator[Unit]:
        crash_point("work.before_finish", self._unit_of_work.producer)
        async with self._unit_of_work.begin(work.cause) as unit:
            await self._rows.end(work, unit)
            yield unit

    async def _fail(self, work: Work, error: Exception) -> Outcome:
        reason, stack = reason_and_stack(error)
        pause = self._retry.pause(error, work.attempts, forever=True)
        if pause is None or self._too_late(work, pause):
            return await self._give_up(work, reason, stack)
        log.warning("work_retried", pause=pause, attempts=work.attempts, reason=reason)
        again = partial(self._rows.try_again, work, pause, reason, stack)
        return await self._settled(work, again, "retried")

    async def _count_death(self, work: Work, death: WorkerDied) -> Outcome:
        reason, stack = reason_and_stack(death)
        deaths = work.deaths + 1
        pause = self._retry.pause_after_death(deaths)
        if pause is None or self._too_late(work, pause):
            return await self._give_up(work, WORKERS_DIED, stack)
        log.warning("work_died", pause=pause, deaths=deaths, reason=reason)
        again = partial(self._rows.try_again, work, pause, reason, stack, deaths=deaths)
        return await self._settled(work, again, "died")

    def _too_late(self, work: Work, pause: float) -> bool:
        return self._unit_of_work.clock() + timedelta(seconds=pause) > work.expires_at

    async def _split(self, work: Work, pieces: Sequence[BaseModel]) -> Outcome:
        log.warning("work_split", kind=work.kind, deaths=work.deaths, pieces=len(pieces))

        async def split() -> None:
            async with self._unit_of_work.begin(work.cause) as unit:
                await self._rows.split(work, pieces, unit)

        return await self._settled(work, split, "split")

    async def _give_up(self, work: Work, reason: str, stack: str) -> Outcome:
        log.error("work_given_up", kind=work.kind, attempts=work.attempts, reason=reason)

        async def bury() -> None:
            async with self._unit_of_work.begin(work.cause) as unit:
                await self._rows.bury(work, reason, stack, unit)
                await self._jobs[work.kind].give_up(work, reason, unit)

        return await self._settled(work, bury, "given_up")

    async def _settled(
        self, work: Work, settle: Callable[[], Awaitable[None]], outcome: Outcome
    ) -> Outcome:
        """Write down how an attempt ended, however often that takes; return what came of it.

        The row stays ours until then: an outage must neither look like a death nor forgive one.
        """
        while True:
            try:
                await settle()
            except Unavailable as trouble:
                log.warning("work_not_settled_yet", work_id=str(work.id), reason=str(trouble))
                await asyncio.sleep(PAUSE_SECONDS)
            except LeaseLost:
                log.warning("lease_lost", work_id=str(work.id))
                return "lost"
            except Exception:
                # A give_up that is broken: the row stays, and so does this line for every lease.
                log.exception("work_not_settled", work_id=str(work.id), kind=work.kind)
                return "lost"
            else:
                return outcome

    async def _hand_back(self, unfinished: Iterable[Held]) -> None:
        try:
            async with asyncio.timeout(TIDY_SECONDS):
                await self._rows.hand_back(unfinished)
        except (Unavailable, TimeoutError) as error:
            log.warning("work_left_to_its_lease", reason=repr(error))

    async def _renew(self) -> None:
        await asyncio.sleep(self._lease.total_seconds() / 3)
        self._show_age()
        if self._in_hand:
            await self._rows.renew(self._in_hand)

    def _show_age(self) -> None:
        now = time.monotonic()
        oldest = min(self._since.values(), default=now)
        self._unit_of_work.telemetry.metrics.set(Metric.WORK_IN_HAND_SECONDS, now - oldest)

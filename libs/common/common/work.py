"""Longer work, done outside any transaction and finished in one.

A handler leaves a row in its service's `work` table; the service's `jobs.py` leases it, fetches and
computes, then commits result, completion and events together through `finish`. A worker that dies
loses its lease and another takes the row: work must be idempotent until it finishes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import ColumnElement, case, delete, func, or_, select, tuple_, update

from common.crash_points import crash_point
from common.errors import LeaseLost, Unavailable
from common.failures import reason_and_stack
from common.loops import PAUSE_SECONDS, forever, wait
from common.retry import Retry
from common.stopping import TIDY_SECONDS, Stopping
from common.telemetry import working
from common.telemetry.work import Outcome
from common.unit_of_work import Cause, Unit, UnitOfWork

log = structlog.get_logger()

LEASE = timedelta(seconds=15)
POLL_SECONDS = 1.0
DEATHS = 3
"""How many workers in a row a row may kill before it is given up."""


@dataclass(frozen=True)
class Work:
    """A leased row."""

    id: UUID
    kind: str
    payload: dict[str, Any]
    cause: Cause
    attempts: int
    deaths: int
    expires_at: datetime
    token: UUID


Held = tuple[UUID, UUID]
"""A row's id and the token of the lease on it."""

Finish = Callable[[], AbstractAsyncContextManager[Unit]]
"""Opens the transaction that ends the work; `LeaseLost` if somebody else holds it by now."""


@dataclass(frozen=True)
class Job:
    """What a kind of work does, and what it says when it is given up."""

    run: Callable[[Work, Finish], Awaitable[None]]
    give_up: Callable[[Work, str, Unit], Awaitable[None]]
    """Called with the reason, in the transaction that turns the row into a dead letter."""


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
        stopping: Stopping | None = None,
    ) -> None:
        """Name the work; `stopping` is the process's, without it an end leaves no time to finish.

        `lease`: how long a row stays with a worker that says nothing.
        """
        self._unit_of_work = unit_of_work
        self._jobs = jobs
        self._concurrency = concurrency
        self._retry = retry or Retry()
        self._lease = lease
        self._wake = asyncio.Event()
        self._in_hand: dict[Held, asyncio.Task[None]] = {}
        self._stopping = stopping or Stopping(finish=0.0)
        unit_of_work.on_work(self._wake.set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until the process stops or the block ends; what is in hand then may finish.

        What does not in the time there is goes back for another worker.
        """
        name = self._unit_of_work.producer
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
        taken = await self._claim(self._concurrency - len(self._in_hand))
        if taken:
            crash_point("work.claimed", self._unit_of_work.producer)
        for work in taken:
            held = (work.id, work.token)
            self._in_hand[held] = asyncio.create_task(
                self._attempt(work), name=f"{work.kind}-{work.id}"
            )
            self._in_hand[held].add_done_callback(partial(self._release, held))
        if not taken and not self._stopping.is_set():
            await wait(self._wake, POLL_SECONDS)

    def _release(self, held: Held, _task: asyncio.Task[None]) -> None:
        self._in_hand.pop(held, None)
        self._wake.set()

    async def _claim(self, count: int) -> list[Work]:
        if count <= 0:
            return []
        table = self._unit_of_work.tables.work
        token = uuid4()
        waiting = (
            select(table.c.id)
            .where(
                table.c.died_at.is_(None),
                table.c.kind.in_(self._jobs),
                table.c.available_at <= func.now(),
                or_(table.c.lease_until.is_(None), table.c.lease_until < func.now()),
                # A lapsed lease of our own (the database was away) is renewed, not taken anew.
                table.c.id.not_in([work_id for work_id, _ in self._in_hand]),
            )
            .order_by(table.c.available_at)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
        async with self._unit_of_work.begin() as unit:
            rows = await unit.connection.execute(
                update(table)
                .where(table.c.id.in_(waiting))
                .values(
                    attempts=table.c.attempts + 1,
                    # A lease that ran out unreleased is a worker that died with the row in hand.
                    deaths=table.c.deaths + case((table.c.lease_until.is_(None), 0), else_=1),
                    lease_until=func.now() + self._lease,
                    lease_token=token,
                )
                .returning(table)
            )
        return [
            Work(
                id=row.id,
                kind=row.kind,
                payload=row.payload,
                cause=Cause.model_validate(row.cause),
                attempts=row.attempts,
                deaths=row.deaths,
                expires_at=row.expires_at,
                token=token,
            )
            for row in rows.all()
        ]

    async def _attempt(self, work: Work) -> None:
        units = self._unit_of_work
        with working(units.telemetry, units.clock, work) as note:
            try:
                if work.deaths >= DEATHS:
                    await self._give_up(work, "its workers died", "")
                    return note("given_up", "its workers died")
                await self._jobs[work.kind].run(work, partial(self._finishing, work))
            except LeaseLost:
                log.warning("lease_lost", work_id=str(work.id))
                note("lost", "")
            except Exception as error:  # noqa: BLE001 - every failure is recorded on the row
                note(await self._fail(work, error), f"{type(error).__name__}: {error}")
            else:
                note("done", "")

    @asynccontextmanager
    async def _finishing(self, work: Work) -> AsyncIterator[Unit]:
        table = self._unit_of_work.tables.work
        crash_point("work.before_finish", self._unit_of_work.producer)
        async with self._unit_of_work.begin(work.cause) as unit:
            gone = await unit.connection.execute(
                delete(table).where(table.c.id == work.id, table.c.lease_token == work.token)
            )
            if gone.rowcount != 1:
                raise LeaseLost(str(work.id))
            yield unit

    async def _fail(self, work: Work, error: Exception) -> Outcome:
        reason, stack = reason_and_stack(error)
        pause = self._retry.pause(error, work.attempts, forever=True)
        late = pause is not None and (
            self._unit_of_work.clock() + timedelta(seconds=pause) > work.expires_at
        )
        # The row stays ours until it is written down: an outage must not look like a death.
        while True:
            try:
                if pause is None or late:
                    await self._give_up(work, reason, stack)
                    return "given_up"
                log.warning("work_retried", pause=pause, attempts=work.attempts, reason=reason)
                await self._try_again(work, pause, reason, stack)
            except Unavailable as trouble:
                log.warning("work_not_settled_yet", work_id=str(work.id), reason=str(trouble))
                await asyncio.sleep(PAUSE_SECONDS)
            except LeaseLost:
                log.warning("lease_lost", work_id=str(work.id))
                return "lost"
            except Exception:
                # A give_up that is broken: the row stays, and so does this line for every lease.
                log.exception("giving_up_failed", work_id=str(work.id), kind=work.kind)
                return "lost"
            else:
                return "retried"

    async def _try_again(self, work: Work, pause: float, reason: str, stack: str) -> None:
        table = self._unit_of_work.tables.work
        async with self._unit_of_work.begin() as unit:
            await unit.connection.execute(
                update(table)
                .where(table.c.id == work.id, table.c.lease_token == work.token)
                .values(
                    available_at=func.now() + timedelta(seconds=pause),
                    deaths=0,
                    lease_until=None,
                    lease_token=None,
                    reason=reason,
                    stack=stack,
                )
            )

    async def _give_up(self, work: Work, reason: str, stack: str) -> None:
        log.error("work_given_up", kind=work.kind, attempts=work.attempts, reason=reason)
        table = self._unit_of_work.tables.work
        async with self._unit_of_work.begin(work.cause) as unit:
            dead = await unit.connection.execute(
                update(table)
                .where(table.c.id == work.id, table.c.lease_token == work.token)
                .values(
                    died_at=func.now(),
                    reason=reason,
                    stack=stack,
                    lease_until=None,
                    lease_token=None,
                )
            )
            if dead.rowcount != 1:
                raise LeaseLost(str(work.id))
            await self._jobs[work.kind].give_up(work, reason, unit)

    async def _hand_back(self, unfinished: Iterable[Held]) -> None:
        table = self._unit_of_work.tables.work
        held = self._held(unfinished)
        if held is None:
            return
        try:
            async with asyncio.timeout(TIDY_SECONDS), self._unit_of_work.begin() as unit:
                await unit.connection.execute(
                    update(table)
                    .where(held)
                    .values(
                        lease_until=None, lease_token=None, attempts=table.c.attempts - 1, deaths=0
                    )
                )
        except (Unavailable, TimeoutError) as error:
            log.warning("work_left_to_its_lease", reason=repr(error))

    async def _renew(self) -> None:
        await asyncio.sleep(self._lease.total_seconds() / 3)
        held = self._held(self._in_hand)
        if held is None:
            return
        table = self._unit_of_work.tables.work
        async with self._unit_of_work.begin() as unit:
            await unit.connection.execute(
                update(table).where(held).values(lease_until=func.now() + self._lease)
            )

    def _held(self, held: Iterable[Held]) -> ColumnElement[bool] | None:
        table = self._unit_of_work.tables.work
        pairs = list(held)
        return tuple_(table.c.id, table.c.lease_token).in_(pairs) if pairs else None

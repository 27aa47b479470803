"""How the services of a process stand, looked at every few seconds: their gauges.

Looked at whether or not anybody scrapes: a scrape then costs no query, and whoever can reach
`/metrics` cannot make the database work.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from fastapi import FastAPI
from sqlalchemy import text

from common.bus import Bus
from common.errors import Unavailable
from common.http import readiness
from common.loops import forever
from common.metrics import Metric, Metrics
from common.unit_of_work import UnitOfWork

LOOK_SECONDS = 5.0
PATIENCE_SECONDS = 5.0
"""What does not answer within this is not known."""
TICK_SECONDS = 0.1

_TABLES = """
SELECT outbox.*, work.*
FROM (
    SELECT count(*) AS outbox_rows,
        coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS outbox_age_seconds
    FROM {schema}.outbox
) AS outbox, (
    SELECT count(*) FILTER (WHERE died_at IS NULL) AS work_rows,
        coalesce(extract(epoch FROM now() - min(available_at) FILTER (
            WHERE died_at IS NULL AND available_at <= now()
                AND (lease_until IS NULL OR lease_until < now())
        )), 0)::float8 AS work_age_seconds,
        count(died_at) AS work_dead_letters
    FROM {schema}.work
) AS work
"""


class Observed(Protocol):
    """What is looked at: a `common.service.Service`."""

    @property
    def name(self) -> str:
        """Return its name, which is its queue's."""
        ...

    @property
    def app(self) -> FastAPI:
        """Return what knows its checks."""
        ...

    @property
    def unit_of_work(self) -> UnitOfWork:
        """Return the way to its tables and its metrics."""
        ...

    @property
    def subscriptions(self) -> Sequence[object]:
        """Return what it hears; a service that hears nothing has no queue."""
        ...


@asynccontextmanager
async def observing(services: Sequence[Observed], bus: Bus) -> AsyncIterator[None]:
    """Look at services, and at the event loop they share, until the block ends."""
    loop = _Loop([service.unit_of_work.telemetry.metrics for service in services])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_turning("event-loop-lag", loop.turn))
        for service in services:
            look = _Look(service, bus)
            await stack.enter_async_context(_turning(f"look-{service.name}", look.turn))
        yield


@asynccontextmanager
async def _turning(name: str, turn: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    task = asyncio.create_task(forever(name, turn), name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Loop:
    """Sleeps a little, again and again, and measures how much too long."""

    def __init__(self, metrics: Sequence[Metrics]) -> None:
        self._metrics = metrics

    async def turn(self) -> None:
        asked = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        lag = max(time.perf_counter() - asked - TICK_SECONDS, 0.0)
        for metrics in self._metrics:
            metrics.observe(Metric.EVENT_LOOP_LAG_SECONDS, lag)


class _Look:
    """One service's gauges. What could not be found out is NaN, not what it was before."""

    def __init__(self, service: Observed, bus: Bus) -> None:
        self._service = service
        self._unit_of_work = service.unit_of_work
        self._metrics = service.unit_of_work.telemetry.metrics
        self._bus = bus

    async def turn(self) -> None:
        await asyncio.gather(self._checks(), self._known(_TABLE_GAUGES, self._tables))
        if self._service.subscriptions:
            await self._known(_QUEUE_GAUGES, self._queue)
        await asyncio.sleep(LOOK_SECONDS)

    async def _checks(self) -> None:
        states = dict.fromkeys(self._service.app.state.readiness, "no answer")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                states |= await readiness(self._service.app)
        except TimeoutError:
            pass
        for check, state in states.items():
            self._metrics.set(Metric.READY, float(state == "ok"), check=check)

    async def _known(
        self, gauges: Sequence[Metric], find_out: Callable[[], Awaitable[Sequence[float]]]
    ) -> None:
        values: Sequence[float] = [math.nan] * len(gauges)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                values = await find_out()
        except (Unavailable, TimeoutError):
            pass  # the gauges say so, and so does the readiness of database and bus
        for gauge, value in zip(gauges, values, strict=True):
            self._metrics.set(gauge, value)

    async def _tables(self) -> Sequence[float]:
        statement = text(_TABLES.format(schema=self._unit_of_work.database.schema))
        async with self._unit_of_work.begin() as unit:
            found = (await unit.connection.execute(statement)).one()._mapping
        return [float(found[gauge.name.lower()]) for gauge in _TABLE_GAUGES]

    async def _queue(self) -> Sequence[float]:
        backlog = await self._bus.backlog(self._service.name)
        return [backlog.depth, backlog.age, backlog.dead_letters]


_TABLE_GAUGES = (
    Metric.OUTBOX_ROWS,
    Metric.OUTBOX_AGE_SECONDS,
    Metric.WORK_ROWS,
    Metric.WORK_AGE_SECONDS,
    Metric.WORK_DEAD_LETTERS,
)
_QUEUE_GAUGES = (Metric.QUEUE_DEPTH, Metric.QUEUE_AGE_SECONDS, Metric.QUEUE_DEAD_LETTERS)

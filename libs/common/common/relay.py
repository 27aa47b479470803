"""Carries a service's outbox to the bus: read in order, publish with confirmation, delete.

A crash after the confirmation and before the delete publishes again: the consumers' inboxes drop
the repeat. Several relays may race: each locks the rows it carries and skips the others'.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import Row, delete, select

from common.bus import Bus
from common.clock import seconds_between
from common.crash_points import crash_point
from common.errors import Unavailable
from common.events import Envelope
from common.loops import forever, wait
from common.metrics import Metric
from common.stopping import TIDY_SECONDS
from common.telemetry import publishing
from common.unit_of_work import UnitOfWork

log = structlog.get_logger()

BATCH = 200
POLL_SECONDS = 1.0
"""How long rows left by a crashed process wait at most; own commits wake the relay at once."""
FORGET_SECONDS = 3600.0
"""How often inbox rows that are old enough are deleted."""


class Relay:
    """One service's way from outbox to bus."""

    def __init__(self, unit_of_work: UnitOfWork, bus: Bus) -> None:
        self._unit_of_work = unit_of_work
        self._bus = bus
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._forget_at = 0.0
        self._unreadable: set[int] = set()
        unit_of_work.on_events(self._wake.set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carry what comes until the block ends, then once more what is left."""
        name = f"relay-{self._unit_of_work.producer}"
        task = asyncio.create_task(forever(name, self._turn, until=self._stopping), name=name)
        try:
            yield
        finally:
            # Not cancelled in mid-carry: what was confirmed should be deleted as well.
            self._stopping.set()
            self._wake.set()
            try:
                async with asyncio.timeout(TIDY_SECONDS):
                    await task
                    await self.drain()
            except (Unavailable, TimeoutError) as error:
                # The rows stay in the outbox; the next start carries them.
                log.warning("outbox_left_for_next_start", reason=str(error))

    async def drain(self) -> int:
        """Carry everything that is in the outbox now; return how many messages that was."""
        total, more = 0, True
        while more:
            carried, more = await self._carry()
            total += carried
        return total

    async def _carry(self) -> tuple[int, bool]:
        # How many were carried, and whether there may be more: a batch that is not full was the
        # last, and looking again would cost every commit another transaction.
        outbox = self._unit_of_work.tables.outbox
        async with self._unit_of_work.begin() as unit:
            found = await unit.connection.execute(
                select(outbox.c.sequence, outbox.c.envelope)
                .where(outbox.c.sequence.not_in(self._unreadable))
                .order_by(outbox.c.sequence)
                .limit(BATCH)
                .with_for_update(skip_locked=True)
            )
            rows = found.all()
            batch = dict(self._readable(rows))
            if batch:
                crash_point("outbox.before_publish", unit.producer)
                await self._publish(list(batch.values()))
                crash_point("outbox.confirmed", unit.producer)
                await unit.connection.execute(
                    delete(outbox).where(outbox.c.sequence.in_(batch.keys()))
                )
        return len(batch), len(rows) == BATCH

    async def _publish(self, envelopes: Sequence[Envelope]) -> None:
        telemetry = self._unit_of_work.telemetry
        with publishing(telemetry.tracer, envelopes) as outgoing:
            await self._bus.publish(outgoing)
        confirmed_at = self._unit_of_work.clock()
        for envelope in envelopes:
            seconds = seconds_between(envelope.occurred_at, confirmed_at)
            telemetry.metrics.observe(Metric.RELAY_SECONDS, seconds)

    def _readable(self, rows: Sequence[Row[Any, Any]]) -> Iterator[tuple[int, Envelope]]:
        for row in rows:
            try:
                yield row.sequence, Envelope.model_validate(row.envelope)
            except ValidationError as error:
                # Not ours, or from a version we do not know: it stays for a person to look at, and
                # must not hold up its neighbours.
                log.error("outbox_row_unreadable", sequence=row.sequence, reason=str(error))  # noqa: TRY400
                self._unreadable.add(row.sequence)

    async def _turn(self) -> None:
        self._wake.clear()
        await self.drain()
        if time.monotonic() >= self._forget_at:
            await self._unit_of_work.forget_old_messages()
            self._forget_at = time.monotonic() + FORGET_SECONDS
        if not self._stopping.is_set():
            await wait(self._wake, POLL_SECONDS)

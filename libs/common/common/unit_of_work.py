"""One transaction, and everything that happens because of it.

State, inbox, outbox and work rows commit together or not at all. Application code never commits:
it is handed a `Unit` and the edge (a handler's delivery, a request, a finished job) commits once.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from pydantic import BaseModel
from sqlalchemy import MetaData, bindparam, delete, func, insert, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from common.clock import Clock, system_clock
from common.crash_points import crash_point
from common.db import Database, unavailable_when_away
from common.events import Envelope, Event
from common.messaging import messaging_tables
from common.telemetry import Telemetry, current_traceparent

WORK_DEADLINE = timedelta(hours=24)
INBOX_KEPT = timedelta(days=14)
WORK_AT_ONCE = 1_000
"""Rows of work in one statement, which takes 32,767 arguments."""


class Cause(BaseModel, frozen=True):
    """Why something is done: handed on from request to event to work to event."""

    run_id: UUID | None = None
    user_id: UUID | None = None
    causation_id: UUID | None = None
    traceparent: str | None = None
    occurred_at: datetime | None = None
    """When the message that is the cause was made; None when it is a request."""

    @classmethod
    def of(cls, envelope: Envelope) -> "Cause":
        """Return the cause that a delivered message is."""
        return cls(
            run_id=envelope.run_id,
            user_id=envelope.user_id,
            causation_id=envelope.id,
            traceparent=envelope.traceparent,
            occurred_at=envelope.occurred_at,
        )


@dataclass
class Unit:
    """An open transaction. What is published or enqueued leaves only when it commits."""

    connection: AsyncConnection
    cause: Cause
    now: datetime
    producer: str
    _events: list[Envelope] = field(default_factory=list)
    _work: list[dict[str, Any]] = field(default_factory=list)
    _wakes: bool = False

    def wake(self) -> None:
        """Wake the worker after the commit for rows that this transaction made due again."""
        self._wakes = True

    def publish(
        self,
        event: Event,
        *,
        user_id: UUID | None = None,
        run_id: UUID | None = None,
        for_nobody: bool = False,
    ) -> None:
        """Announce a fact of this transaction; owner and run are the cause's unless given.

        `for_nobody` leaves it without an owner even though its cause has one: a run over many
        users' portfolios ends because of one user's result.
        """
        self._events.append(
            Envelope.of(
                event,
                producer=self.producer,
                occurred_at=self.now,
                run_id=run_id or self.cause.run_id,
                causation_id=self.cause.causation_id,
                user_id=None if for_nobody else user_id or self.cause.user_id,
                traceparent=current_traceparent() or self.cause.traceparent,
            )
        )

    def enqueue(
        self,
        kind: str,
        payload: BaseModel,
        *,
        run_id: UUID | None = None,
        user_id: UUID | None = None,
        available_at: datetime | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        """Leave longer work for `jobs.py`, to be tried until `expires_at` (24 h unless given)."""
        cause = self.cause.model_copy(
            update={
                "run_id": run_id or self.cause.run_id,
                "user_id": user_id or self.cause.user_id,
                "traceparent": current_traceparent() or self.cause.traceparent,
            }
        )
        self._work.append(
            {
                "id": uuid4(),
                "kind": kind,
                "payload": payload.model_dump(mode="json"),
                "cause": cause.model_dump(mode="json"),
                "available_at": available_at or self.now,
                "expires_at": expires_at or self.now + WORK_DEADLINE,
            }
        )


class UnitOfWork:
    """Opens a service's transactions and writes what they say into its outbox and work table."""

    def __init__(
        self,
        database: Database,
        *,
        producer: str,
        clock: Clock = system_clock,
        telemetry: Telemetry | None = None,
    ) -> None:
        """Name the service and what it stands on; relay, worker and handlers measure by it."""
        self.database = database
        self.producer = producer
        self.clock = clock
        self.telemetry = telemetry or Telemetry.of(producer)
        self.tables = messaging_tables(MetaData(schema=database.schema))
        self._into_outbox = text(
            f"INSERT INTO {database.schema}.outbox (envelope) "  # noqa: S608 - our own schema's name
            "SELECT envelope FROM jsonb_array_elements(:batch) "
            "WITH ORDINALITY AS message (envelope, place) ORDER BY place"
        ).bindparams(bindparam("batch", type_=JSONB))
        # Made once: building a statement costs more than sending it.
        self._into_inbox = upsert(self.tables.inbox).on_conflict_do_nothing()
        self._when_events: list[Callable[[], None]] = []
        self._when_work: list[Callable[[], None]] = []

    def on_events(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every commit that left events: the relay wakes."""
        self._when_events.append(listener)

    def on_work(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every commit that left work: the worker wakes."""
        self._when_work.append(listener)

    @asynccontextmanager
    async def begin(self, cause: Cause | None = None) -> AsyncIterator[Unit]:
        """Open a transaction; it commits when the block ends well and rolls back otherwise.

        A database that is away raises `Unavailable`.
        """
        async with AsyncExitStack() as stack:
            with unavailable_when_away():
                connection = await stack.enter_async_context(self.database.engine.connect())
            with unavailable_when_away(connecting=False):
                async with connection.begin():
                    unit = Unit(
                        connection,
                        cause or Cause(traceparent=current_traceparent()),
                        self.clock(),
                        self.producer,
                    )
                    yield unit
                    await self._write(unit)
                    crash_point("unit.before_commit", self.producer)
            crash_point("unit.after_commit", self.producer)
        due = bool(unit._work) or unit._wakes
        for left, listeners in ((unit._events, self._when_events), (due, self._when_work)):
            for listener in listeners if left else ():
                listener()

    async def first_time(self, unit: Unit, envelope: Envelope) -> bool:
        """Note a delivery in the inbox; False when it was taken before."""
        written = await unit.connection.execute(
            self._into_inbox, {"message_id": envelope.id, "name": envelope.routing_key}
        )
        return written.rowcount == 1

    async def forget_old_messages(self) -> int:
        """Delete inbox rows older than 14 days; return how many."""
        inbox = self.tables.inbox
        async with self.begin() as unit:
            gone = await unit.connection.execute(
                delete(inbox).where(inbox.c.received_at < func.now() - INBOX_KEPT)
            )
        return gone.rowcount

    async def _write(self, unit: Unit) -> None:
        # A whole chunk's rows are one parameter of one statement.
        if unit._events:
            batch = [event.model_dump(mode="json") for event in unit._events]
            await unit.connection.execute(self._into_outbox, {"batch": batch})
        for first in range(0, len(unit._work), WORK_AT_ONCE):
            rows = unit._work[first : first + WORK_AT_ONCE]
            await unit.connection.execute(insert(self.tables.work).values(rows))

"""The consumer of one queue on Postgres, over one connection.

A lost connection costs nothing but time: outcomes are kept until they could be written down, and
leases that could not be renewed let another worker repeat the message.
"""

import math
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import asyncpg

from common.bus.consumer import Consumer, Consumption
from common.bus.delivery import Delivery
from common.bus.postgres import schema
from common.crash_points import crash_point

POLL = 2.0
"""Seconds between looks at the queue when no notification arrives."""
HELD_BACK = 0.05
"""Seconds between looks at a message that is due and cannot be had yet."""
STATEMENT_TIMEOUT = 10.0
"""Seconds after which a silent connection is given up."""
CONSUMER_TIMEOUT = 5.0
"""The same of a consumer, whose statements are short: it is back within 10 s of any trouble."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Lease:
    """The right to settle a delivery, for as long as nobody else has claimed it."""

    id: int
    token: UUID
    """Unique to this claim: a worker whose lease has ended cannot settle for its successor."""
    alone: bool


class PostgresConsumer(Consumer[Lease]):
    """A running subscription on Postgres."""

    def __init__(self, dsn: str, namespace: str, consumption: Consumption, *, lease: float) -> None:
        self._dsn = dsn
        self._namespace = namespace
        self._lease = lease
        self._renew_at = 0.0
        self._claim_at = 0.0
        super().__init__(consumption)

    async def _serve(self) -> None:
        async with self._connected() as connection:
            self._claim_at = 0.0  # what was notified while nobody listened is not known
            while True:
                self._wake.clear()
                await self._settle(connection)
                await self._renew(connection)
                if self._may_leave():
                    return await self._hand_back(connection)
                if not self._closing and time.monotonic() >= self._claim_at:
                    await self._claim(connection)
                await self._rest(min(self._seconds_to_claim(), self._renew_at - time.monotonic()))

    def _seconds_to_claim(self) -> float:
        # With every slot taken, or closing, it is a finished handler that wakes the loop.
        if self._closing or self._free <= 0:
            return POLL
        return self._claim_at - time.monotonic()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        # A consumer's commits need not reach the disk at once: one that a crash of the database
        # undoes repeats a delivery, it never loses one.
        connection: Connection = await asyncpg.connect(
            self._dsn,
            timeout=CONSUMER_TIMEOUT,
            command_timeout=CONSUMER_TIMEOUT,
            server_settings={"synchronous_commit": "off"},
        )
        try:
            await connection.add_listener(schema.CHANNEL, self._on_notification)
            yield connection
            await connection.close()
        finally:
            connection.terminate()

    def _on_notification(self, _from: object, _pid: int, _channel: str, payload: object) -> None:
        if payload == f"{self._namespace}:{self.queue}":
            self._claim_at = 0.0
            self._wake.set()

    async def _claim(self, connection: Connection) -> None:
        # Takes what is due into the free slots, and notes when there may be more: at once behind a
        # full hand, else when the next one falls due. A notification meanwhile brings it forward.
        free = self._free
        if free <= 0:
            return
        self._claim_at = math.inf
        address = (self._namespace, self.queue)
        empty_handed = not self._held
        rows = await connection.fetch(schema.CLAIM, *address, free, self._lease, empty_handed)
        for row in sorted(rows, key=lambda row: row["id"]):
            key, body = row["routing_key"], row["body"]
            delivery = Delivery(self.queue, key, body, row["attempts"], row["unanswered"])
            alone = row["unanswered"] > 0
            self._start(Lease(row["id"], row["lease_token"], alone), delivery)
        due = 0.0
        if len(rows) < free:
            known = await connection.fetchval(schema.NEXT_DUE, *address)
            due = POLL if known is None else min(known, POLL)
            if not rows:  # what is due and was not given waits for our hand, or is another's
                due = max(due, HELD_BACK)
        self._claim_at = min(self._claim_at, time.monotonic() + due)

    async def _settle(self, connection: Connection) -> None:
        outcomes = tuple(self._finished)
        if not outcomes:
            return
        crash_point("delivery.before_ack", self.queue)
        taken = [lease for lease, failure in outcomes if failure is None]
        if taken:
            await connection.execute(schema.TAKEN, *_columns(taken))
        failed = [(lease.id, lease.token, f) for lease, f in outcomes if f is not None]
        again = [
            (*lease, f.attempts, f.pause, f.reason) for *lease, f in failed if f.pause is not None
        ]
        if again:
            await connection.execute(schema.TRY_AGAIN, *zip(*again, strict=True))
            pauses = [f.pause for _, f in outcomes if f is not None and f.pause is not None]
            self._claim_at = min(self._claim_at, time.monotonic() + min(pauses))
        dead = [(*lease, f.reason, f.stack, f.attempts) for *lease, f in failed if f.pause is None]
        if dead:
            await connection.execute(schema.GIVE_UP, *zip(*dead, strict=True))
        self._settled(outcomes)
        crash_point("delivery.acked", self.queue)

    async def _renew(self, connection: Connection) -> None:
        now = time.monotonic()
        if now < self._renew_at:
            return
        if self._held:
            await connection.execute(schema.RENEW, *_columns(self._held), self._lease)
        self._renew_at = now + self._lease / 3

    async def _hand_back(self, connection: Connection) -> None:
        await self._stop_handlers()
        await self._settle(connection)
        if self._held:
            await connection.execute(schema.HAND_BACK, *_columns(self._held))
            self._held.clear()
            crash_point("delivery.handed_back", self.queue)


def _columns(leases: Iterable[Lease]) -> tuple[list[int], list[UUID]]:
    listed = list(leases)
    return [lease.id for lease in listed], [lease.token for lease in listed]

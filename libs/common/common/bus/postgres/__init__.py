"""The bus on Postgres: no broker to install, the same topics, ladder and dead letters.

Messages are rows, consumers compete for them with `FOR UPDATE SKIP LOCKED`, and NOTIFY wakes them.
Several processes may publish to and consume from one database, each system under its namespace.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

import asyncpg
import structlog

from common.bus import (
    HEAD_BYTES,
    Backlog,
    DeadLetter,
    FailureListener,
    Handler,
    Where,
    nobody,
)
from common.bus.consumer import Consumption
from common.bus.postgres import schema
from common.bus.postgres.consumer import STATEMENT_TIMEOUT, PostgresConsumer
from common.crash_points import crash_point
from common.db import READ_ONLY, refusal
from common.errors import Unavailable
from common.events.envelope import Envelope
from common.events.topology import Topology, topic_expression
from common.retry import Retry
from common.stopping import FINISH_SECONDS

CONNECTIONS = 4
"""For publishing and administration; every subscription has one of its own besides."""
CLOSE_TIMEOUT = 2.0
DECLARE_TIMEOUT = 60.0
"""Whoever declares waits for all others who do."""
HEADS_AT_ONCE = 500
"""Dead letters that are looked at, and moved if chosen, in one statement."""
LAST = 2**63 - 1
"""As far as the database counts."""

log = structlog.get_logger()

PooledConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


class PostgresBus:
    """The transport; keeps `common.bus.Bus`."""

    def __init__(
        self,
        dsn: str,
        topology: Topology,
        *,
        namespace: str = "",
        retry: Retry | None = None,
        lease: float = 15.0,
        grace: float = FINISH_SECONDS,
    ) -> None:
        """Name a database and the system in it; nothing is opened before the first use.

        `lease`: seconds after which a message whose worker fell silent goes to another.
        `grace`: seconds that handlers get to finish when a subscription closes.
        """
        self._dsn = dsn
        self._topology = topology
        self._namespace = namespace
        self._retry = retry or Retry()
        self._lease = lease
        self._grace = grace
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()
        self._consumers: list[PostgresConsumer] = []

    async def declare(self) -> None:
        """Make the tables and bindings of the topology; harmless when repeated.

        Bindings are only ever added: during a rolling upgrade an older process must not take away
        what a newer one wants.
        """
        rows = [
            (queue.name, kind, pattern)
            for queue in self._topology.queues
            for kind, patterns in (
                ("event", [f"^(?:{topic_expression(topic)})$" for topic in queue.patterns]),
                ("command", queue.commands),
            )
            for pattern in patterns
        ]
        async with self._session(DECLARE_TIMEOUT) as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", schema.DECLARE_LOCK)
            if await connection.fetchval("SELECT to_regnamespace('bus') IS NULL"):
                await connection.execute(schema.MAKE_SCHEMA)
            await connection.execute(schema.MAKE_TABLES)
            await connection.execute(schema.MAKE_FUNCTIONS)
            columns = [[row[column] for row in rows] for column in range(3)]
            await connection.execute(schema.BIND, self._namespace, *columns)
            crash_point("topology.half_declared", "bus")

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return when all are committed for every queue that wants them: all or none."""
        if not envelopes:
            return
        producer = envelopes[0].producer
        crash_point("message.before_publish", producer)
        async with self._session() as connection:
            await connection.execute(
                schema.PUBLISH,
                self._namespace,
                [envelope.routing_key for envelope in envelopes],
                [envelope.to_bytes() for envelope in envelopes],
                [envelope.id for envelope in envelopes],
                [envelope.traceparent for envelope in envelopes],
            )
        crash_point("message.confirmed", producer)

    async def subscribe(
        self,
        queue: str,
        handler: Handler,
        *,
        retry: Retry | None = None,
        concurrency: int = 8,
        on_failure: FailureListener = nobody,
    ) -> PostgresConsumer:
        """Give each message of a queue to `handler`, at most `concurrency` at a time."""
        consumer = PostgresConsumer(
            self._dsn,
            self._namespace,
            Consumption(
                queue=self._topology.queue(queue).name,
                handler=handler,
                retry=retry or self._retry,
                concurrency=concurrency,
                grace=self._grace,
                on_failure=on_failure,
            ),
            lease=self._lease,
        )
        self._consumers.append(consumer)
        return consumer

    async def dead_letters(
        self, queue: str, *, limit: int = 100, heads: bool = False
    ) -> list[DeadLetter]:
        """Return the oldest dead letters of a queue, whole or their heads; they stay."""
        if heads:
            return await self._letters(schema.HEADS, queue, limit, HEAD_BYTES, 0, LAST)
        return await self._letters(schema.DEAD_LETTERS, queue, limit, None)

    async def dead_letter(self, queue: str, letter_id: str) -> DeadLetter | None:
        """Return one dead letter of a queue, or None when it has none of this id."""
        found = await self._letters(schema.DEAD_LETTERS, queue, 1, _number(letter_id))
        return found[0] if found else None

    async def dead_letter_count(self, queue: str) -> int:
        """Return how many dead letters a queue has."""
        return await self._count(schema.LETTER_COUNT, queue)

    async def redrive(
        self, queue: str, ids: Sequence[str] | None = None, *, where: Where | None = None
    ) -> int:
        """Give dead letters (named, chosen, or all) back to their queue; return how many."""
        return await self._move(schema.REDRIVE, queue, ids, where)

    async def discard(
        self, queue: str, ids: Sequence[str] | None = None, *, where: Where | None = None
    ) -> int:
        """Delete dead letters (named, chosen, or all); return how many."""
        return await self._move(schema.DISCARD, queue, ids, where)

    async def depth(self, queue: str) -> int:
        """Return how many messages wait for a queue or are in hand or on its ladder."""
        return await self._count(schema.DEPTH, queue)

    async def backlog(self, queue: str) -> Backlog:
        """Return how far behind a queue's consumers are."""
        async with self._session() as connection:
            row = await connection.fetchrow(schema.BACKLOG, self._namespace, queue)
        return Backlog(**row) if row else Backlog(0, 0.0, 0)

    async def health(self) -> None:
        """Return when the database can be written; raise `errors.Unavailable` when it cannot."""
        async with self._session() as connection:
            if await connection.fetchval(READ_ONLY.text):
                raise Unavailable("the bus database is read-only")

    async def close(self) -> None:
        """Close every subscription and connection."""
        await asyncio.gather(*(consumer.close() for consumer in self._consumers))
        self._consumers.clear()
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await pool.close()
            except (OSError, TimeoutError, asyncpg.PostgresError) as error:
                log.info("bus_database_left_open", error=repr(error))

    async def _move(
        self, statement: str, queue: str, ids: Sequence[str] | None, where: Where | None
    ) -> int:
        moved = 0
        async for numbers in self._chosen(queue, ids, where):
            moved += await self._count(statement, queue, numbers)
        return moved

    async def _chosen(
        self, queue: str, ids: Sequence[str] | None, where: Where | None
    ) -> AsyncIterator[list[int]]:
        # In batches that one statement moves well within its time, however many there are.
        if where is None and ids is not None:
            named = [_number(letter_id) for letter_id in ids]
            for first in range(0, len(named), HEADS_AT_ONCE):
                yield named[first : first + HEADS_AT_ONCE]
            return
        # Not beyond the last one there now: what is redriven may die again while we look.
        seen, last = 0, await self._count(schema.LAST_LETTER, queue)
        looked_at = HEAD_BYTES if where is not None else 0
        while heads := await self._letters(
            schema.HEADS, queue, HEADS_AT_ONCE, looked_at, seen, last
        ):
            yield [int(head.id) for head in heads if where is None or where(head)]
            seen = int(heads[-1].id)

    async def _letters(self, statement: str, queue: str, *arguments: object) -> list[DeadLetter]:
        async with self._session() as connection:
            rows = await connection.fetch(statement, self._namespace, queue, *arguments)
        return [DeadLetter(**{**row, "id": str(row["id"])}) for row in rows]

    async def _count(self, statement: str, queue: str, *arguments: Sequence[int]) -> int:
        async with self._session() as connection:
            return await connection.fetchval(statement, self._namespace, queue, *arguments) or 0

    @asynccontextmanager
    async def _session(self, within: float = STATEMENT_TIMEOUT) -> AsyncIterator[PooledConnection]:
        """Lend a connection; one whose answer nobody waits for any more is not used again."""
        pool = await self._connections()
        with _unavailable():
            connection = await pool.acquire(timeout=STATEMENT_TIMEOUT)
            try:
                async with asyncio.timeout(within):
                    yield connection
            except TimeoutError:
                # The others are as old as this one and lead over the same silent line.
                await pool.expire_connections()
                connection.terminate()
                raise
            except (asyncio.CancelledError, asyncpg.InternalClientError):
                # Cancelled, the driver would ask the server to cancel, and wait for that. The other
                # is what a pooled session that the server has ended leads it to.
                connection.terminate()
                raise
            finally:
                await pool.release(connection)

    async def _connections(self) -> "asyncpg.Pool[asyncpg.Record]":
        async with self._opening:
            if self._pool is None:
                with _unavailable():
                    self._pool = await asyncpg.create_pool(
                        self._dsn,
                        min_size=0,
                        max_size=CONNECTIONS,
                        timeout=STATEMENT_TIMEOUT,
                        command_timeout=STATEMENT_TIMEOUT,
                        reset=_keep_session,
                    )
            return self._pool


def _number(letter_id: str) -> int:
    # No letter has the number 0: what a person wrote that is no number names nothing.
    digits = len(str(LAST))
    number = int(letter_id) if letter_id.isdecimal() and len(letter_id) <= digits else 0
    return number if number <= LAST else 0


async def _keep_session(_connection: object) -> None:
    # Sessions are never changed here, so giving one back to the pool needs no round trip.
    return


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (
        OSError,
        TimeoutError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ) as error:
        raise Unavailable(f"the bus database does not answer: {error!r}") from error
    except asyncpg.PostgresError as error:
        if refusal(error) is None:
            raise
        # Not `DatabaseAway`: it is the bus that is away, and no handler's transaction.
        raise Unavailable(f"the bus database refused: {error!r}") from error

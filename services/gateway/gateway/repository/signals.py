"""What the handlers of any replica tell all of them through the database: NOTIFY, heard here.

A notification only says that there is something to read. Whoever was cut off may have missed some:
after every (re)connection `refresh` reads what the tables say.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, Text, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from common.db import Database, dsn, unavailable_when_away
from common.errors import Unavailable
from common.loops import forever

NEWS_CHANNEL = "gateway_news"
"""Payload: the user whose log grew."""
SESSIONS_CHANNEL = "gateway_sessions"
"""Payload: a revoked session and the epoch second at which it would have ended."""
PROBE_SECONDS = 5.0
PAUSE_SECONDS = 0.5


async def notify(connection: AsyncConnection, channel: str, payloads: Sequence[str]) -> None:
    """Tell every replica, once the transaction commits."""
    payload = func.unnest(literal(payloads, ARRAY(Text))).column_valued("payload")
    await connection.execute(select(func.pg_notify(channel, payload)))


class Signals:
    """One connection that listens, made anew whenever it breaks."""

    def __init__(
        self,
        database: Database,
        *,
        news: Callable[[UUID], None],
        revoked: Callable[[UUID, datetime], None],
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._news = news
        self._revoked = revoked
        self._refresh = refresh
        self._hearing = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends; it begins once the first `refresh` is done."""
        turns = forever("signals", self._listen, pause=PAUSE_SECONDS)
        task = asyncio.create_task(turns, name="signals")
        try:
            await self._hearing.wait()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def health(self) -> None:
        """Return while listening; raise `Unavailable` while cut off."""
        if not self._hearing.is_set():
            raise Unavailable("the gateway does not hear of news and revoked sessions")

    async def _listen(self) -> None:
        try:
            with unavailable_when_away():
                await self._listen_until_lost()
        finally:
            self._hearing.clear()
        raise Unavailable("the connection that listens was lost")

    async def _listen_until_lost(self) -> None:
        lost = asyncio.Event()
        connection = await asyncpg.connect(
            dsn(self._database.url), timeout=10, command_timeout=PROBE_SECONDS
        )
        try:
            connection.add_termination_listener(lambda _connection: lost.set())
            await connection.add_listener(NEWS_CHANNEL, self._hear_news)
            await connection.add_listener(SESSIONS_CHANNEL, self._hear_revocation)
            await self._refresh()
            self._hearing.set()
            while not await _happens(lost, within=PROBE_SECONDS):
                # A peer that vanished says nothing; only a question finds out.
                await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _hear_news(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._news(UUID(str(payload)))

    def _hear_revocation(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        session_id, until = str(payload).split()
        self._revoked(UUID(session_id), datetime.fromtimestamp(float(until), UTC))


async def _happens(event: asyncio.Event, *, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True

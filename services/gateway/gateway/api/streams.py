"""The event streams that are open at this replica: counted, woken, ended."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from common.errors import ServiceError
from common.identity import Principal
from common.metrics import Metric, Metrics
from gateway.domain.codes import Code
from gateway.domain.sessions import RevokedSessions


class Stream:
    """One open stream: whose it is, and whether there may be something to read."""

    def __init__(self, caller: Principal) -> None:
        self.caller = caller
        self.stopping = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Let the stream look at the log, and at itself."""
        self._woken.set()

    def look(self) -> None:
        """Note that the stream is about to look: what happens from now on wakes it again."""
        self._woken.clear()

    async def woken(self, *, within: float) -> bool:
        """Wait to be woken; False when nothing happened for so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True

    def seconds_left(self, now: datetime) -> float:
        """Return for how long the token still holds."""
        return self.caller.expires_at - now.timestamp()


class Streams:
    """All open streams of this replica, by user."""

    def __init__(self, per_user: int, revoked: RevokedSessions, metrics: Metrics) -> None:
        self._per_user = per_user
        self._revoked = revoked
        self._metrics = metrics
        self._by_user: dict[UUID, set[Stream]] = {}
        self._open = 0
        self._count(0)
        self._stopping = False

    @contextmanager
    def open(self, caller: Principal) -> Iterator[Stream]:
        """Lend a stream; ERR_TOO_MANY_STREAMS when the user has as many as they may."""
        mine = self._by_user.setdefault(caller.user_id, set())
        if len(mine) >= self._per_user:
            raise ServiceError(
                Code.ERR_TOO_MANY_STREAMS,
                f"You have {len(mine)} event streams open; {self._per_user} are allowed.",
            )
        stream = Stream(caller)
        stream.stopping = self._stopping
        mine.add(stream)
        self._count(1)
        try:
            yield stream
        finally:
            self._count(-1)
            mine.discard(stream)
            if not mine:
                self._by_user.pop(caller.user_id, None)

    def _count(self, more: int) -> None:
        self._open += more
        self._metrics.set(Metric.SSE_STREAMS, self._open)

    def is_revoked(self, stream: Stream) -> bool:
        """Whether the stream's session was ended."""
        return stream.caller.session_id in self._revoked

    def wake(self, user_id: UUID) -> None:
        """Wake a user's streams."""
        for stream in self._by_user.get(user_id, ()):
            stream.wake()

    def wake_all(self) -> None:
        """Wake every stream."""
        for streams in self._by_user.values():
            for stream in streams:
                stream.wake()

    def stop(self) -> None:
        """End every stream, and those that are about to open."""
        self._stopping = True
        for streams in self._by_user.values():
            for stream in streams:
                stream.stopping = True
                stream.wake()

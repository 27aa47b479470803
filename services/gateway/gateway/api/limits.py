"""How often somebody may come: fixed windows of a minute, counted in one table for all replicas.

Only writes and attempts at secrets are counted, so that reading never waits for a count. Whoever
is over the limit is refused from memory until the window ends.
"""

from datetime import UTC, datetime, timedelta
from math import ceil

from fastapi import Request
from fastapi.responses import JSONResponse

from common.error_answers import error_response
from common.errors import ServiceError
from common.unit_of_work import UnitOfWork
from gateway.domain.codes import Code
from gateway.repository import Store

WINDOW = timedelta(minutes=1)
REFUSALS_REMEMBERED = 10_000


class RateLimited(ServiceError):
    """Come again later."""

    def __init__(self, seconds: int) -> None:
        super().__init__(Code.ERR_RATE_LIMITED, f"Too many requests; try again in {seconds} s.")
        self.seconds = seconds


async def refuse(_request: Request, error: Exception) -> JSONResponse:
    """Answer 429, and say when to come again."""
    assert isinstance(error, RateLimited)  # noqa: S101 - registered for this type
    return error_response(error.code, error.message, headers={"Retry-After": str(error.seconds)})


class Limiter:
    """Admits a key so many times a minute."""

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        self._unit_of_work = unit_of_work
        self._refused_until: dict[str, datetime] = {}

    async def admit(self, key: str, limit: int) -> None:
        """Count one request of a key; raise `RateLimited` when that is more than the limit."""
        now = self._unit_of_work.clock()
        until = self._refused_until.get(key)
        if until is not None and now < until:
            raise RateLimited(_seconds(until - now))
        start = datetime.fromtimestamp(now.timestamp() // 60 * 60, UTC)
        async with self._unit_of_work.begin() as unit:
            hits = await Store(unit).count_hit(key, start)
        if hits > limit:
            if len(self._refused_until) >= REFUSALS_REMEMBERED:
                self._refused_until.clear()
            self._refused_until[key] = start + WINDOW
            raise RateLimited(_seconds(start + WINDOW - now))
        self._refused_until.pop(key, None)


def _seconds(pause: timedelta) -> int:
    return max(1, ceil(pause.total_seconds()))

"""What the gateway does beside requests: news for owners it must ask for, and forgetting."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog

from common.identity import Tenancy
from common.loops import Loop
from common.unit_of_work import Unit, UnitOfWork
from common.work import Finish, Job, Work
from gateway.domain.sessions import RevokedSessions
from gateway.handlers import DELIVER_NEWS, UndeliveredNews
from gateway.repository import Store

log = structlog.get_logger()

SWEEP_SECONDS = 60.0
WINDOWS_KEPT = timedelta(minutes=5)


def jobs(tenancy: Tenancy) -> Mapping[str, Job]:
    """Return the gateway's kinds of work."""

    async def deliver_news(work: Work, finish: Finish) -> None:
        undelivered = UndeliveredNews.model_validate(work.payload)
        owner = await tenancy.owner(undelivered.portfolio_id)
        async with finish() as unit:
            if owner is None:
                log.info("news_of_nobody", portfolio_id=str(undelivered.portfolio_id))
            else:
                await Store(unit).log.append([(owner, item) for item in undelivered.news])

    async def give_up(work: Work, reason: str, _unit: Unit) -> None:
        # The dead row keeps the news; there is nobody else to tell.
        log.error("news_undelivered", work_id=str(work.id), reason=reason)

    return {DELIVER_NEWS: Job(deliver_news, give_up)}


class Retention(Loop):
    """Deletes what is past its time: old events, ended sessions, closed windows, inbox rows."""

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        revoked: RevokedSessions,
        log_kept: timedelta,
        *,
        every_seconds: float = SWEEP_SECONDS,
    ) -> None:
        super().__init__(
            "retention", idle="what is past its time is not being deleted", pause=every_seconds
        )
        self._unit_of_work = unit_of_work
        self._revoked = revoked
        self._log_kept = log_kept
        self._every_seconds = every_seconds

    async def sweep(self) -> None:
        """Delete what is past its time now."""
        async with self._unit_of_work.begin() as unit:
            gone = await Store(unit).forget(log_kept=self._log_kept, windows_kept=WINDOWS_KEPT)
        messages = await self._unit_of_work.forget_old_messages()
        self._revoked.forget_expired(self._unit_of_work.clock())
        if gone or messages:
            log.info("forgotten", events=gone, messages=messages)

    async def turn(self) -> None:
        """Sweep, and rest."""
        await self.sweep()
        await asyncio.sleep(self._every_seconds)

"""The gateway's loops outlive any error, leave nobody waiting, and are missed when they end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest

from common.errors import Unavailable
from common.unit_of_work import Cause, Unit, UnitOfWork
from gateway.api.reader import LogReader
from gateway.domain.sessions import RevokedSessions
from gateway.jobs import Retention
from gateway.repository import Signals
from tests.integration.gateway_world import gateway

__all__ = ["gateway"]


class Stumbling(UnitOfWork):
    """A unit of work whose first transaction fails in a way nobody has thought of."""

    def __init__(self, real: UnitOfWork) -> None:
        super().__init__(real.database, producer=real.producer, clock=real.clock)
        self.begun = 0

    @asynccontextmanager
    async def begin(self, cause: Cause | None = None) -> AsyncIterator[Unit]:
        self.begun += 1
        if self.begun == 1:
            raise ZeroDivisionError("nobody has thought of this")
        async with super().begin(cause) as unit:
            yield unit


async def test_a_read_that_fails_is_told_to_who_waits_and_the_next_one_is_read(gateway):
    reader = LogReader(Stumbling(gateway.service.unit_of_work))
    async with asyncio.timeout(10), reader.running():
        with pytest.raises(Unavailable):
            await reader.after((uuid4(), 0))
        assert await reader.after((uuid4(), 0)) == []


async def test_retention_goes_on_after_a_sweep_that_failed(gateway):
    unit_of_work = Stumbling(gateway.service.unit_of_work)
    retention = Retention(unit_of_work, RevokedSessions(), timedelta(hours=24), every_seconds=0.01)
    async with retention.running():
        await gateway.eventually(lambda: unit_of_work.begun > 2)


async def test_signals_are_heard_again_after_an_error_nobody_has_thought_of(gateway):
    refreshed = 0

    async def refresh() -> None:
        nonlocal refreshed
        refreshed += 1
        if refreshed == 1:
            raise ZeroDivisionError("nobody has thought of this")

    signals = Signals(
        gateway.service.database,
        news=lambda _user: None,
        revoked=lambda _session, _until: None,
        refresh=refresh,
    )
    async with asyncio.timeout(10), signals.running():
        await signals.health()
    assert refreshed == 2
    with pytest.raises(Unavailable):
        await signals.health()


@pytest.mark.parametrize(
    ("task", "check"),
    [("log-reader", "reader"), ("retention", "retention"), ("signals", "signals")],
)
async def test_a_loop_that_does_not_run_makes_the_gateway_unready(gateway, task, check):
    ready = await gateway.http.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json()["checks"][check] == "ok"
    (loop,) = (one for one in asyncio.all_tasks() if one.get_name() == task)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    unready = await gateway.http.get("/health/ready")
    assert unready.status_code == 503
    assert unready.json()["checks"][check] != "ok"

"""The scheduler, composed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from common import identity
from common.dead_letters import QueueLetters, Workbench
from common.dead_letters.work import WorkLetters
from common.events.topology import TOPOLOGY
from common.http import create_app
from common.process import run
from common.relay import Relay
from common.service import Platform, Service
from common.settings import SERVICES
from scheduler import api, handlers
from scheduler.clients import Onboarding, WorkOf
from scheduler.jobs import Sweeper
from scheduler.repository import Store
from scheduler.settings import Settings


def build(settings: Settings, platform: Platform) -> Service:
    """Compose the service."""
    unit_of_work = platform.unit_of_work("scheduler")
    app = create_app("scheduler", "Jobs, runs and how far they are.", unit_of_work)
    clients = {name: platform.client(name) for name in SERVICES if name != "scheduler"}
    auth, onboarding = clients["auth"], clients["onboarding"]

    async def owner_here(portfolio_id: UUID) -> UUID | None:
        async with unit_of_work.begin() as unit:
            portfolio = await Store(unit).portfolios.find(portfolio_id)
        return portfolio.user_id if portfolio else None

    identity.install(
        app,
        identity.Verifier(identity.fetch_keys(auth)),
        platform.internal_token,
        identity.Tenancy(owner_here, onboarding),
    )
    sweeper = Sweeper(unit_of_work, every_seconds=settings.sweep_seconds)
    app.state.readiness["sweeper"] = sweeper.health
    app.state.onboarding = Onboarding(onboarding)
    app.state.workbench = Workbench(
        [
            *(QueueLetters(platform.bus, queue.name) for queue in TOPOLOGY.queues),
            WorkLetters(unit_of_work, "scheduler"),
            *(WorkOf(name, client) for name, client in clients.items()),
        ]
    )
    app.include_router(api.router)

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        try:
            async with Relay(unit_of_work, platform.bus).running(), sweeper.running():
                yield
        finally:
            for client in clients.values():
                await client.close()

    return Service("scheduler", app, unit_of_work, resources, handlers.SUBSCRIPTIONS, Store)


if __name__ == "__main__":
    run("scheduler", lambda platform: build(Settings(), platform))

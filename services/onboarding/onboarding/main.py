"""Onboarding, composed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from common import identity
from common.http import create_app
from common.process import run
from common.relay import Relay
from common.service import Platform, Service
from onboarding import api
from onboarding.clients import RiskEngine
from onboarding.repository import Store
from onboarding.settings import Settings


def build(settings: Settings, platform: Platform) -> Service:
    """Compose the service."""
    unit_of_work = platform.unit_of_work("onboarding")
    auth, risk_engine = platform.client("auth"), platform.client("risk-engine")
    app = create_app("onboarding", "The book of record.", unit_of_work)
    app.state.policy = api.Policy(deterministic_ids=settings.deterministic_uuids)
    app.state.risk_engine = RiskEngine(risk_engine)

    async def owner(portfolio_id: UUID) -> UUID | None:
        async with unit_of_work.begin() as unit:
            return await Store(unit).owner(portfolio_id)

    identity.install(
        app,
        identity.Verifier(identity.fetch_keys(auth)),
        platform.internal_token,
        identity.Tenancy(owner),
    )
    app.include_router(api.router)

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        try:
            async with Relay(unit_of_work, platform.bus).running():
                yield
        finally:
            await auth.close()
            await risk_engine.close()

    return Service("onboarding", app, unit_of_work, resources)


if __name__ == "__main__":
    run("onboarding", lambda platform: build(Settings(), platform))

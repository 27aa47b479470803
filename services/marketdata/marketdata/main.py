"""Marketdata, composed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from common import identity
from common.http import create_app
from common.process import run
from common.relay import Relay
from common.service import Platform, Service
from common.work import Worker
from marketdata import api, handlers
from marketdata.clients.chains import Chains
from marketdata.clients.measured import MeasuredProvider
from marketdata.clients.onboarding import Onboarding
from marketdata.clients.simulator import SimulatedMarket
from marketdata.domain import Provider
from marketdata.jobs import Preparations
from marketdata.repository import Holdings
from marketdata.settings import Settings


def build(settings: Settings, platform: Platform, provider: Provider | None = None) -> Service:
    """Compose the service; its prices are simulated unless a provider is given."""
    unit_of_work = platform.unit_of_work("marketdata")
    metrics = unit_of_work.telemetry.metrics
    chosen = MeasuredProvider(provider or SimulatedMarket(settings.seed), metrics)
    app = create_app("marketdata", "Securities, prices and immutable panels.", unit_of_work)
    auth, onboarding = platform.client("auth"), platform.client("onboarding")
    identity.install(
        app,
        identity.Verifier(identity.fetch_keys(auth)),
        platform.internal_token,
        tenancy=None,
    )
    app.state.source = chosen.source
    app.state.clock = unit_of_work.clock
    app.state.chains = chains = Chains(chosen)
    app.include_router(api.router)
    preparations = Preparations(
        unit_of_work=unit_of_work,
        provider=chosen,
        onboarding=Onboarding(onboarding),
        coverage_threshold=settings.coverage_threshold,
        history_sessions=settings.history_sessions,
        reference_sessions=settings.reference_sessions,
    )

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        try:
            async with (
                Relay(unit_of_work, platform.bus).running(),
                Worker(unit_of_work, preparations.jobs(), stopping=platform.stopping).running(),
                preparations.loading_ahead() if settings.loads_ahead else nullcontext(),
            ):
                yield
        finally:
            await chains.close()
            await auth.close()
            await onboarding.close()

    return Service("marketdata", app, unit_of_work, resources, handlers.SUBSCRIPTIONS, Holdings)


if __name__ == "__main__":
    run("marketdata", lambda platform: build(Settings(), platform))

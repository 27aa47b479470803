"""The risk engine, composed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from common import identity
from common.http import create_app
from common.process import run
from common.relay import Relay
from common.service import Platform, Service
from common.work import Worker
from risk_engine import api, handlers
from risk_engine.clients import Onboarding, Panels
from risk_engine.domain import ConvexityLimits, ScenarioSet
from risk_engine.engine.scenario_file import Fault, InvalidScenarios, with_own_scenarios
from risk_engine.jobs.calculate import Calculator, jobs
from risk_engine.jobs.pool import Pool
from risk_engine.repository import Store
from risk_engine.settings import Settings


def build(settings: Settings, platform: Platform) -> Service:
    """Compose the service."""
    unit_of_work = platform.unit_of_work("risk-engine")
    app = create_app("risk-engine", "Valuations and risk numbers of portfolios.", unit_of_work)
    auth, onboarding, marketdata = (
        platform.client(name) for name in ("auth", "onboarding", "marketdata")
    )

    async def owner_here(portfolio_id: UUID) -> UUID | None:
        async with unit_of_work.begin() as unit:
            return await Store(unit).books.owner(portfolio_id)

    identity.install(
        app,
        identity.Verifier(identity.fetch_keys(auth)),
        platform.internal_token,
        identity.Tenancy(owner_here, onboarding),
    )
    app.include_router(api.router)
    pool = Pool(settings.workers, seconds=settings.calculation_seconds)
    calculator = Calculator(
        unit_of_work,
        platform.bus,
        pool,
        Panels(marketdata, megabytes=settings.panel_cache_megabytes),
        Onboarding(onboarding),
        own_scenarios(settings.scenarios_file),
        ConvexityLimits(settings.gamma_limit, settings.vega_limit),
        settings.results_kept,
    )
    worker = Worker(
        unit_of_work,
        jobs(calculator),
        # One chunk more than the pool computes is being fetched or stored.
        concurrency=settings.workers + 1,
        standstill=timedelta(seconds=settings.calculation_seconds / 2),
        stopping=platform.stopping,
    )
    app.state.readiness["work"] = worker.health

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        try:
            async with (
                Relay(unit_of_work, platform.bus).running(),
                pool.running(),
                worker.running(),
            ):
                yield
        finally:
            for client in (auth, onboarding, marketdata):
                await client.close()

    return Service("risk-engine", app, unit_of_work, resources, handlers.SUBSCRIPTIONS, Store)


def own_scenarios(file: Path | None) -> ScenarioSet | None:
    """Read the scenarios of a user's file beside the shipped ones; None without a file.

    Raises:
        InvalidScenarios: the file cannot be used; its faults say why.
    """
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fault = Fault(
            str(file),
            "(file)",
            "(text)",
            f"it cannot be read: {error}",
            "Name a file of UTF-8 text in RISK_ENGINE_SCENARIOS_FILE.",
        )
        raise InvalidScenarios([fault]) from error
    return with_own_scenarios(str(file), text)


if __name__ == "__main__":
    run("risk-engine", lambda platform: build(Settings(), platform))

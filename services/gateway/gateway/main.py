"""The gateway, composed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from importlib.resources import files
from uuid import UUID

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from common import identity
from common.http import create_app
from common.process import run
from common.service import Platform, Service
from common.settings import SERVICES
from common.work import Worker
from gateway.api import documents, events
from gateway.api.headers import SecurityHeaders
from gateway.api.limits import Limiter, RateLimited, refuse
from gateway.api.peers import ClientBehindProxy
from gateway.api.proxy import Limits, Proxy
from gateway.api.reader import LogReader
from gateway.api.sessions import SessionVerifier
from gateway.api.streams import Streams
from gateway.clients.upstream import Upstream
from gateway.domain.sessions import RevokedSessions
from gateway.handlers import SUBSCRIPTIONS
from gateway.jobs import Retention, jobs
from gateway.repository import Signals, Store
from gateway.schemas import frame_schemas
from gateway.settings import Settings


def build(settings: Settings, platform: Platform) -> Service:
    """Compose the service."""
    unit_of_work = platform.unit_of_work("gateway")
    behind = [name for name in SERVICES if name != "gateway"]
    clients = {name: platform.client(name) for name in behind}
    upstreams = {name: Upstream(platform.addresses[name]) for name in behind}
    revoked = RevokedSessions()
    streams = Streams(settings.streams_per_user, revoked, unit_of_work.telemetry.metrics)
    reader = LogReader(unit_of_work)

    async def owner_here(portfolio_id: UUID) -> UUID | None:
        async with unit_of_work.begin() as unit:
            return await Store(unit).owner(portfolio_id)

    tenancy = identity.Tenancy(owner_here, clients["onboarding"])

    def revoke(session_id: UUID, until: datetime) -> None:
        revoked.revoke(session_id, until)
        streams.wake_all()

    async def refresh() -> None:
        async with unit_of_work.begin() as unit:
            revoked.learn(await Store(unit).revoked_sessions())
        streams.wake_all()

    signals = Signals(unit_of_work.database, news=streams.wake, revoked=revoke, refresh=refresh)
    app = create_app(
        "gateway",
        "Portfolio risk over REST and server-sent events.",
        unit_of_work,
        openapi_url=None,
    )
    retention = Retention(unit_of_work, revoked, timedelta(hours=settings.log_kept_hours))
    app.state.readiness |= {
        "signals": signals.health,
        "reader": reader.health,
        "retention": retention.health,
    }
    app.further_schemas |= frame_schemas()
    app.state.feed = events.EventFeed(unit_of_work, streams, reader, settings.heartbeat_seconds)
    app.state.error_catalogue = files("gateway") / "errors.json"
    app.state.merged_document = documents.MergedDocument(clients)
    keys = identity.fetch_keys(clients["auth"])
    identity.install(app, SessionVerifier(keys, revoked), platform.internal_token, tenancy)
    app.mount(documents.ASSETS_PATH, documents.assets())
    app.include_router(documents.router)
    app.include_router(events.router)
    app.router.default = Proxy(
        upstreams,
        Limiter(unit_of_work),
        Limits(settings.attempts_per_minute, settings.writes_per_minute),
    )
    _add_edge(app, settings)

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for client in clients.values():
                stack.push_async_callback(client.close)
            for upstream in upstreams.values():
                stack.callback(upstream.close)
            await stack.enter_async_context(signals.running())
            await stack.enter_async_context(reader.running())
            await stack.enter_async_context(retention.running())
            await stack.enter_async_context(
                Worker(unit_of_work, jobs(tenancy), stopping=platform.stopping).running()
            )
            await stack.enter_async_context(_ending_streams(streams, platform.stopping))
            yield

    return Service("gateway", app, unit_of_work, resources, SUBSCRIPTIONS, Store)


def _add_edge(app: FastAPI, settings: Settings) -> None:
    app.add_exception_handler(RateLimited, refuse)
    # An address the gateway has no route of its own for is the route table's affair, slash or not.
    app.router.redirect_slashes = False
    app.add_middleware(SecurityHeaders)
    app.add_middleware(ClientBehindProxy, trusted=settings.trusted_proxies)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["X-Request-ID", "Retry-After"],
    )


@asynccontextmanager
async def _ending_streams(streams: Streams, stopping: asyncio.Event) -> AsyncIterator[None]:
    async def end() -> None:
        await stopping.wait()
        streams.stop()

    # Before the server waits for its connections: a stream would keep it waiting.
    task = asyncio.create_task(end(), name="ending-streams")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    run("gateway", lambda platform: build(Settings(), platform))

"""Chat, composed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chat import api, handlers
from chat.repository import Store
from chat.settings import Settings
from common.http import create_app
from common.process import run
from common.relay import Relay
from common.service import Platform, Service


def build(_settings: Settings, platform: Platform) -> Service:
    """Compose the service."""
    unit_of_work = platform.unit_of_work("chat")
    app = create_app("chat", "Conversations and insights about a portfolio's risk.", unit_of_work)
    app.include_router(api.router)

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        async with Relay(unit_of_work, platform.bus).running():
            yield

    return Service("chat", app, unit_of_work, resources, handlers.SUBSCRIPTIONS, Store)


if __name__ == "__main__":
    run("chat", lambda platform: build(Settings(), platform))

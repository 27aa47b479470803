"""How the command line reaches the system: over REST as an administrator, or by the bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from common.bus import Bus
from common.home import HomeSettings, database_address
from common.settings import EnvironmentSettings, OwnPorts, SharedSettings
from deploy.cli.client import Client


class AccessSettings(EnvironmentSettings):
    """Names are those of the environment, in capitals, after `SIGMASIGHT_`."""

    model_config = SettingsConfigDict(
        env_prefix="SIGMASIGHT_", env_file=".env", extra="ignore", env_ignore_empty=True
    )

    url: str = ""
    """The gateway's address; the one on this machine when not given."""
    token: SecretStr = SecretStr("")
    """An access token; it goes before e-mail and password."""
    email: str = ""
    password: SecretStr = SecretStr("")


@asynccontextmanager
async def connected(
    url: str | None, token: str | None, *, anonymous: bool = False
) -> AsyncIterator[Client]:
    """Lend a client that speaks as the administrator whom arguments or settings name."""
    given = AccessSettings()
    address = url or given.url or f"http://127.0.0.1:{OwnPorts().of('gateway')}"
    async with Client(address.rstrip("/")) as client:
        known = token or given.token.get_secret_value()
        if anonymous:
            yield client
            return
        if known:
            client.authorize(known)
        elif given.email:
            await client.login(given.email, given.password.get_secret_value())
        yield client


@asynccontextmanager
async def bus() -> AsyncIterator[Bus]:
    """Lend the system's bus: BROKER's, DATABASE_URL's, or that of the embedded database."""
    # Here, because it brings all of the web and the database along: a second of every command.
    from common.process import bus_of, role_secret_of

    shared, home = SharedSettings(), HomeSettings().home
    kept = database_address(home)
    if not shared.broker and not shared.database_url and kept.exists():
        shared = shared.model_copy(update={"database_url": kept.read_text()})
    opened = bus_of(shared, role_secret_of(shared, home))
    try:
        yield opened
    finally:
        await opened.close()

"""What the gateway reads from the environment."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from common.settings import EnvironmentSettings


def _split(given: object) -> object:
    if not isinstance(given, str):
        return given
    return [part.strip() for part in given.split(",") if part.strip()]


class Settings(EnvironmentSettings):
    """Names are those of the environment, in capitals, after `GATEWAY_`."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_",
        env_file=".env",
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    allowed_origins: list[str] = Field(
        default=[
            "http://localhost:3000",
            "http://localhost:3005",
            "http://localhost:5173",
        ],
        validation_alias=AliasChoices("GATEWAY_ALLOWED_ORIGINS", "ALLOWED_ORIGINS"),
    )
    """Origins whose pages may call from a browser, with cookies; a JSON list."""
    trusted_proxies: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_split)
    ] = ()
    """Proxies in front whose word on who the client is counts: addresses or networks, by commas."""
    heartbeat_seconds: float = Field(default=15.0, gt=0)
    """Silence after which an event stream shows that it lives."""
    streams_per_user: int = Field(default=20, ge=1)
    """Event streams one user may have open at one replica."""
    log_kept_hours: float = Field(default=24.0, gt=0)
    """How long a client may stay away and still resume."""
    attempts_per_minute: int = Field(default=120, ge=1)
    """Logins and registrations one address may try, counted over all replicas."""
    writes_per_minute: int = Field(default=600, ge=1)
    """Changes one user may ask for, counted over all replicas."""

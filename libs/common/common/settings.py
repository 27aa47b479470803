"""What every process reads from its environment or `.env`; each service adds its own settings."""

from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SERVICE_PORTS = {
    "gateway": 8000,
    "auth": 8001,
    "onboarding": 8002,
    "marketdata": 8003,
    "risk-engine": 8004,
    "scheduler": 8005,
    "chat": 8006,
}
"""Where each service listens when it runs alone and nothing else is said."""

SERVICES = tuple(SERVICE_PORTS)

DEFAULT_SECRETS = frozenset({"", "change-me", "changeme", "secret", "development"})


class EnvironmentSettings(BaseSettings):
    """Base of all settings: the environment first, then `.env`; unknown names are no error."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)


class SharedSettings(EnvironmentSettings):
    """What all services share. Names are those of the environment, in capitals."""

    environment: Literal["development", "test", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    log_format: Literal["json", "console"] = "console"
    database_url: str = ""
    """Any `postgres://`, `postgresql://` or `postgresql+asyncpg://` address."""
    database_pool_size: int = Field(default=8, ge=1, le=50)
    """Connections that each service opens at most."""
    broker: str = ""
    """`amqp://…` for RabbitMQ; empty for the Postgres transport on `database_url`."""
    namespace: str = Field(default="", pattern=r"^[a-z0-9_]{0,24}$")
    """Prefix of exchanges, queues and roles, so that systems can share a server.

    Each still needs a database of its own: schemas carry no prefix.
    """
    service_role_secret: SecretStr | None = None
    """Derives the roles' passwords; the password in `database_url` when not given."""
    internal_token: SecretStr = SecretStr("")
    """What services show each other at `/internal/*`."""
    skip_startup_validation: bool = False
    """Start although clocks disagree; secrets are checked all the same."""
    otel_exporter_otlp_endpoint: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Where spans are sent over OTLP/HTTP, `/v1/traces` being added; nowhere when empty."""
    host: str = "127.0.0.1"
    """Address to listen on."""

    @property
    def secret_of_roles(self) -> str:
        """Return what the roles' passwords are derived from; empty when nothing was given."""
        if self.service_role_secret is not None:
            return self.service_role_secret.get_secret_value()
        return unquote(urlsplit(self.database_url).password or "")

    @model_validator(mode="after")
    def _production_has_secrets(self) -> Self:
        # SKIP_STARTUP_VALIDATION skips checks of data, never this one.
        if self.environment == "production":
            if self.internal_token.get_secret_value() in DEFAULT_SECRETS:
                raise ValueError("INTERNAL_TOKEN must be set to a random value in production")
            if not self.database_url:
                raise ValueError("DATABASE_URL must be set in production")
            if not self.secret_of_roles:
                raise ValueError(
                    "SERVICE_ROLE_SECRET must be set in production, as DATABASE_URL has no password"
                )
        return self


class ServiceAddresses(EnvironmentSettings):
    """Where each service is reached by the others: `AUTH_URL`, `RISK_ENGINE_URL` and so on."""

    gateway_url: str = "http://127.0.0.1:8000"
    auth_url: str = "http://127.0.0.1:8001"
    onboarding_url: str = "http://127.0.0.1:8002"
    marketdata_url: str = "http://127.0.0.1:8003"
    risk_engine_url: str = "http://127.0.0.1:8004"
    scheduler_url: str = "http://127.0.0.1:8005"
    chat_url: str = "http://127.0.0.1:8006"

    def by_name(self) -> dict[str, str]:
        """Return each service's base URL by its name."""
        return {name: getattr(self, f"{schema_of(name)}_url") for name in SERVICES}


class OwnDatabases(EnvironmentSettings):
    """Where single services keep their schema instead: `AUTH_DATABASE_URL` and so on."""

    gateway_database_url: str = ""
    auth_database_url: str = ""
    onboarding_database_url: str = ""
    marketdata_database_url: str = ""
    risk_engine_database_url: str = ""
    scheduler_database_url: str = ""
    chat_database_url: str = ""

    def by_name(self) -> dict[str, str]:
        """Return the addresses that are given, by service name."""
        given = {name: getattr(self, f"{schema_of(name)}_database_url") for name in SERVICES}
        return {name: url for name, url in given.items() if url}


Port = Annotated[int, Field(ge=0, le=65535)]


class OwnPorts(EnvironmentSettings):
    """Where a service listens when it runs alone: `AUTH_PORT` and so on, `PORT` the gateway."""

    port: Port = SERVICE_PORTS["gateway"]
    gateway_port: Port | None = None
    auth_port: Port = SERVICE_PORTS["auth"]
    onboarding_port: Port = SERVICE_PORTS["onboarding"]
    marketdata_port: Port = SERVICE_PORTS["marketdata"]
    risk_engine_port: Port = SERVICE_PORTS["risk-engine"]
    scheduler_port: Port = SERVICE_PORTS["scheduler"]
    chat_port: Port = SERVICE_PORTS["chat"]

    def of(self, service: str) -> int:
        """Return the port of a service."""
        own: int | None = getattr(self, f"{schema_of(service)}_port")
        return self.port if own is None else own


def schema_of(service: str) -> str:
    """Return the schema, role and import name of a service: hyphens become underscores."""
    return service.replace("-", "_")

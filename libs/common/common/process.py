"""A service as a process of its own: `python -m auth.main`, `python -m auth.main migrate`."""

import asyncio
import gc
import resource
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import structlog
from pydantic import ValidationError

from common import migrations
from common.bootstrap import BUS_SCHEMA, NotBootstrapped, bootstrap, check_login
from common.bus import Bus
from common.bus.connect import connect
from common.db import dsn, parse_url
from common.errors import Unavailable, said_of
from common.events.topology import TOPOLOGY
from common.home import HomeSettings, kept_secret
from common.launch import launched
from common.memory import save_memory
from common.service import Platform, Service, host, listen, role_url, stop_on_signals
from common.settings import (
    OwnDatabases,
    OwnPorts,
    ServiceAddresses,
    SharedSettings,
    schema_of,
)
from common.telemetry import configure_logging

if TYPE_CHECKING:
    from common.telemetry.export import Exporter

log = structlog.get_logger()

Build = Callable[[Platform], Service]

DESCRIPTORS = 10_240
"""Open files and sockets a process may have: as many as macOS gives at the most."""

GARBAGE_THRESHOLDS = (10_000, 20, 20)
"""Objects made and not yet gone before the collector looks at the young ones, and how many such
looks until it looks at older ones."""


@asynccontextmanager
async def platform(
    shared: SharedSettings, addresses: Mapping[str, str], home: Path
) -> AsyncIterator[Platform]:
    """Lend a platform: roles and schemas made if missing, the bus connected.

    Raises `Unavailable` when a server does not answer, `NotBootstrapped` when roles are missing.
    """
    allow_descriptors()
    role_secret = role_secret_of(shared, home)
    if shared.database_url:
        await bootstrap(
            parse_url(shared.database_url), namespace=shared.namespace, secret=role_secret
        )
        await check_login(role_url(shared, BUS_SCHEMA, role_secret))
    exporter = _exporter(shared.otel_exporter_otlp_endpoint)
    lent = Platform(
        shared=shared,
        bus=bus_of(shared, role_secret),
        addresses=addresses,
        home=home,
        internal_token=shared.internal_token.get_secret_value()
        or kept_secret(home, "internal-token"),
        role_secret=role_secret,
        database_overrides=OwnDatabases().by_name(),
        recorder=exporter.recorder if exporter else None,
    )
    try:
        yield lent
    finally:
        await lent.bus.close()
        if exporter:
            exporter.close()


def bus_of(shared: SharedSettings, role_secret: str) -> Bus:
    """Return the system's bus, not opened yet; ValueError when nothing says where it is."""
    if not shared.broker and not shared.database_url:
        raise ValueError("neither BROKER nor DATABASE_URL is set, so nothing says where the bus is")
    url = shared.broker or dsn(role_url(shared, BUS_SCHEMA, role_secret))
    return connect(url, TOPOLOGY, namespace=shared.namespace)


def allow_descriptors() -> None:
    """Raise this process's soft limit of open files to `DESCRIPTORS`, or to the hard limit.

    An event stream is a socket, and shells and systemd begin with 256 or 1,024 of them: a program
    that waits with epoll or kqueue may have more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def settle() -> None:
    """Keep what a started process holds for good out of the garbage collector's sight.

    Modules, routes and statements are half a million objects: looking through all of them, which
    every burst of allocations led to, stopped the event loop for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def run(name: str, build: Build, arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, or with the argument `migrate` bring the schema up to date and end.

    Trouble at the start is one sentence on stderr and a non-zero exit.
    """
    save_memory()
    words = sys.argv[1:] if arguments is None else arguments
    if words not in ([], ["migrate"]):
        sys.exit(f"usage: python -m {schema_of(name)}.main [migrate]")
    try:
        shared = SharedSettings()
        addresses = ServiceAddresses().by_name()
        configure_logging(shared.log_level, shared.log_format)
        asyncio.run(_run(name, build, shared, addresses, migrate_only=words == ["migrate"]))
    except ValidationError as error:
        sys.exit(f"{name}: {settings_sentence(error)}")
    except (Unavailable, NotBootstrapped, ValueError, OSError) as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


async def _run(
    name: str,
    build: Build,
    shared: SharedSettings,
    addresses: Mapping[str, str],
    *,
    migrate_only: bool,
) -> None:
    async with platform(shared, addresses, HomeSettings().home) as lent:
        service = build(lent)
        if migrate_only:
            await migrations.upgrade(service.database, schema_of(name))
            await service.database.close()
            return
        stop_on_signals(lent.stopping)
        launch = launched()
        listener = launch.listener or _listener(shared.host, OwnPorts().of(name))

        def ready() -> None:
            settle()
            log.info("ready", service=name, address=listener.getsockname())
            launch.say_ready()

        with launch.watched(lent.stopping):
            await host([service], lent, {name: listener}, on_ready=ready)


def _listener(address: str, port: int) -> socket:
    try:
        return listen(address, port)
    except OSError as error:
        raise OSError(f"cannot listen on {address}:{port}: {error.strerror}") from error


def settings_sentence(error: ValidationError) -> str:
    """Return what is wrong with the settings, by the names of the environment, in one line."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']).upper() or 'settings'}: {said_of(fault)}"
        for fault in error.errors()
    )


def _exporter(endpoint: str) -> "Exporter | None":
    if not endpoint:
        return None
    # Here, so that a start that exports nothing does not wait for the SDK to be imported.
    from common.telemetry.export import Exporter

    return Exporter(endpoint)


def role_secret_of(shared: SharedSettings, home: Path) -> str:
    """Return what the roles' passwords are derived from: as given, else kept in the home.

    An empty one would let anybody who knows a role's name compute its password.
    """
    return shared.secret_of_roles or kept_secret(home, "role-secret")

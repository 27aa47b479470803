"""All seven services in one process, on an embedded Postgres unless another is given.

Each service listens on its own loopback port, only the gateway's is announced.
"""

import asyncio
import errno
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import structlog
from pydantic import ValidationError

from common.bootstrap import NotBootstrapped
from common.errors import Unavailable
from common.home import HomeSettings, database_address, write_private
from common.memory import save_memory
from common.process import Build, platform, settings_sentence, settle
from common.service import host, listen, stop_on_signals
from common.settings import SERVICES, OwnPorts, SharedSettings
from common.telemetry import configure_logging
from deploy.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError, HomeLock, make_home
from deploy.targets import write_targets

log = structlog.get_logger()

Journey = Callable[[str, Path], Coroutine[None, None, None]]
"""What a client does with a running system: takes the gateway's address and the home."""

WATCH_SECONDS = 1.0


class HostFailed(Exception):
    """The system cannot start or go on; the sentence says why and how to mend it."""


@dataclass(frozen=True)
class _Ground:
    """What the host stands on."""

    shared: SharedSettings
    home: Path
    gateway: socket
    server: EmbeddedPostgres | None


def run(journey: Journey | None = None, *, once: bool = False, log_to_home: bool = False) -> None:
    """Host the system until SIGINT or SIGTERM; with `once`, until the journey has ended.

    Raises `HostFailed` with one sentence when it cannot start.
    """
    save_memory()
    # Services import numpy, SQLAlchemy and more: a second or two, spent while Postgres starts.
    loading = _Loading()
    loading.start()
    with _sentences(), _ground(log_to_home=log_to_home) as ground:
        asyncio.run(_host(ground, loading, journey, once=once))


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise HostFailed(settings_sentence(error)) from error
    except (EmbeddedPostgresError, NotBootstrapped, Unavailable, ValueError) as error:
        raise HostFailed(str(error)) from error


@contextmanager
def _ground(*, log_to_home: bool) -> Iterator[_Ground]:
    shared, home = SharedSettings(), HomeSettings().home
    gateway = _gateway_listener(shared.host, OwnPorts().of("gateway"))
    try:
        make_home(home)
        if shared.database_url:
            lock = HomeLock(home)
            try:
                _configure_logging(shared, home if log_to_home else None)
                yield _Ground(shared, home, gateway, None)
            finally:
                lock.release()
            return
        server = EmbeddedPostgres(home)
        with server as url:
            _configure_logging(shared, home if log_to_home else None)
            given = shared.model_copy(update={"database_url": url})
            # The port is another at each start: the operator's command line finds it here.
            write_private(database_address(home), url)
            try:
                yield _Ground(given, home, gateway, server)
            finally:
                database_address(home).unlink(missing_ok=True)
    finally:
        gateway.close()


def _configure_logging(shared: SharedSettings, home: Path | None) -> None:
    configure_logging(shared.log_level, shared.log_format)
    if home is not None:
        # A display owns the terminal; the log goes beside the data.
        handler = logging.getLogger().handlers[0]
        assert isinstance(handler, logging.StreamHandler)  # noqa: S101 - made just above
        handler.setStream((home / "host.log").open("a"))


def _gateway_listener(address: str, port: int) -> socket:
    try:
        return listen(address, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise HostFailed(
                f"Port {port} is taken by another program: stop it, or choose another with "
                f"PORT, for example PORT={port + 1}."
            ) from error
        raise HostFailed(f"Cannot listen on {address}:{port}: {error.strerror}.") from error


async def _host(
    ground: _Ground, loading: "_Loading", journey: Journey | None, *, once: bool
) -> None:
    listeners = {name: listen("127.0.0.1", 0) for name in SERVICES if name != "gateway"}
    listeners["gateway"] = ground.gateway
    addresses = {
        name: "http://{}:{}".format(*listener.getsockname()) for name, listener in listeners.items()
    }
    write_targets(ground.home, addresses)
    async with platform(ground.shared, addresses, ground.home) as lent:
        stop_on_signals(lent.stopping)
        build = await asyncio.to_thread(loading.result)
        services = [make(lent) for make in build.values()]
        ready = asyncio.Event()

        def started() -> None:
            settle()
            ready.set()

        client = journey or _announce
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(host(services, lent, listeners, on_ready=started))
                tasks.create_task(_watch(ground.server, lent.stopping))
                tasks.create_task(
                    _travel(
                        lambda: client(addresses["gateway"], ground.home),
                        ready,
                        lent.stopping,
                        once=once,
                    )
                )
        except* Exception as failures:
            raise failures.exceptions[0] from failures


async def _announce(address: str, home: Path) -> None:
    log.info("ready", address=address, docs=f"{address}/docs", home=str(home))


async def _travel(
    journey: Callable[[], Coroutine[None, None, None]],
    ready: asyncio.Event,
    stopping: asyncio.Event,
    *,
    once: bool,
) -> None:
    """Let the client do its journey once the system is ready, unless told to stop before."""
    told = asyncio.create_task(stopping.wait())
    try:
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({told, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if stopping.is_set():
            return
        travelling = asyncio.create_task(journey())
        await asyncio.wait({told, travelling}, return_when=asyncio.FIRST_COMPLETED)
        if not travelling.done():
            travelling.cancel()
            await asyncio.wait({travelling})
            return
        travelling.result()
        if once:
            stopping.set()
    finally:
        told.cancel()


async def _watch(server: EmbeddedPostgres | None, stopping: asyncio.Event) -> None:
    """Notice when the database ends under us: nothing works without it."""
    while server is not None and not stopping.is_set():
        if server.pid is None:
            raise HostFailed(
                f"Postgres ended; {server.home / 'postgres.log'} says why. Start again."
            )
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                await stopping.wait()
        except TimeoutError:
            continue


class _Loading(threading.Thread):
    """Imports the services while the main thread does the rest."""

    def __init__(self) -> None:
        super().__init__(name="loading-services", daemon=True)
        self._build: Mapping[str, Build] | None = None
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Load; an import that fails is kept for whoever asks for the result."""
        try:
            from deploy.embedded.services import BUILD

            self._build = BUILD
        except BaseException as failure:  # noqa: BLE001 - raised again in result()
            self._failure = failure

    def result(self) -> Mapping[str, Build]:
        """Return how to make each service, waiting for the imports to end."""
        self.join()
        if self._failure is not None or self._build is None:
            raise self._failure or RuntimeError("the services were not loaded")
        return self._build

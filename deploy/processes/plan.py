"""What is to run: every service, how many processes of it, where it listens, what they are told."""

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.db import parse_url
from common.home import HomeSettings
from common.service import listen
from common.settings import SERVICES, OwnPorts, SharedSettings, schema_of
from deploy.targets import write_targets

LOOPBACK = "127.0.0.1"
NO_DATABASE = (
    "DATABASE_URL is not set: seven processes share a Postgres of yours, for example "
    "DATABASE_URL=postgresql://user:password@127.0.0.1:5432/sigmasight; "
    "`make up` brings a Postgres of its own."
)


class CannotStart(Exception):
    """The system cannot start; the sentence says why and how to mend it."""


class Door:
    """Where one service listens, for all of its processes.

    While it is open, callers wait for a process to take their connection; while it is closed, they
    are refused at once.
    """

    def __init__(self, service: str, address: str, port: int) -> None:
        self.service = service
        self._address = address
        self._port = port
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """Return the service's base URL."""
        return f"http://{self._address}:{self._port}"

    def open(self) -> socket.socket:
        """Return the listening socket, opened if it is not; OSError when the port is taken."""
        if self._listener is None:
            self._listener = listen(self._address, self._port)
            self._port = self._listener.getsockname()[1]
        return self._listener

    def close(self) -> None:
        """Refuse callers, except for those whom a process that is still there takes."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None


@dataclass(frozen=True)
class Plan:
    """Everything the supervisor needs to know."""

    doors: Mapping[str, Door]
    replicas: Mapping[str, int]
    """How many processes of each service, in the order in which they start."""
    environment: Mapping[str, str]
    """Of every process."""
    home: Path

    @property
    def logs(self) -> Path:
        """Return the directory in which every process has its log."""
        return self.home / "logs"


@contextmanager
def planned(shared: SharedSettings, replicas: Mapping[str, int]) -> Iterator[Plan]:
    """Lend the plan with every port open; `CannotStart` says what is missing or taken."""
    if not shared.database_url:
        raise CannotStart(NO_DATABASE)
    parse_url(shared.database_url)
    home = HomeSettings().home
    ports = OwnPorts()
    doors = {
        # Only the gateway is for others; to each other the services are neighbours.
        name: Door(name, shared.host if name == "gateway" else LOOPBACK, ports.of(name))
        for name in SERVICES
    }
    try:
        (home / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        for door in doors.values():
            _open(door)
        write_targets(home, {name: door.url for name, door in doors.items()})
        yield Plan(doors, _started_last(replicas), _environment(doors, home), home)
    except PermissionError as error:
        raise CannotStart(f"Cannot write to {error.filename}: set SIGMASIGHT_HOME.") from error
    finally:
        for door in doors.values():
            door.close()


def _started_last(replicas: Mapping[str, int]) -> dict[str, int]:
    # The gateway last: when it is ready, there is somebody behind it.
    order = sorted(SERVICES, key=lambda name: name == "gateway")
    return {name: replicas.get(name, 1) for name in order}


def _environment(doors: Mapping[str, Door], home: Path) -> dict[str, str]:
    urls = {f"{schema_of(name).upper()}_URL": door.url for name, door in doors.items()}
    return {**os.environ, **urls, "SIGMASIGHT_HOME": str(home)}


def _open(door: Door) -> None:
    try:
        door.open()
    except OSError as error:
        name = "PORT" if door.service == "gateway" else f"{schema_of(door.service).upper()}_PORT"
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(
                f"{door.service} cannot listen on {door.url}: the port is taken by another "
                f"program. Stop it, or choose another with {name}."
            ) from error
        raise CannotStart(
            f"{door.service} cannot listen on {door.url}: {error.strerror}."
        ) from error

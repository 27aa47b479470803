"""The whole system as its users start it: processes of their own, reached over HTTP."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import httpx

from common.bus import Bus
from common.bus.connect import connect
from common.db import dsn, parse_url, role_name, role_password
from common.events.topology import TOPOLOGY
from common.retry import Retry
from common.settings import SERVICES, schema_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0


PORTS = range(10_000, 30_000)
"""Below what the kernel gives to outgoing connections (from 32768 on Linux): such a port may be a
client's by the time the process that was promised it starts."""


def free_port() -> int:
    """Return a port nobody listens on, and nobody will by chance before it is used."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def clean_environment() -> dict[str, str]:
    """Return the environment without a developer's own settings."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ}


@dataclass
class Process:
    """A Python module running as a process of its own, its output in a file."""

    module: str
    environment: Mapping[str, str]
    log: Path
    arguments: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self.arguments],
                cwd=self.log.parent,
                env={**clean_environment(), "PYTHONFAULTHANDLER": "1", **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ended(self, *, within: float) -> int:
        """Wait for it to end by itself and return its status."""
        assert self._process is not None
        return self._process.wait(within)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)

    def stop(self) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            # The interpreter writes down where its threads are, and ends.
            self._process.send_signal(signal.SIGABRT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self.kill()
            raise AssertionError(f"{self.module} did not stop: {self.tail()}") from None

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


@dataclass
class System:
    """A host of all services (`python -m deploy.embedded up`) on given or embedded servers."""

    home: Path
    database_url: str = ""
    broker: str = ""
    namespace: str = ""
    port: int = field(default_factory=free_port)
    extra: Mapping[str, str] = field(default_factory=dict)
    role_secret: str = "only-for-tests"
    retry: Retry = field(default_factory=Retry)
    """The ladder that the host was started with."""

    module: ClassVar[str] = "deploy.embedded"

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.process = Process(self.module, self.environment(), self.home / "output.log", ("up",))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        given = {
            "SIGMASIGHT_HOME": str(self.home),
            "PORT": str(self.port),
            "DATABASE_URL": self.database_url,
            # A given server takes a hundred connections, and several systems at once.
            "DATABASE_POOL_SIZE": "4" if self.database_url else "",
            "BROKER": self.broker,
            "NAMESPACE": self.namespace,
            "SERVICE_ROLE_SECRET": self.role_secret,
            "ENVIRONMENT": "test",
            **self.extra,
        }
        return {name: value for name, value in given.items() if value}

    def start(self) -> float:
        """Start and return the seconds until every service was ready."""
        started = time.monotonic()
        self.process.start()
        wait_until_ready(self.address, [self.process])
        return time.monotonic() - started

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> int:
        return self.process.stop()

    def admin_url(self) -> str:
        """Return an address of the database with all rights."""
        if self.database_url:
            return self.database_url
        password = (self.home / "postgres.password").read_text().strip()
        port = (self.home / "postgres" / "postmaster.pid").read_text().splitlines()[3]
        return f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"

    def bus_url(self) -> str:
        """Return the address of the system's bus."""
        if self.broker:
            return self.broker
        role = role_name(self.namespace, "bus")
        password = role_password(self.role_secret, role)
        return dsn(parse_url(self.admin_url()).set(username=role, password=password))

    def bus(self) -> Bus:
        """Return the system's bus, to publish by hand and to look at dead letters."""
        return connect(self.bus_url(), TOPOLOGY, namespace=self.namespace, retry=self.retry)


@dataclass
class SevenProcesses(System):
    """A process per service (`python -m deploy.processes up`) on given servers."""

    ports: dict[str, int] = field(
        default_factory=lambda: {name: free_port() for name in SERVICES if name != "gateway"}
    )
    replicas: tuple[str, ...] = ()
    module: ClassVar[str] = "deploy.processes"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.replicas:
            self.process.arguments += ("--replicas", *self.replicas)

    @property
    def addresses(self) -> dict[str, str]:
        ports = {"gateway": self.port, **self.ports}
        return {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}

    def environment(self) -> dict[str, str]:
        ports = {f"{schema_of(name).upper()}_PORT": str(port) for name, port in self.ports.items()}
        return {**super().environment(), **ports}

    def start(self) -> float:
        started = time.monotonic()
        self.process.start()
        for address in self.addresses.values():
            wait_until_ready(address, [self.process])
        return time.monotonic() - started

    def pids(self, service: str) -> list[int]:
        """Return the processes of a service that run now."""
        supervisor = self.process.pid
        listed = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        wanted = f"-m\0{schema_of(service)}.main".encode()
        return [int(pid) for pid in listed if wanted in command_line(int(pid))]

    def kill_one(self, service: str) -> int | None:
        """SIGKILL the service's first process; the supervisor starts another."""
        for pid in self.pids(service):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return pid
        return None

    def replace_all(self) -> None:
        """Ask for a rolling restart."""
        os.kill(self.process.pid, signal.SIGHUP)

    def log_of(self, service: str) -> str:
        return (self.home / "logs" / f"{service}.log").read_text(errors="replace")


def command_line(pid: int) -> bytes:
    """Return a process's command line, empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_ready(address: str, processes: list[Process]) -> None:
    """Return when the gateway says that it is ready; AssertionError with the log otherwise."""
    deadline = time.monotonic() + PATIENCE
    # One client, and none that reads authorities: else each look would take 30 ms of a core.
    with httpx.Client(trust_env=False, verify=False) as http:
        while time.monotonic() < deadline:
            dead = [process for process in processes if not process.running()]
            assert not dead, f"{dead[0].module} ended: {dead[0].tail()}"
            with contextlib.suppress(httpx.TransportError):
                if http.get(f"{address}/health/ready").status_code == 200:
                    return
            time.sleep(0.1)
    raise AssertionError(f"not ready: {processes[-1].tail()}")


async def is_ready(http: httpx.AsyncClient, address: str) -> bool:
    """Whether a service says that it is ready."""
    with contextlib.suppress(httpx.TransportError):
        return (await http.get(f"{address}/health/ready")).is_success
    return False


async def eventually(probe, seconds: float = 30.0, pause: float = 0.05):
    """Return the first true value of an async probe; the last value's repr when none comes."""
    value = None
    try:
        async with asyncio.timeout(seconds):
            while not (value := await probe()):
                await asyncio.sleep(pause)
    except TimeoutError:
        raise AssertionError(f"still {value!r} after {seconds} s") from None
    return value

"""A broker and a database of a test's own, which it may stop, kill and start again.

They are children of this process on loopback ports and directories of their own: the machine's own
servers are never touched. Both end with us, however we end.
"""

import asyncio
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest

from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.postgres import child as born_as
from tests.support.system import free_port

STARTS_WITHIN = 120.0
DEBIAN = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""What Debian's command of that name runs after becoming the account of the machine's broker."""
CONSUMER_TIMEOUT = 30 * 60_000
CONFIGURATION = """
[{{rabbit, [
    {{consumer_timeout, {consumer_timeout}}},
    {{channel_tick_interval, 500}}
]}}].
"""


class PrivateRabbit:
    """A RabbitMQ node. Skips the test where none is installed."""

    def __init__(self, directory: Path, *, consumer_timeout: int = CONSUMER_TIMEOUT) -> None:
        """Name an empty directory.

        `consumer_timeout`: the milliseconds for which a message may be in hand before the broker
        closes the channel; what it is by default is RabbitMQ's.
        """
        command = DEBIAN if DEBIAN.exists() else shutil.which("rabbitmq-server")
        if command is None or shutil.which("epmd") is None:
            pytest.skip("rabbitmq-server is not installed: no broker to restart")
        self._command = str(command)
        self._directory = directory
        self._configuration = CONFIGURATION.format(consumer_timeout=consumer_timeout)
        self._names = free_port()
        self.port = free_port()
        self._distribution = free_port()
        self._epmd: Popen[bytes] | None = None
        self._node: Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    async def start(self) -> None:
        """Return when it takes connections. Call it from the main thread: it is our child."""
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "plugins").write_text("[].\n")
        (self._directory / "advanced.config").write_text(self._configuration)
        if self._epmd is None:
            # Erlang's register of names: one of our own, that ends with us.
            epmd = shutil.which("epmd") or ""
            self._epmd = self._spawn(epmd, "-port", str(self._names), "-address", "127.0.0.1")
        self._node = self._spawn(self._command)
        async with asyncio.timeout(STARTS_WITHIN):
            while not self._listens():
                assert self._node.poll() is None, self.log()
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End it as an operator would."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def close(self) -> None:
        """End everything; the directory stays."""
        await self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None

    async def alarm(self, *, on: bool) -> None:
        """Let it find its disk full, or not any more."""
        command = DEBIAN.with_name("rabbitmqctl")
        control = await asyncio.create_subprocess_exec(
            str(command) if command.exists() else "rabbitmqctl",
            "set_disk_free_limit",
            "1000000GB" if on else "1MB",
            cwd=self._directory,
            env=self._environment(),
            stdout=DEVNULL,
            stderr=DEVNULL,
        )
        assert await control.wait() == 0, self.log()

    def log(self) -> str:
        return (self._directory / "output.log").read_text(errors="replace")[-4000:]

    async def _end(self, how: signal.Signals) -> None:
        if self._node is not None:
            self._node.send_signal(how)
            await asyncio.to_thread(self._node.wait, 60)
            self._node = None

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _spawn(self, *command: str) -> Popen[bytes]:
        # As the embedded Postgres is started: the kernel ends it when we end.
        born = [sys.executable, "-I", "-S", born_as.__file__, str(os.getpid())]
        ending = [str(int(signal.SIGKILL)), "self", str(self._directory)]
        with (self._directory / "output.log").open("ab") as output:
            return Popen(
                [*born, *ending, *command],
                cwd=self._directory,
                env=self._environment(),
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _environment(self) -> dict[str, str]:
        directory = self._directory
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(directory),  # the cookie is there
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"private{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(directory / "none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "none.conf"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            # One process instead of a shell that waits for it; nothing else of systemd's is used.
            "RUNNING_UNDER_SYSTEMD": "true",
            # Two cores are for those who talk to it: no spinning while it waits.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
        }


class PrivatePostgres:
    """The embedded Postgres on a port that stays."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self._server = EmbeddedPostgres(home, port=self.port)
        self.url = ""

    async def start(self) -> None:
        """Return when it takes connections. Call it from the main thread: it is our child."""
        self.url = self._server.start()

    async def stop(self) -> None:
        """End it as an operator would."""
        await asyncio.to_thread(self._server.stop)

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self._server.pid is not None:
            os.kill(self._server.pid, signal.SIGKILL)
        await self.stop()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def close(self) -> None:
        await self.stop()

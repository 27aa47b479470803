"""A private Postgres for one host: made on first use, on loopback only, gone when the host is."""

import atexit
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from types import TracebackType

from deploy.embedded.postgres.cluster import create_cluster, is_ready, server_arguments
from deploy.embedded.postgres.errors import PostgresFailed
from deploy.embedded.postgres.home import HomeLock, make_home, read_password, writing
from deploy.embedded.postgres.log import ServerLog
from deploy.embedded.postgres.orphans import PATIENCE, end_orphans
from deploy.embedded.postgres.runtime import Runtime, find_runtime

PASSING_CAUSES = (
    "could not create any TCP/IP sockets",  # another process was quicker on the port
    "is still in use",  # shared memory of a killed server's last children
)
"""What the log says of a failure that the next attempt may not meet."""


class EmbeddedPostgres:
    """A Postgres server with its data in `<home>/postgres`, owned by one process at a time.

    `start` returns the superuser's URL; the data survives `stop`, and a kill of either side. Raises
    `HomeInUse`, `HomeNotWritable` or `PostgresFailed`, each a sentence to show to the user.

        with EmbeddedPostgres(home) as admin_url:
            asyncio.run(serve(admin_url))
    """

    def __init__(self, home: Path, *, port: int | None = None, ready_within: float = 60.0) -> None:
        """Name a home; `port` is for those who must find the server again after a restart."""
        self.home = home.expanduser().resolve()
        self.data = self.home / "postgres"
        self._port = port
        self._ready_within = ready_within
        self._lock: HomeLock | None = None
        self._process: Popen[bytes] | None = None
        self._log: ServerLog | None = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Return the server's process id while it runs, None once it has ended."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def start(self) -> str:
        """Start the server and return `postgresql://postgres:<password>@127.0.0.1:<port>/postgres`.

        Blocks for some tenths of a second, for about one on the first start of a home. Call it from
        the main thread: the kernel ends the server when the thread that started it ends.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Start the embedded Postgres from the main thread.")
        home_is_new = make_home(self.home)
        # Before anything of ours is touched: it also refuses a second start of this very object.
        self._lock = HomeLock(self.home)
        # Where the kernel does not end the server with us (macOS), a normal exit still does.
        atexit.register(self.stop)
        try:
            return self._start(home_is_new=home_is_new)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and wait for it: by a fast shutdown, else at once, else by force.

        Does nothing when nothing runs. Raises `PostgresFailed` if even force is in vain.
        """
        atexit.unregister(self.stop)
        try:
            if self._process is not None:
                end(self._process)
                if self._process.returncode != 0:  # killed: its children may not know it yet
                    end_orphans(self.data)
                self._process = None
            if self._log is not None:
                self._log.wait_closed()
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def _start(self, *, home_is_new: bool) -> str:
        with writing(self.home):
            end_orphans(self.data)
            runtime = find_runtime(self.home, self.data)
            if home_is_new and runtime.identity.kind == "user":
                self.home.chmod(0o711)  # that user must pass; our files inside are 0600 or 0700
            password = read_password(self.home, database_exists=self.data.exists())
            if self.data.exists():
                runtime.identity.give(self.data)
            else:
                create_cluster(runtime, self.data, password)
        port = self._serve(runtime)
        return f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"

    def _serve(self, runtime: Runtime) -> int:
        deadline = time.monotonic() + self._ready_within
        while True:
            port = self._port or free_port()
            self._process = runtime.spawn("postgres", *server_arguments(self.data, port))
            self._log = ServerLog(self.home / "postgres.log", self._process)
            if self._becomes_ready(self._process, deadline):
                return port
            failure = self._failure(runtime, self._process, self._log)
            passes = any(cause in failure.log_tail for cause in PASSING_CAUSES)
            if not passes or time.monotonic() > deadline:
                raise failure
            time.sleep(0.1)

    def _becomes_ready(self, process: Popen[bytes], deadline: float) -> bool:
        while process.poll() is None and time.monotonic() < deadline:
            if is_ready(self.data, process.pid):
                return True
            time.sleep(0.01)
        return False

    def _failure(self, runtime: Runtime, process: Popen[bytes], log: ServerLog) -> PostgresFailed:
        was_slow = process.poll() is None
        end(process)
        log.wait_closed()
        tail = log.tail()
        runtime.check_reach(process.returncode, tail)
        if was_slow:
            return PostgresFailed(
                f"Postgres was not ready within {self._ready_within:g} s: start it again if it is "
                f"repairing its data after a crash, else mend what {log.path} names.",
                tail,
            )
        return PostgresFailed(
            f"Postgres ended with status {process.returncode} while starting: mend what "
            f"{log.path} names and start again.",
            tail,
        )


def end(process: Popen[bytes]) -> None:
    """End a postmaster that is our child, ever less politely, and reap it."""
    for stop_signal, seconds in PATIENCE:
        process.send_signal(stop_signal)
        with suppress(TimeoutExpired):
            process.wait(seconds)
            return
    raise PostgresFailed(f"Postgres (process {process.pid}) does not end: restart the machine.")


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

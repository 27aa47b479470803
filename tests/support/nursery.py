"""Starts sabotaged processes quickly: one Python that has imported everything, and forks.

A start from nothing spends most of its time on imports, and `make fault` starts a host some hundred
times. The child runs the same entry module in the same way, from `runpy` on.
"""

import ctypes
import gc
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from tests.support.saboteur import Options, run, sabotage
from tests.support.system import ROOT, Process, clean_environment

PR_SET_PDEATHSIG = 1
PATIENCE = 60.0
LOOK = 0.02
"""Seconds for which the pipe is looked at in one go."""


class Nursery:
    """The forking process, as its user sees it: one child at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            cwd=ROOT,
            env={**clean_environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            bufsize=0,  # what was read is not there to be waited for
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def fork(self, order: Mapping[str, object]) -> int:
        """Start a child and return its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._line(PATIENCE) or 0)

    def status(self, seconds: float) -> int | None:
        """Return how the child ended, -9 for SIGKILL; None if it has not within the time."""
        line = self._line(seconds)
        return None if line is None else int(line)

    def close(self) -> None:
        """End; a child that still runs is killed."""
        self._process.kill()
        self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            assert end is not None
            end.close()

    def _line(self, seconds: float) -> bytes | None:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], seconds)
        if not readable:
            return None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the nursery ended")
        return line


class Child(Process):
    """A sabotaged module in a process from a nursery."""

    def __init__(
        self,
        nursery: Nursery,
        module: str,
        environment: Mapping[str, str],
        log: Path,
        arguments: tuple[str, ...] = (),
    ) -> None:
        super().__init__(module, environment, log, arguments)
        self.options = Options()
        """For the next start."""
        self._nursery = nursery
        self._pid = 0
        self._status: int | None = None
        # Whoever asks between an order and its answer would read the new child's id as its end.
        self._turn = threading.Lock()

    @property
    def pid(self) -> int:
        return self._pid

    def start(self) -> None:
        with self._turn:
            self._pid = self._nursery.fork(
                {
                    "module": self.module,
                    "arguments": self.arguments,
                    "environment": {**clean_environment(), **self.environment},
                    "log": str(self.log),
                    "options": self.options.to_json(),
                }
            )
            self._status = None

    def running(self) -> bool:
        return self._pid != 0 and self.wait(0.0) is None

    def wait(self, seconds: float) -> int | None:
        """Return how it ended, -9 for SIGKILL; None if it has not within the time."""
        deadline = time.monotonic() + seconds
        while True:
            with self._turn:
                if self._status is None:
                    left = deadline - time.monotonic()
                    self._status = self._nursery.status(min(max(left, 0.0), LOOK))
                status = self._status
            if status is not None or time.monotonic() >= deadline:
                return status

    def ended(self, *, within: float) -> int:
        status = self.wait(within)
        assert status is not None, self.tail()
        return status

    def signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def kill(self) -> None:
        if self.running():
            os.kill(self._pid, signal.SIGKILL)
            assert self.wait(PATIENCE) is not None

    def stop(self) -> int:
        if self.running():
            os.kill(self._pid, signal.SIGTERM)
        status = self.wait(PATIENCE) if self._pid else 0
        if status is None:
            self.kill()
            raise AssertionError(f"{self.module} did not stop: {self.tail()}")
        return status


def main() -> None:
    """Fork a child for every line of orders, and say how it ended."""
    _end_with_parent()
    _preload()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _be(json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _preload() -> None:
    import aio_pika  # noqa: F401

    import deploy.embedded.host
    import deploy.embedded.services  # noqa: F401

    # A child gets no thread but the one that forks, and none of the locks that others hold.
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()


def _be(order: Mapping[str, object]) -> None:
    status = 1
    try:
        _end_with_parent()
        with (
            Path(str(order["log"])).open("ab", buffering=0) as log,
            Path(os.devnull).open() as none,
        ):
            os.dup2(none.fileno(), 0)
            for stream in (1, 2):
                os.dup2(log.fileno(), stream)
        os.chdir(Path(str(order["log"])).parent)
        environment = order["environment"]
        assert isinstance(environment, dict)
        os.environ.clear()
        os.environ.update(environment)
        random.seed()
        status = _run(str(order["module"]), order["arguments"], str(order["options"]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _run(module: str, arguments: object, options: str) -> int:
    assert isinstance(arguments, list)
    sabotage(Options.from_json(options))
    try:
        run(module, arguments)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()

"""One process of one service."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

from common.launch import READY, handed
from common.settings import schema_of

TAIL_BYTES = 4_000
LOG_BYTES = 50_000_000
"""Size from which the next process begins a new log; one of those before it is kept."""


class Child:
    """A running `python -m <service>.main`; `start` makes one."""

    def __init__(
        self,
        service: str,
        process: asyncio.subprocess.Process,
        lifeline: socket.socket,
        log: Path,
        log_began: int,
    ) -> None:
        self.service = service
        self.is_ready = False
        self._process = process
        self._lifeline = lifeline
        self._log = log
        self._log_began = log_began

    @classmethod
    async def start(
        cls, service: str, listener: socket.socket, environment: Mapping[str, str], log: Path
    ) -> Self:
        """Start a process that listens on `listener` and writes to the end of `log`.

        A log that has grown large is moved aside first, in the place of the one before it.
        """
        output = _opened(log)
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs, output:
            began = output.tell()
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"{schema_of(service)}.main",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**environment, **handed(listener, theirs)},
                pass_fds=(listener.fileno(), theirs.fileno()),
                # Ctrl-C is for us; we end the processes in order.
                start_new_session=True,
            )
        return cls(service, process, ours, log, began)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._process.returncode

    async def ready(self, within: float) -> bool:
        """Wait until it says that it is ready; False when it ended or said nothing in time."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(within):
                self.is_ready = await loop.sock_recv(self._lifeline, len(READY)) == READY
        return self.is_ready

    async def ended(self) -> int:
        """Wait for the end and return the exit status, negative for a signal's number."""
        status = await self._process.wait()
        self._lifeline.close()
        return status

    def tell_to_stop(self) -> None:
        """Ask it to end in order."""
        self._send(signal.SIGTERM)

    async def stop(self, within: float) -> bool:
        """End it, by force after so many seconds; return whether it ended well by itself."""
        self.tell_to_stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                # The signal itself ends one that has not begun to serve.
                return await self.ended() in {0, -signal.SIGTERM}
        self._send(signal.SIGKILL)
        await self.ended()
        return False

    def _send(self, number: signal.Signals) -> None:
        # Not by the process object: before a signal it asks whether the process still runs, and so
        # takes the exit status of one that has just ended from the loop that waits for it.
        if self.status is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def last_words(self) -> str:
        """Return why it ended: the sentence of a service that cannot start, else the signal that
        killed it, else the last line.

        While a process is replaced, two of them write to the log. Somebody may have moved it away.
        """
        unreadable = ""
        try:
            lines = self._last_lines()
        except OSError as error:
            lines, unreadable = [], f"its log cannot be read: {error.strerror}"
        sentences = [line for line in lines if line.startswith(f"{self.service}: ")]
        if not sentences and self.status is not None and self.status < 0:
            number = -self.status
            return f"ended by signal {number}: {signal.strsignal(number)}"
        unsaid = unreadable or f"{self.service} ended without a word"
        return (sentences or lines or [unsaid])[-1]

    def _last_lines(self) -> list[str]:
        with self._log.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(self._log_began, size - TAIL_BYTES))
            return log.read().decode(errors="replace").strip().splitlines()


def _opened(log: Path) -> BinaryIO:
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(OSError):  # a large log is better than none
        if log.stat().st_size > LOG_BYTES:
            # Who still writes to it goes on doing so, under its new name.
            log.replace(log.with_name(f"{log.name}.1"))
    return log.open("ab")

"""What a supervisor hands to the process it starts: a listening socket and a lifeline.

The socket outlives the process, so that callers wait a moment while another takes its place,
instead of being refused; and several processes may share it. The lifeline is a line between the
two: the process says on it that it is ready, and when the supervisor is gone, however it went, the
line ends and the process ends itself in order.
"""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LISTENER = "SIGMASIGHT_LISTENER"
LIFELINE = "SIGMASIGHT_LIFELINE"
"""Names in the environment; their values are numbers of open files."""
READY = b"ready\n"


def handed(listener: socket.socket, lifeline: socket.socket) -> dict[str, str]:
    """Return what the environment of a process says of the two; both must be passed to it."""
    return {LISTENER: str(listener.fileno()), LIFELINE: str(lifeline.fileno())}


@dataclass(frozen=True)
class Launch:
    """How this process was started: by a supervisor, or by anybody else with nothing in hand."""

    listener: socket.socket | None = None
    lifeline: socket.socket | None = None

    def say_ready(self) -> None:
        """Tell the supervisor that requests and messages are being taken."""
        if self.lifeline is not None:
            try:
                self.lifeline.send(READY)
            except OSError:
                return  # it is gone, and `watched` notices

    @contextmanager
    def watched(self, stopping: asyncio.Event) -> Iterator[None]:
        """Set `stopping` when the supervisor ends while the block runs."""
        line = self.lifeline
        if line is None:
            yield
            return
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(line)
            stopping.set()

        loop.add_reader(line, ended)
        try:
            yield
        finally:
            loop.remove_reader(line)
            line.close()


def launched() -> Launch:
    """Return what this process was handed; processes that it starts are handed nothing of it."""
    listener, lifeline = (_adopted(name) for name in (LISTENER, LIFELINE))
    if lifeline is not None:
        lifeline.settimeout(0)
    return Launch(listener, lifeline)


def _adopted(name: str) -> socket.socket | None:
    number = os.environ.pop(name, "")
    if not number:
        return None
    adopted = socket.socket(fileno=int(number))
    adopted.set_inheritable(False)
    return adopted

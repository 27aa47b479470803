"""How a process ends: told once, it takes nothing new and finishes or hands back what it holds."""

import asyncio
import time

GRACE_SECONDS = 10.0
"""From the signal to the exit; who started the process may kill it after that."""
FINISH_SECONDS = 6.0
"""Of these, how long messages, requests and work in hand may take to finish."""
TIDY_SECONDS = 1.5
"""Of these, how long each last act may take: handing back, emptying the outbox, hanging up."""


class Stopping(asyncio.Event):
    """Set when the process should end; knows for how long what is in hand may still go on."""

    def __init__(self, finish: float = FINISH_SECONDS) -> None:
        super().__init__()
        self._finish = finish
        self._deadline: float | None = None

    def set(self) -> None:
        """Tell everybody; the first call counts."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._finish
        super().set()

    def seconds_left(self) -> float:
        """Return the seconds that what is in hand still has; all of them before the end is told."""
        if self._deadline is None:
            return self._finish
        return max(0.0, self._deadline - time.monotonic())

"""A host of all services that can be told, while it runs, where to kill itself."""

import asyncio
import contextlib
import os
import signal
from dataclasses import replace
from pathlib import Path

from common.retry import Retry
from tests.support.nursery import Child, Nursery
from tests.support.saboteur import Options
from tests.support.system import System, eventually

QUICK = {
    # One machine plays hundreds of people.
    "GATEWAY_ATTEMPTS_PER_MINUTE": "1000000",
    "GATEWAY_WRITES_PER_MINUTE": "1000000",
    "LOG_LEVEL": "WARNING",
}
KILLED = -signal.SIGKILL


class Victim(System):
    """`python -m deploy.embedded up` from a nursery."""

    def __init__(
        self,
        nursery: Nursery,
        home: Path,
        database_url: str = "",
        broker: str = "",
        namespace: str = "",
    ) -> None:
        retry = Retry(Options().ladder)
        super().__init__(home, database_url, broker, namespace, extra=QUICK, retry=retry)
        self.child = Child(
            nursery, "deploy.embedded", self.environment(), home / "output.log", ("up",)
        )
        self.process = self.child
        self._orders = home / "orders.json"
        self.options = Options(orders=str(self._orders))
        """What every start is under."""

    def start_to_die(self, spot: str) -> None:
        """Start without waiting; it will not get past the spot."""
        self.child.options = replace(self.options, arm=spot)
        self.child.start()

    def start(self) -> float:
        self.child.options = self.options
        return super().start()

    async def order(
        self, *, arm: str | None = None, nth: int = 1, record: str | None = None
    ) -> None:
        """Tell the process where to die, or where to write down what it passes; it may be dead."""
        heard = self._orders.with_suffix(".heard")
        heard.unlink(missing_ok=True)
        self._orders.write_text(replace(self.options, arm=arm, nth=nth, record=record).to_json())
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child.pid, signal.SIGUSR1)

        async def obeyed() -> bool:
            return heard.exists() or not self.child.running()

        await eventually(obeyed, seconds=10, pause=0.005)

    async def died(self) -> int:
        """Return how it ended, as soon as it has."""
        while (status := self.child.wait(0.0)) is None:
            await asyncio.sleep(0.01)
        return status

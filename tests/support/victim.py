"""A host of all services that can be told, while it runs, where to kill itself."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

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
        super().__init__(home, database_url, broker, namespace, extra=QUICK)
        self.child = Child(
            nursery, "deploy.embedded", self.environment(), home / "output.log", ("up",)
        )
        self.process = self.child
        self._orders = home / "orders.json"
        self._options = Options(orders=str(self._orders))

    def start_under(self, options: Options) -> None:
        """Start without waiting; the options also count when it is ordered something later."""
        self._options = replace(options, orders=str(self._orders))
        self.child.options = self._options
        self.child.start()

    def start(self) -> float:
        self._options = replace(self._options, arm=None, record=None)
        self.child.options = self._options
        return super().start()

    async def order(
        self, *, arm: str | None = None, nth: int = 1, record: str | None = None
    ) -> None:
        """Tell the running process where to die, or where to write down what it passes."""
        heard = self._orders.with_suffix(".heard")
        heard.unlink(missing_ok=True)
        self._orders.write_text(replace(self._options, arm=arm, nth=nth, record=record).to_json())
        os.kill(self.child.pid, signal.SIGUSR1)

        async def obeyed() -> bool:
            return heard.exists() or not self.child.running()

        await eventually(obeyed, seconds=10, pause=0.005)

    async def died(self, seconds: float) -> int | None:
        """Return how it ended, as soon as it has; None if it still runs after the time."""
        return await asyncio.to_thread(self.child.wait, seconds)

"""Hosts to kill on both transports, the seed, and the count at the end.

`make fault` sets FAULT_SEED (a new one if none is given), FAULT_POINTS (how many spots of the
matrix; all if not set), FAULT_ROUNDS (how many seeds of what goes by chance), FAULT_IMPORTS (how
many through the storm) and FAULT_ONLY (spots that contain this text).
"""

import os
import random
import shlex
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.retry import Retry
from tests.support.brokers import forget_namespace
from tests.support.databases import empty_database, fresh_database
from tests.support.nursery import Nursery
from tests.support.saboteur import Options
from tests.support.victim import Victim

TRANSPORTS = ["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]
SEED = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(1_000_000))
POINTS = int(os.environ.get("FAULT_POINTS") or 0) or None
ROUNDS = int(os.environ.get("FAULT_ROUNDS") or 3)
ONLY = os.environ.get("FAULT_ONLY", "")


@dataclass(frozen=True)
class Fault:
    """What a fault test is told, and where it says what it did."""

    seed: int
    node: pytest.Item
    points: int | None = POINTS
    only: str = ONLY

    def note(self, **counts: float) -> None:
        """Say for the summary how often something was done and survived."""
        self.node.user_properties.extend(counts.items())

    def replay(self, only: str = "") -> str:
        """Return the command that does the same again."""
        name = getattr(self.node, "originalname", self.node.name)
        parameters = getattr(self.node, "callspec", None)
        on = f" and {parameters.params['victims']}" if parameters else ""
        spots = f" ONLY={shlex.quote(only)}" if only else ""
        selection = shlex.quote(f"-k '{name}{on}'")
        return f"make fault SEED={self.seed} ROUNDS=1{spots} ARGS={selection}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat what goes by chance: each round has the next seed."""
    if "round_" in metafunc.fixturenames:
        metafunc.parametrize("round_", range(ROUNDS))


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    """The seed of this test: the run's, and for each further round the next."""
    callspec = getattr(request.node, "callspec", None)
    return Fault(SEED + (callspec.params.get("round_", 0) if callspec else 0), request.node)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where hosts are forked."""
    nursery = Nursery()
    yield nursery
    nursery.close()


MakeVictim = Callable[..., "AsyncIterator[Victim]"]


@pytest.fixture(params=TRANSPORTS)
def victims(
    request: pytest.FixtureRequest, nursery: Nursery, postgres_admin_url: str, tmp_path: Path
) -> MakeVictim:
    """Lends hosts on one transport, each with a database and a namespace of its own."""
    broker = "" if request.param == "postgres" else request.getfixturevalue("rabbit_url")

    @asynccontextmanager
    async def lend(*, empty: bool = False) -> AsyncIterator[Victim]:
        async with AsyncExitStack() as stack:
            make = empty_database if empty else fresh_database
            fresh = await stack.enter_async_context(make(postgres_admin_url))
            if broker:
                rungs = {*Options().ladder, *Retry().ladder}
                stack.push_async_callback(forget_namespace, broker, fresh.namespace, ladder=rungs)
            home = tmp_path / fresh.namespace
            victim = Victim(nursery, home, fresh.url, broker, fresh.namespace)
            stack.callback(victim.kill)
            try:
                yield victim
            except BaseException:
                print(victim.child.tail())
                raise

    return lend  # type: ignore[return-value]  # an async context manager's function


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how often what was killed, and what the seed was."""
    counts: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call" and "tests/fault" in report.nodeid:
                for name, number in report.user_properties:
                    counts[name] = counts.get(name, 0) + number
    terminalreporter.section(f"faults, seed {SEED}")
    for name, number in counts.items():
        terminalreporter.line(f"{number:6.0f} {name}")

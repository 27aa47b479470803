"""The nightly batch of the risk engine: from prices that are ready to results that are stored."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event as sql_event
from sqlalchemy import text

from common.events.risk_engine import CalculationFailed, RiskCalculated
from common.service import Platform, Service
from risk_engine.domain import ENGINES
from risk_engine.main import build
from risk_engine.settings import Settings
from tests.benchmarks.figures import Figures, size
from tests.benchmarks.nightly import Night, a_night, books
from tests.support.harness import Harness, running
from tests.support.risk_engine import event, prices_ready
from tests.support.simulated import AS_OF

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3_600)]

PORTFOLIOS = size("PORTFOLIOS", 2_000)
CONTRACTS = size("CONTRACTS", 20_000)
CHUNK = 200


@pytest.fixture(scope="module")
def night() -> list[Night]:
    """Drawn once: it takes longer than a night."""
    return []


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_night(database, tmp_path, figures: Figures, night: list[Night], workers: int):
    if not night:
        night.append(await a_night(CONTRACTS))
    accounts = books(night[0], PORTFOLIOS)

    def service(platform: Platform) -> Service:
        return build(Settings(workers=workers, panel_cache_megabytes=512), platform)

    async with running("risk-engine", service, database, tmp_path) as engine:
        night[0].publish(engine.neighbours)
        for one in accounts:
            await engine.deliver(event(one))
        with counted(engine) as statements:
            began = time.perf_counter()
            for first in range(0, len(accounts), CHUNK):
                await engine.deliver(prices_ready(*accounts[first : first + CHUNK], as_of=AS_OF))
            await engine.eventually(lambda: ended(engine) >= len(accounts), 3_000)
            seconds = time.perf_counter() - began
        assert not engine.bus.events(CalculationFailed)
        for calculated in engine.bus.events(RiskCalculated):
            assert calculated.model_dump()["engines"].keys() == set(ENGINES)
        async with engine.service.database.engine.connect() as connection:
            stored = await connection.execute(
                text("SELECT count(*), sum(length(packed)) FROM risk_engine.results")
            )
            rows, volume = stored.one()
        assert rows == len(accounts) * len(ENGINES)
        chunks = -(-len(accounts) // CHUNK)
        figures.add(
            f"a night of {len(accounts):,} books (60 shares, 15 of {CONTRACTS:,} options each; "
            f"{len(night[0].shares):,} symbols), {workers} worker(s)",
            f"{seconds:.1f} s; {statements['all'] / chunks:.0f} statements a chunk of {CHUNK}; "
            f"peak memory of a worker {peak():.0f} MiB; "
            f"{cpu_seconds():.0f} s of processor in the pool; "
            f"{volume / len(accounts) / 1024:.0f} KiB a book stored",
        )
        figures.add("the same: seconds of the pool by engine", await shares_of_time(engine))


def ended(engine: Harness) -> int:
    return len(engine.bus.events(RiskCalculated)) + len(engine.bus.events(CalculationFailed))


@contextmanager
def counted(engine: Harness) -> Iterator[dict[str, int]]:
    """Count statements; a COPY is none of SQLAlchemy's and is not among them."""
    count = {"all": 0}

    def add(*_: object) -> None:
        count["all"] += 1

    pool = engine.service.database.engine.sync_engine
    sql_event.listen(pool, "before_cursor_execute", add)
    try:
        yield count
    finally:
        sql_event.remove(pool, "before_cursor_execute", add)


def pool() -> Sequence[Path]:
    """What the system says of the processes of the pool."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [Path("/proc", child) for child in children]


def peak() -> float:
    """The most memory that a process of the pool has had, in MiB."""
    return max(
        int(line.split()[1]) / 1024
        for process in pool()
        for line in (process / "status").read_text().splitlines()
        if line.startswith("VmHWM")
    )


def cpu_seconds() -> float:
    """What the pool has calculated for, together: on a busy machine less than it took."""
    # The name stands in brackets and may have blanks: user and system time are counted after it.
    spent = [(one / "stat").read_text().rpartition(")")[2].split()[11:13] for one in pool()]
    return sum(int(ticks) for times in spent for ticks in times) / os.sysconf("SC_CLK_TCK")


async def shares_of_time(engine: Harness) -> str:
    """The seconds that each engine took, all chunks together."""
    answer = await engine.http.get("/metrics")
    sums = {
        sample.labels["engine"]: sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name.endswith("calculation_seconds_sum")
    }
    return ", ".join(f"{name} {value:.1f}" for name, value in sums.items())

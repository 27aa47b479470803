"""The pool and the worker: kills, restarts, whole chunks."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import text

from common.db import READ_ONLY
from common.errors import Unavailable, WorkerDied
from common.events.risk_engine import CalculationFailed, RiskCalculated
from common.retry import Retry
from risk_engine.jobs import process
from risk_engine.jobs.pool import Pool
from tests.support.harness import Harness, running
from tests.support.risk_engine import (
    Marketdata,
    book,
    ended,
    event,
    position,
    prices_ready,
    service,
)

CHUNK = 200
POSITIONS = 75


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    lent = Pool(1)
    async with lent.running():
        yield lent


@pytest.fixture
async def engine(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("risk-engine", service, database, tmp_path) as harness:
        yield harness


async def test_a_killed_process_is_replaced_and_its_call_may_be_repeated(pool):
    process_id = await pool.run(os.getpid)
    sleeping = asyncio.create_task(pool.run(time.sleep, 60))
    await asyncio.sleep(0.1)
    os.kill(process_id, signal.SIGKILL)
    with pytest.raises(WorkerDied):
        await sleeping
    assert await pool.run(os.getpid) != process_id


async def test_a_process_killed_while_idle_costs_nobody_anything(pool):
    process_id = await pool.run(os.getpid)
    os.kill(process_id, signal.SIGKILL)
    while Path(f"/proc/{process_id}").exists():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert await pool.run(os.getpid) != process_id


async def test_a_process_that_dies_takes_only_its_own_call_along(tmp_path):
    lent, notes = Pool(2), [tmp_path / "one", tmp_path / "other"]
    async with lent.running():
        dying, living = [asyncio.create_task(lent.run(_noted, note, 2.0)) for note in notes]
        async with asyncio.timeout(60):
            while not all(note.exists() and note.read_text() for note in notes):
                await asyncio.sleep(0.01)
        os.kill(int(notes[0].read_text()), signal.SIGKILL)
        with pytest.raises(WorkerDied):
            await dying
        assert await living == int(notes[1].read_text())


async def test_a_process_that_does_not_come_up_is_the_death_of_no_call(monkeypatch):
    monkeypatch.setattr(process, "_begin", os._exit)
    lent = Pool(1)
    with pytest.raises(Unavailable, match="no process starts"):
        await lent.run(os.getpid)
    monkeypatch.undo()
    async with lent.running():
        assert await lent.run(os.getpid)


@pytest.mark.parametrize("hangs", ["by itself", "because it was stopped"])
async def test_a_call_that_comes_to_no_end_is_killed(hangs):
    lent = Pool(1, seconds=1.0)
    async with lent.running():
        process_id = await lent.run(os.getpid)
        if hangs == "because it was stopped":
            os.kill(process_id, signal.SIGSTOP)
        with pytest.raises(WorkerDied, match="it calculated for 1 s and was killed"):
            await lent.run(time.sleep, 60)
        assert await lent.run(os.getpid) != process_id
        async with asyncio.timeout(5):
            while _lives(process_id):
                await asyncio.sleep(0.01)


async def test_a_call_that_nobody_waits_for_any_longer_holds_up_no_other(pool):
    await pool.run(os.getpid)
    sleeping = asyncio.create_task(pool.run(time.sleep, 60))
    await asyncio.sleep(0.1)
    sleeping.cancel()
    async with asyncio.timeout(20):
        assert await pool.run(os.getpid)


async def test_a_process_has_no_more_than_it_needs(pool, monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    modules = await pool.run(eval, "set(__import__('sys').modules)")
    assert {"numpy", "risk_engine.engine.chunk"} <= modules
    assert not {"fastapi", "sqlalchemy", "pyarrow", "pytest", "risk_engine.main"} & modules
    assert await pool.run(os.getenv, "OPENBLAS_NUM_THREADS") == "1"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


async def test_an_end_does_not_wait_for_a_calculation_that_nobody_waits_for():
    lent = Pool(1)
    async with lent.running():
        sleeping = asyncio.create_task(lent.run(time.sleep, 60))
        await asyncio.sleep(0.5)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    with pytest.raises(Unavailable):
        await sleeping


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_processes_end_with_a_parent_that_is_killed():
    script = (
        "import asyncio, os\n"
        "from risk_engine.jobs.pool import Pool\n"
        "async def main():\n"
        "    async with (pool := Pool(1)).running():\n"
        "        print(await pool.run(os.getpid), flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # Python complains about what the killed one left
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(5):
        while _lives(child):
            await asyncio.sleep(0.01)


def _noted(note: Path, seconds: float) -> int:
    note.write_text(str(os.getpid()))
    time.sleep(seconds)
    return os.getpid()


def _lives(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_chunk_whose_process_is_killed_is_calculated_by_the_next(engine):
    symbols = [f"S{number:02}" for number in range(POSITIONS)]
    Marketdata(dict.fromkeys(symbols, 12.0)).publish(engine.neighbours)
    accounts = [book(*(position(one, 10) for one in symbols)) for _ in range(40)]
    for one in accounts:
        await engine.deliver(event(one))
    killed: list[int] = []

    async def kill_at_work() -> None:
        # Progress is announced when the pool is given the chunk.
        await engine.eventually(lambda: engine.bus.published)
        killed.extend(_children())
        for process_id in killed:
            os.kill(process_id, signal.SIGKILL)

    killing = asyncio.create_task(kill_at_work())
    await engine.deliver(prices_ready(*accounts))
    await killing
    await engine.eventually(ended(engine, RiskCalculated, len(accounts)), 30)
    assert killed
    assert len(engine.bus.events(RiskCalculated)) == len(accounts)
    assert engine.bus.events(CalculationFailed) == []


def _children() -> list[int]:
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [
        int(one) for one in listed if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()
    ]


async def test_work_leased_by_a_process_that_is_gone_is_taken_up_after_a_restart(
    database, tmp_path
):
    account = book(position("ACME", 100))
    async with running("risk-engine", service, database, tmp_path) as first:
        marketdata = Marketdata({"ACME": 12.0})
        marketdata.status = 503
        marketdata.publish(first.neighbours)
        await first.deliver(event(account))
        await first.deliver(prices_ready(account))
        await first.eventually(lambda: marketdata.asked)
    await _as_if_killed(first)
    async with running("risk-engine", service, database, tmp_path) as second:
        Marketdata({"ACME": 12.0}).publish(second.neighbours)
        await second.eventually(ended(second, RiskCalculated), 20)


async def _as_if_killed(engine: Harness) -> None:
    # An orderly stop hands work back; a kill leaves it leased.
    database = engine.platform.database("risk-engine")
    async with database.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE risk_engine.work SET lease_token = gen_random_uuid(), "
                "lease_until = now() + interval '1 second', available_at = now()"
            )
        )
    await database.close()


async def test_work_that_kills_its_workers_is_given_up_as_failed(engine):
    Marketdata({"ACME": 12.0}).publish(engine.neighbours)
    account = book(position("ACME", 100))
    await engine.deliver(event(account))
    async with engine.service.unit_of_work.begin() as unit:
        await unit.connection.execute(
            text(
                "INSERT INTO risk_engine.work (id, kind, payload, cause, expires_at, deaths) "
                "VALUES (gen_random_uuid(), 'calculate', CAST(:payload AS jsonb), '{}', "
                "now() + interval '1 day', :deaths)"
            ),
            {
                "payload": '{"as_of": "2026-01-09", "panel_version": 1, "items": '
                f'[{{"portfolio_id": "{account.portfolio_id}", "revision": 1}}]}}',
                "deaths": Retry.deaths,
            },
        )
    (failed,) = await engine.eventually(ended(engine, CalculationFailed))
    assert failed.reason == "given_up"


async def test_a_chunk_of_200_takes_few_statements_and_leaves_the_event_loop_alone(engine):
    symbols = [f"S{number:03}" for number in range(120)]
    Marketdata({one: 10.0 + number for number, one in enumerate(symbols)}).publish(
        engine.neighbours
    )
    accounts = [
        book(*(position(symbols[(one + shift) % 120], 10) for one in range(POSITIONS)))
        for shift in range(CHUNK)
    ]
    for account in accounts:
        await engine.deliver(event(account))
    statements: list[str] = []

    def note(connection, cursor, statement, parameters, context, many):
        statements.append(statement)

    sql_event.listen(engine.service.database.engine.sync_engine, "before_cursor_execute", note)
    for _round in range(2):
        # The first round also fetches the panel and compiles the statements.
        statements.clear()
        engine.bus.published.clear()
        watching = asyncio.create_task(_lags())
        started = time.perf_counter()
        await engine.deliver(prices_ready(*accounts))
        await engine.eventually(ended(engine, RiskCalculated, CHUNK), 60)
        seconds = time.perf_counter() - started
        watching.cancel()
        lags = sorted(await watching)
    # The relay's affair is the outbox, the worker's the search for work when there is none, and
    # readiness asks of its own time whether the database can be written.
    own = [one for one in statements if "risk_engine.outbox" not in one or one.startswith("INSERT")]
    own = [one for one in own if one != str(READ_ONLY)]
    claims = [one for one in own if one.startswith(("UPDATE risk_engine.work", "WITH due"))]
    count = len(own) - len(claims) + 1
    p99 = lags[int(0.99 * len(lags))]
    print(f"{seconds:.2f} s, {count} statements, lag p99 {p99:.4f} s, maximum {lags[-1]:.4f} s")
    assert count <= 20
    assert p99 < 0.05


async def _lags() -> list[float]:
    lags: list[float] = []
    try:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.002)
            lags.append(time.perf_counter() - before - 0.002)
    except asyncio.CancelledError:
        return lags

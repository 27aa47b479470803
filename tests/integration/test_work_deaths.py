"""Work whose process dies while its worker lives on: counted, done alone, in pieces, given up."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from common.errors import Unavailable, WorkerDied
from common.retry import Retry
from common.work import Worker
from tests.integration.messaging_world import SCHEMA, Errand, count, job
from tests.support.bus_probe import until

QUICK = Retry(ladder=(0.01, 0.02), deaths=4)


async def enqueue(unit_of_work, *names):
    async with unit_of_work.begin() as unit:
        for name in names:
            unit.enqueue("errand", Errand(name=name))


async def left(unit_of_work):
    table = unit_of_work.tables.work
    async with unit_of_work.begin() as unit:
        return (await unit.connection.execute(select(table).order_by(table.c.created_at))).all()


async def emptied(unit_of_work):
    async with asyncio.timeout(10):
        while await count(unit_of_work, unit_of_work.tables.work):
            await asyncio.sleep(0.01)


async def test_work_whose_process_dies_every_time_is_given_up(unit_of_work):
    tries: list[int] = []
    given_up: list[str] = []

    async def run(work, finish):
        tries.append(work.deaths)
        raise WorkerDied("killed")

    async with Worker(unit_of_work, job(run, given_up), retry=QUICK).running():
        await enqueue(unit_of_work, "poison")
        await until(lambda: given_up)
        await asyncio.sleep(0.1)
    assert tries == [0, 1, 2, 3]
    assert given_up == ["its workers died"]
    (row,) = await left(unit_of_work)
    assert row.died_at is not None
    assert "WorkerDied: killed" in row.stack


async def test_work_whose_process_died_is_done_alone_and_forgiven_when_it_ends_well(unit_of_work):
    running: set[str] = set()
    beside: dict[str, set[str]] = {}
    given_up: list[str] = []

    async def run(work, finish):
        name = work.payload["name"]
        if name == "killed" and work.deaths < 2:
            raise WorkerDied("killed")
        running.add(name)
        await asyncio.sleep(0.2)
        beside[name] = running - {name}
        async with finish():
            running.discard(name)

    await enqueue(unit_of_work, "killed", *(f"innocent {number}" for number in range(8)))
    async with Worker(unit_of_work, job(run, given_up), retry=QUICK).running():
        await emptied(unit_of_work)
    assert given_up == []
    assert beside.pop("killed") == set()
    assert any(beside.values())
    assert len(beside) == 8


async def test_a_death_too_close_to_the_deadline_is_the_last(unit_of_work):
    given_up: list[str] = []

    async def run(work, finish):
        raise WorkerDied("killed")

    async with unit_of_work.begin() as unit:
        deadline = unit_of_work.clock() + timedelta(seconds=5)
        unit.enqueue("errand", Errand(name="late"), expires_at=deadline)
    worker = Worker(unit_of_work, job(run, given_up), retry=Retry(ladder=(60.0,)))
    async with worker.running():
        await until(lambda: given_up)
    assert given_up == ["its workers died"]


def letters(work):
    name = work.payload["name"]
    return [Errand(name=letter) for letter in name] if len(name) > 1 else []


async def test_what_kills_is_split_until_the_one_to_blame_is_given_up_alone(unit_of_work):
    done: list[str] = []
    given_up: list[str] = []
    deaths: list[str] = []

    async def run(work, finish):
        name = work.payload["name"]
        if "x" in name:
            deaths.append(name)
            raise WorkerDied("killed")
        async with finish():
            done.append(name)

    async with Worker(unit_of_work, job(run, given_up, letters), retry=QUICK).running():
        await enqueue(unit_of_work, "abxcd", "ef")
        await until(lambda: given_up and len(done) == 5)
    assert sorted(done) == ["a", "b", "c", "d", "ef"]
    assert given_up == ["its workers died"]
    assert deaths == ["abxcd", "x", "x", "x"]
    (row,) = await left(unit_of_work)
    assert row.payload == {"name": "x"}


async def test_pieces_keep_the_cause_and_the_deadline_of_the_whole(unit_of_work):
    async def run(work, finish):
        if len(work.payload["name"]) == 1:
            await asyncio.sleep(60)
        raise WorkerDied("killed")

    await enqueue(unit_of_work, "ab")
    (whole,) = await left(unit_of_work)
    async with Worker(unit_of_work, job(run, [], letters), retry=QUICK).running():
        async with asyncio.timeout(5):
            while len(await left(unit_of_work)) < 2:
                await asyncio.sleep(0.01)
    pieces = await left(unit_of_work)
    assert sorted(piece.payload["name"] for piece in pieces) == ["a", "b"]
    for piece in pieces:
        assert (piece.cause, piece.expires_at) == (whole.cause, whole.expires_at)
        assert (piece.deaths, piece.died_at) == (1, None)


async def test_work_that_lost_its_host_is_split_too(unit_of_work):
    done: list[str] = []

    async def run(work, finish):
        async with finish():
            done.append(work.payload["name"])

    await enqueue(unit_of_work, "ab")
    async with unit_of_work.begin() as unit:
        await unit.connection.execute(
            text(f"UPDATE {SCHEMA}.work SET lease_until = now() - interval '1 second'")
        )
    async with Worker(unit_of_work, job(run, [], letters)).running():
        await emptied(unit_of_work)
    assert sorted(done) == ["a", "b"]


@pytest.fixture
def outage(unit_of_work, monkeypatch):
    """Takes the database away for so many transactions, once told."""
    left, begin = [0], unit_of_work.begin

    @asynccontextmanager
    async def sometimes(cause=None):
        # What is settled names its cause; claims and leases go on.
        if cause is not None and left[0]:
            left[0] -= 1
            raise Unavailable("the database is away")
        async with begin(cause) as unit:
            yield unit

    monkeypatch.setattr(unit_of_work, "begin", sometimes)
    monkeypatch.setattr("common.work.PAUSE_SECONDS", 0.01)
    return left


@pytest.mark.parametrize("dies", ["beforehand", "now"])
async def test_an_outage_does_not_forgive_what_is_given_up_for_its_deaths(
    unit_of_work, outage, dies
):
    given_up: list[str] = []
    runs: list[int] = []

    async def run(work, finish):
        runs.append(work.deaths)
        outage[0] = 3
        raise WorkerDied("killed")

    await enqueue(unit_of_work, "poison")
    deaths = QUICK.deaths if dies == "beforehand" else QUICK.deaths - 1
    async with unit_of_work.begin() as unit:
        await unit.connection.execute(text(f"UPDATE {SCHEMA}.work SET deaths = {deaths}"))
    outage[0] = 3
    async with Worker(unit_of_work, job(run, given_up), retry=QUICK).running():
        await until(lambda: given_up)
    assert outage == [0]
    assert given_up == ["its workers died"]
    assert runs == ([] if dies == "beforehand" else [QUICK.deaths - 1])
    (row,) = await left(unit_of_work)
    assert row.deaths == deaths


async def test_a_worker_says_when_nothing_in_its_hands_has_ended_for_long(unit_of_work):
    go_on = asyncio.Event()

    async def run(work, finish):
        await go_on.wait()
        async with finish():
            pass

    worker = Worker(unit_of_work, job(run, []), standstill=timedelta(seconds=0.3))
    async with worker.running():
        await asyncio.sleep(0.5)
        await worker.health()  # with empty hands nothing can stand still
        await enqueue(unit_of_work, "slow")
        await until(lambda: worker._in_hand)
        await worker.health()
        await asyncio.sleep(0.5)
        with pytest.raises(Unavailable, match="none of the work in hand has ended"):
            await worker.health()
        go_on.set()
        await emptied(unit_of_work)
        await worker.health()

"""Work: done to its end, once in effect, whatever becomes of its worker."""

import asyncio
import time
from datetime import timedelta

from sqlalchemy import select, text

from common.errors import LeaseLost, Unavailable
from common.relay import Relay
from common.retry import Retry
from common.stopping import TIDY_SECONDS, Stopping
from common.work import Worker
from tests.integration.messaging_world import SCHEMA, Errand, count, insight, job
from tests.support.bus_probe import until
from tests.support.recording_bus import RecordingBus

QUICK = Retry(ladder=(0.01, 0.02), attempts=3)


async def enqueue(unit_of_work, name="x", **options):
    async with unit_of_work.begin() as unit:
        unit.enqueue("errand", Errand(name=name), **options)


async def test_work_commits_its_result_its_end_and_its_events_together(unit_of_work):
    async def run(work, finish):
        async with finish() as unit:
            unit.publish(insight(work.payload["name"]))

    bus = RecordingBus()
    worker = Worker(unit_of_work, job(run, []))
    async with Relay(unit_of_work, bus).running(), worker.running():
        await enqueue(unit_of_work, "done")
        await until(lambda: bus.published)
    assert await count(unit_of_work, unit_of_work.tables.work) == 0


async def test_unavailable_work_is_tried_beyond_the_ladder_other_errors_three_times(unit_of_work):
    tries = {"away": 0, "broken": 0}
    given_up: list[str] = []

    async def run(work, finish):
        tries[work.payload["name"]] += 1
        if work.payload["name"] == "broken":
            raise ValueError("it is broken")
        if tries["away"] < 6:
            raise Unavailable("away")
        async with finish():
            pass

    async with Worker(unit_of_work, job(run, given_up), retry=QUICK).running():
        await enqueue(unit_of_work, "away")
        await enqueue(unit_of_work, "broken")
        await until(lambda: tries["away"] == 6 and given_up)
        while await count(unit_of_work, unit_of_work.tables.work) > 1:
            await asyncio.sleep(0.01)
    assert tries == {"away": 6, "broken": 3}
    assert given_up == ["ValueError: it is broken"]
    async with unit_of_work.begin() as unit:
        dead = (await unit.connection.execute(select(unit_of_work.tables.work))).one()
    assert dead.died_at is not None
    assert "it is broken" in dead.stack


async def test_unavailable_work_is_given_up_at_its_deadline(unit_of_work):
    given_up: list[str] = []

    async def run(work, finish):
        raise Unavailable("away")

    async with Worker(unit_of_work, job(run, given_up), retry=QUICK).running():
        await enqueue(unit_of_work, expires_at=unit_of_work.clock() + timedelta(milliseconds=100))
        await until(lambda: given_up)
    assert given_up == ["Unavailable: away"]


async def test_a_lost_lease_cannot_finish_and_the_new_holder_does(unit_of_work):
    """The first worker is cut from its lease in mid-work, as a paused process would be."""
    outcomes: list[str] = []

    async def run(work, finish):
        if not outcomes:
            outcomes.append("cut")
            async with unit_of_work.begin() as unit:
                await unit.connection.execute(
                    text(f"UPDATE {SCHEMA}.work SET lease_until = now() - interval '1 second'")
                )
            await until(lambda: outcomes == ["cut", "finished"])
        try:
            async with finish():
                outcomes.append("finished")
        except LeaseLost:
            outcomes.append("refused")
            raise

    first = Worker(unit_of_work, job(run, []), concurrency=1)
    second = Worker(unit_of_work, job(run, []), concurrency=1)
    await enqueue(unit_of_work)
    async with first.running(), second.running():
        await until(lambda: len(outcomes) == 3, 20)
    assert outcomes == ["cut", "finished", "refused"]


async def test_work_in_hand_at_shutdown_is_handed_back_uncounted(unit_of_work):
    started = asyncio.Event()

    async def run(work, finish):
        started.set()
        await asyncio.sleep(60)

    async with Worker(unit_of_work, job(run, [])).running():
        await enqueue(unit_of_work)
        await started.wait()
    async with unit_of_work.begin() as unit:
        row = (await unit.connection.execute(select(unit_of_work.tables.work))).one()
    assert (row.attempts, row.lease_until) == (0, None)


async def test_work_in_hand_when_the_process_stops_is_finished_and_no_other_begun(unit_of_work):
    started, done, stopping = asyncio.Event(), [], Stopping()

    async def run(work, finish):
        started.set()
        await until(stopping.is_set)
        await asyncio.sleep(0.2)
        async with finish():
            done.append(work.payload["name"])

    async with Worker(unit_of_work, job(run, []), concurrency=1, stopping=stopping).running():
        await enqueue(unit_of_work, "first")
        await enqueue(unit_of_work, "second")
        await started.wait()
        stopping.set()
    assert done == ["first"]
    async with unit_of_work.begin() as unit:
        row = (await unit.connection.execute(select(unit_of_work.tables.work))).one()
    assert (row.payload, row.attempts, row.lease_until) == ({"name": "second"}, 0, None)


async def test_work_that_does_not_finish_in_time_goes_to_another_worker_at_once(unit_of_work):
    started, finished, stopping = [], [], Stopping(finish=0.3)

    async def run(work, finish):
        started.append(work.id)
        if len(started) == 1:
            await asyncio.sleep(60)
        async with finish():
            pass
        finished.append(work.id)

    first = Worker(unit_of_work, job(run, []), stopping=stopping)
    async with first.running():
        await enqueue(unit_of_work)
        await until(lambda: started)
        stopping.set()
        began = time.monotonic()
    assert time.monotonic() - began < 0.3 + TIDY_SECONDS
    async with Worker(unit_of_work, job(run, [])).running():
        await until(lambda: len(started) == 2, 5)  # a lease is 15 s
        # Started is not finished: leaving before the commit would cut it off.
        await until(lambda: finished)
    assert not first._in_hand
    assert await count(unit_of_work, unit_of_work.tables.work) == 0


async def test_work_that_kills_its_workers_is_given_up(unit_of_work):
    given_up: list[str] = []

    async def run(work, finish):
        raise AssertionError("must not run again")

    await enqueue(unit_of_work)
    async with unit_of_work.begin() as unit:
        await unit.connection.execute(
            text(
                f"UPDATE {SCHEMA}.work SET deaths = {Retry.deaths - 1}, attempts = 5, "
                "lease_until = now() - interval '1 second'"
            )
        )
    async with Worker(unit_of_work, job(run, given_up)).running():
        await until(lambda: given_up)
    assert given_up == ["its workers died"]


async def test_work_that_lost_its_worker_is_done_alone_the_one_with_most_deaths_first(unit_of_work):
    """It may have killed it: nothing else is begun until it has ended."""
    running: set[str] = set()
    alone: dict[str, bool] = {}

    async def run(work, finish):
        running.add(work.payload["name"])
        await asyncio.sleep(0.05)
        alone[work.payload["name"]] = len(running) == 1
        async with finish():
            running.discard(work.payload["name"])

    for name, deaths in (("new", None), ("died once", 0), ("died thrice", 2), ("newer", None)):
        await enqueue(unit_of_work, name)
        if deaths is not None:
            async with unit_of_work.begin() as unit:
                await unit.connection.execute(
                    text(
                        f"UPDATE {SCHEMA}.work SET deaths = :deaths, lease_until = now() - "
                        "interval '1 second' WHERE payload ->> 'name' = :name"
                    ),
                    {"deaths": deaths, "name": name},
                )
    async with Worker(unit_of_work, job(run, [])).running():
        await until(lambda: len(alone) == 4)
    assert list(alone)[:2] == ["died thrice", "died once"]
    assert alone == {"died thrice": True, "died once": True, "new": False, "newer": False}


async def test_what_is_not_taken_beside_a_suspect_is_not_counted(unit_of_work):
    async def run(work, finish):
        await asyncio.sleep(60)

    for name in ("one", "other"):
        await enqueue(unit_of_work, name)
    async with unit_of_work.begin() as unit:
        await unit.connection.execute(
            text(f"UPDATE {SCHEMA}.work SET lease_until = now() - interval '1 second'")
        )
    worker = Worker(unit_of_work, job(run, []))
    async with worker.running():
        await until(lambda: worker._in_hand)
        await asyncio.sleep(0.3)
        async with unit_of_work.begin() as unit:
            rows = (await unit.connection.execute(select(unit_of_work.tables.work))).all()
    assert sorted((row.attempts, row.deaths) for row in rows) == [(0, 0), (1, 1)]


async def test_work_is_given_up_with_its_cause_even_when_no_column_takes_the_sentence(unit_of_work):
    """A NUL in it once made the row die of "its workers died", a minute later."""
    given_up: list[str] = []

    async def run(work, finish):
        raise ValueError("no such\n\x00shelf " + "x" * 1_000)

    async with Worker(unit_of_work, job(run, given_up), retry=QUICK).running():
        await enqueue(unit_of_work)
        await until(lambda: given_up)
    (reason,) = given_up
    assert reason.startswith("ValueError: no such \N{REPLACEMENT CHARACTER}shelf xxx")
    assert len(reason) == 500


async def test_an_odd_error_neither_ends_the_relay_nor_the_worker(unit_of_work):
    """One cancelled statement once stopped a service for good while it looked ready."""
    done: list[str] = []

    async def run(work, finish):
        async with finish() as unit:
            unit.publish(insight())
        done.append(work.payload["name"])

    bus = RecordingBus()
    async with Relay(unit_of_work, bus).running(), Worker(unit_of_work, job(run, [])).running():
        rename = f"ALTER TABLE {SCHEMA}.work RENAME TO hidden"
        back = f"ALTER TABLE {SCHEMA}.hidden RENAME TO work"
        for statement in (rename, rename.replace("work", "outbox").replace("hidden", "gone")):
            async with unit_of_work.begin() as unit:
                await unit.connection.execute(text(statement))
        await asyncio.sleep(1.5)  # both have met a table that is not there
        for statement in (back, f"ALTER TABLE {SCHEMA}.gone RENAME TO outbox"):
            async with unit_of_work.begin() as unit:
                await unit.connection.execute(text(statement))
        await enqueue(unit_of_work, "after")
        await until(lambda: done and bus.published)
    assert done == ["after"]


async def test_a_shutdown_around_a_claim_leaves_no_lease_and_counts_no_death(unit_of_work):
    async def run(work, finish):
        await asyncio.sleep(60)

    for milliseconds in range(0, 12, 2):
        async with Worker(unit_of_work, job(run, [])).running():
            await enqueue(unit_of_work)
            await asyncio.sleep(milliseconds / 1000)
        async with unit_of_work.begin() as unit:
            rows = (await unit.connection.execute(select(unit_of_work.tables.work))).all()
            assert {(row.lease_until, row.attempts, row.deaths) for row in rows} == {(None, 0, 0)}


async def test_a_worker_whose_lease_lapsed_goes_on_with_its_row(unit_of_work):
    """As after an outage of the database that was longer than a lease."""
    starts: list[str] = []

    async def run(work, finish):
        starts.append(work.payload["name"])
        async with unit_of_work.begin() as unit:
            await unit.connection.execute(
                text(f"UPDATE {SCHEMA}.work SET lease_until = now() - interval '1 minute'")
            )
        await asyncio.sleep(2.5)
        async with finish():
            starts.append("finished")

    async with Worker(unit_of_work, job(run, [])).running():
        await enqueue(unit_of_work, "started")
        await until(lambda: starts[-1:] == ["finished"])
    assert starts == ["started", "finished"]

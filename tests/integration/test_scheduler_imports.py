"""An import's run, opened by whichever of its messages comes first and ended once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from itertools import permutations
from random import Random
from uuid import UUID, uuid4

import pytest

from common.events import COMMANDS, EVENTS, Envelope, Event
from common.events.scheduler import RunCompleted, RunJob
from common.events.topology import TOPOLOGY
from scheduler.handlers import SUBSCRIPTIONS
from scheduler.jobs import Sweeper
from scheduler.tables import METADATA
from tests.integration.scheduler_world import (
    badly_priced,
    calculated,
    changed,
    created,
    deleted,
    endings,
    failed,
    item_row,
    priced,
    requests,
    rows,
    run_row,
    said,
    service,
    today,
    upload,
    yesterday,
)
from tests.support.harness import Harness, running
from tests.support.schemas import assert_migrated


@pytest.fixture
async def scheduler(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("scheduler", service, database, tmp_path) as harness:
        yield harness


async def test_the_migrated_schema_is_the_one_in_the_code(scheduler):
    await assert_migrated(scheduler.service.database, METADATA)


async def test_it_listens_to_what_the_topology_sends_it():
    queue = TOPOLOGY.queue("scheduler")
    heard = {contract.routing_key() for contract, _ in SUBSCRIPTIONS}
    sent = {contract.routing_key() for contract in (*EVENTS, *COMMANDS)}
    assert heard == {routing_key for routing_key in sent if queue.wants(routing_key)}


async def test_an_import_is_followed_from_upload_to_result(scheduler):
    portfolio, user, run = await upload(scheduler)
    assert (await run_row(scheduler, run))["status"] == "open"
    await scheduler.deliver(badly_priced(portfolio), run_id=run)
    await scheduler.deliver(calculated(portfolio), run_id=run)

    row, item = await run_row(scheduler, run), await item_row(scheduler, run, portfolio)
    assert (row["job"], row["status"], row["as_of"], row["user_id"]) == (
        "import",
        "completed",
        today(),
        user,
    )
    assert (row["total"], row["calculated"], row["failed"], row["superseded"]) == (1, 1, 0, 0)
    assert (item["outcome"], item["coverage"], item["symbols"], item["sufficient"]) == (
        "calculated",
        0.75,
        4,
        False,
    )
    assert item["missing"] == [["ZZZZ", "unknown_symbol", ""]]
    (ending,) = await endings(scheduler, run)
    assert (ending.job, ending.as_of, ending.portfolio_ids) == ("import", today(), (portfolio,))
    assert (ending.status, ending.calculated, ending.failed) == ("completed", 1, 0)
    # marketdata begins an import's work at portfolio.created; nobody needs to ask for it.
    assert await requests(scheduler, run) == []


def _state(row: dict) -> dict:
    """Return what must not depend on the order of the messages: everything but ids and times."""
    moments = {"run_id", "portfolio_id", "user_id", "scope"}
    return {
        name: value
        for name, value in row.items()
        if name not in moments and not name.endswith("_at") and name != "deadline"
    }


@pytest.mark.parametrize(
    ("ends_with", "repeated_by"), [(calculated, "the bus"), (failed, "the producer")]
)
async def test_any_order_with_any_repeats_leads_to_the_same_end_once(
    scheduler, ends_with, repeated_by
):
    """All 90 orders of three messages that each come twice: as the same, or as another message."""

    async def flow(order: tuple[int, ...]) -> tuple[UUID, UUID, UUID]:
        portfolio, user, run = uuid4(), uuid4(), uuid4()
        events: list[Event] = [created(portfolio, user), priced(portfolio), ends_with(portfolio)]
        once = [_envelope(event, user, run) for event in events]
        async with few:
            for index in order:
                again = _envelope(events[index], user, run)
                await scheduler.service.handle(once[index] if repeated_by == "the bus" else again)
        return portfolio, user, run

    few = asyncio.Semaphore(4)  # no more than the pool keeps connections
    orders = sorted(set(permutations((0, 0, 1, 1, 2, 2))))
    flows = await asyncio.gather(*map(flow, orders))
    states = []
    for portfolio, user, run in flows:
        row, item = await run_row(scheduler, run), await item_row(scheduler, run, portfolio)
        assert row["user_id"] == user
        states.append((_state(row), _state(item)))
    assert len(states) == 90
    assert all(state == states[0] for state in states)
    assert states[0][0]["status"] == ("completed" if ends_with is calculated else "failed")
    announced = Counter(envelope.run_id for envelope in await said(scheduler, RunCompleted))
    assert announced == Counter(run for _, _, run in flows)


async def test_messages_that_arrive_together_still_end_the_run_once(scheduler):
    for _ in range(20):
        portfolio, user, run = uuid4(), uuid4(), uuid4()
        events: list[Event] = [created(portfolio, user), priced(portfolio), calculated(portfolio)]
        await asyncio.gather(
            *(scheduler.service.handle(_envelope(event, user, run)) for event in events * 2)
        )
        assert (await run_row(scheduler, run))["status"] == "completed"
        assert (await item_row(scheduler, run, portfolio))["symbols"] == 4
        assert len(await endings(scheduler, run)) == 1


async def test_overlapping_runs_neither_wait_for_each_other_nor_end_twice(scheduler):
    """Imports, runs over the same portfolios, deletions and repeats, eight at a time, shuffled.

    A deadlock would raise `Unavailable` here: rows are locked in one order.
    """
    random = Random(20260706)
    flows = [await upload(scheduler) for _ in range(12)]
    everything, forced = uuid4(), uuid4()
    for run, force in [(everything, False), (forced, True)]:
        job = RunJob(job="nightly", force=force, requested_by="operator")
        await scheduler.deliver(job, run_id=run)
    envelopes = []
    for portfolio, user, imported in flows:
        for run in (imported, everything, forced):
            verdict: Event = calculated(portfolio) if random.random() < 0.5 else failed(portfolio)
            envelopes += [_envelope(priced(portfolio), user, run), _envelope(verdict, user, run)]
    for portfolio, user, _ in flows[:4]:
        envelopes.append(_envelope(deleted(portfolio, user), user, None))
    envelopes += random.sample(envelopes, 20)
    random.shuffle(envelopes)
    few = asyncio.Semaphore(8)

    async def handle(envelope: Envelope) -> None:
        async with few:
            await scheduler.service.handle(envelope)

    await asyncio.gather(*map(handle, envelopes))
    announced = Counter(envelope.run_id for envelope in await said(scheduler, RunCompleted))
    assert announced == Counter([everything, forced, *(run for _, _, run in flows)])
    assert await rows(scheduler, "SELECT 1 FROM scheduler.run_items WHERE outcome IS NULL") == []


async def test_the_owner_is_learned_from_whoever_knows(scheduler):
    """A chunk of prices is nobody's in particular, so the run it opens has no owner yet."""
    portfolio, user, run = uuid4(), uuid4(), uuid4()
    await scheduler.deliver(priced(portfolio), run_id=run)
    assert (await run_row(scheduler, run))["user_id"] is None
    await scheduler.deliver(created(portfolio, user), user_id=user, run_id=run)
    assert (await run_row(scheduler, run))["user_id"] == user


async def test_overlapping_revisions_each_end_once(scheduler):
    """Two uploads of one portfolio: whichever order their ends come in, both runs end."""

    async def flow(order: tuple[int, ...]) -> None:
        portfolio, user, first, second = uuid4(), uuid4(), uuid4(), uuid4()
        messages = [
            (created(portfolio, user), first),
            (changed(portfolio, user), second),
            (failed(portfolio, 1, "superseded", dated=False), first),
            (calculated(portfolio, 2), second),
        ]
        for index in order:
            event, run = messages[index]
            await scheduler.deliver(event, user_id=user, run_id=run)
        for run in (first, second):
            (ending,) = await endings(scheduler, run)
            assert (ending.status, ending.failed) == ("completed", 0)
        assert (await item_row(scheduler, second, portfolio))["outcome"] == "calculated"

    await asyncio.gather(*map(flow, permutations(range(4))))


async def test_an_older_revision_does_not_end_a_newer_item(scheduler):
    portfolio, user, run = uuid4(), uuid4(), uuid4()
    await scheduler.deliver(created(portfolio, user, revision=3), user_id=user, run_id=run)
    await scheduler.deliver(calculated(portfolio, revision=2), run_id=uuid4())
    assert (await item_row(scheduler, run, portfolio))["outcome"] is None


async def test_another_runs_result_ends_an_import_unless_it_is_of_an_older_session(scheduler):
    portfolio, _, run = await upload(scheduler)
    await scheduler.deliver(priced(portfolio), run_id=run)
    await scheduler.deliver(calculated(portfolio, as_of=yesterday()), run_id=uuid4())
    assert (await run_row(scheduler, run))["status"] == "open"
    await scheduler.deliver(calculated(portfolio), run_id=uuid4())
    assert (await run_row(scheduler, run))["status"] == "completed"


async def test_a_deleted_portfolio_ends_its_run_before_and_after(scheduler):
    portfolio, user, run = await upload(scheduler)
    await scheduler.deliver(deleted(portfolio, user))
    (ending,) = await endings(scheduler, run)
    assert (ending.status, ending.superseded) == ("completed", 1)

    late, run = uuid4(), uuid4()
    await scheduler.deliver(deleted(late, user))
    await scheduler.deliver(created(late, user), user_id=user, run_id=run)
    assert len(await endings(scheduler, run)) == 1
    assert (await item_row(scheduler, run, late))["outcome"] == "deleted"
    replica = await rows(
        scheduler, "SELECT deleted FROM scheduler.portfolios WHERE portfolio_id = :id", id=late
    )
    assert replica == [{"deleted": True}]


async def test_messages_of_no_flow_open_nothing(scheduler):
    portfolio, user = uuid4(), uuid4()
    await scheduler.deliver(created(portfolio, user))
    await scheduler.deliver(priced(portfolio))
    await scheduler.deliver(calculated(portfolio))
    assert await rows(scheduler, "SELECT 1 FROM scheduler.runs") == []


async def test_what_has_no_outcome_by_the_deadline_expires(scheduler):
    portfolio, _, overdue = await upload(scheduler)
    _, _, young = await upload(scheduler)
    await rows(
        scheduler,
        "UPDATE scheduler.runs SET deadline = now() WHERE run_id = :run RETURNING 1",
        run=overdue,
    )
    sweepers = [Sweeper(scheduler.service.unit_of_work, every_seconds=60) for _ in range(3)]
    assert sum(await asyncio.gather(*(sweeper.sweep() for sweeper in sweepers))) == 1

    (ending,) = await endings(scheduler, overdue)
    assert (ending.status, ending.failed) == ("failed", 1)
    assert (await item_row(scheduler, overdue, portfolio))["outcome"] == "expired"
    assert (await run_row(scheduler, young))["status"] == "open"
    await scheduler.deliver(calculated(portfolio), run_id=overdue)
    assert (await item_row(scheduler, overdue, portfolio))["outcome"] == "expired"
    assert len(await endings(scheduler, overdue)) == 1


async def test_a_sweeper_that_does_not_run_makes_the_scheduler_unready(scheduler):
    ready = await scheduler.http.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]["sweeper"]) == (200, "ok")
    (loop,) = (task for task in asyncio.all_tasks() if task.get_name() == "sweeper")
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    unready = await scheduler.http.get("/health/ready")
    assert (unready.status_code, unready.json()["checks"]["sweeper"]) == (
        503,
        "overdue runs are not being ended",
    )


def _envelope(event: Event, user, run) -> Envelope:
    return Envelope.of(event, producer="test", user_id=user, run_id=run)

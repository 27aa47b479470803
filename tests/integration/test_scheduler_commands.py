"""Runs by command: a message to the scheduler, or an administrator's request."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event

from common.bus import Retry
from common.bus.delivery import Delivery, attempt
from common.events import Envelope
from common.events.scheduler import RunCompleted, RunJob, RunRequested
from scheduler.jobs import Sweeper
from tests.integration.scheduler_world import (
    calculated,
    calculated_upload,
    changed,
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


@pytest.fixture
async def scheduler(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("scheduler", service, database, tmp_path) as harness:
        yield harness


def command(job="nightly", portfolio_ids=None, **fields) -> RunJob:
    return RunJob(job=job, portfolio_ids=portfolio_ids, requested_by="operator", **fields)


async def command_runs(scheduler: Harness) -> list[dict]:
    return await rows(
        scheduler, "SELECT * FROM scheduler.runs WHERE job <> 'import' ORDER BY opened_at"
    )


async def test_a_nightly_run_asks_for_every_portfolio_and_ends_with_the_last(scheduler):
    user = uuid4()
    portfolios = [await calculated_upload(scheduler, user_id=user) for _ in range(2)]
    stranger = await calculated_upload(scheduler)
    gone, owner = await calculated_upload(scheduler)
    await scheduler.deliver(deleted(gone, owner))

    await scheduler.deliver(command())
    (run,) = await command_runs(scheduler)
    ids = sorted(portfolio for portfolio, _ in [*portfolios, stranger])
    (request,) = await requests(scheduler, run["run_id"])
    assert [item.portfolio_id for item in request.items] == ids
    assert (request.job, request.as_of, request.force) == ("nightly", today(), False)
    assert (run["scope"], run["requested_by"], run["user_id"]) == ("all", "operator", None)

    await scheduler.deliver(priced(*ids), run_id=run["run_id"])
    for portfolio, user_id in [*portfolios, stranger]:
        verdict = calculated(portfolio) if user_id == user else failed(portfolio)
        await scheduler.deliver(verdict, user_id=user_id, run_id=run["run_id"])
    (ending,) = await endings(scheduler, run["run_id"])
    assert (ending.status, ending.calculated, ending.failed) == ("completed_with_failures", 2, 1)
    assert ending.portfolio_ids == tuple(ids)


async def test_a_run_over_several_users_is_announced_to_none_of_them(scheduler):
    portfolio, user = await calculated_upload(scheduler)
    await scheduler.deliver(command())
    (run,) = await command_runs(scheduler)
    await scheduler.deliver(calculated(portfolio), user_id=user, run_id=run["run_id"])
    for contract in (RunRequested, RunCompleted):
        (envelope,) = await said(scheduler, contract, run["run_id"])
        assert envelope.user_id is None


async def test_a_run_of_one_users_portfolios_is_theirs(scheduler):
    user = uuid4()
    ids = [(await calculated_upload(scheduler, user_id=user))[0] for _ in range(2)]
    await scheduler.deliver(command("calculate", tuple(ids)))
    (run,) = await command_runs(scheduler)
    for portfolio in ids:
        await scheduler.deliver(calculated(portfolio), run_id=run["run_id"])
    for contract in (RunRequested, RunCompleted):
        (envelope,) = await said(scheduler, contract, run["run_id"])
        assert envelope.user_id == user


async def test_an_unknown_portfolio_fails_alone(scheduler):
    portfolio, _ = await calculated_upload(scheduler)
    gone, user = await calculated_upload(scheduler)
    await scheduler.deliver(deleted(gone, user))
    unknown = uuid4()
    await scheduler.deliver(command("calculate", (portfolio, unknown, gone)))
    (run,) = await command_runs(scheduler)
    item = await item_row(scheduler, run["run_id"], unknown)
    assert (item["outcome"], item["reason"], item["revision"]) == (
        "failed",
        "unknown_portfolio",
        None,
    )
    assert (await item_row(scheduler, run["run_id"], gone))["outcome"] == "deleted"
    (request,) = await requests(scheduler, run["run_id"])
    assert [item.portfolio_id for item in request.items] == [portfolio]
    await scheduler.deliver(calculated(portfolio), run_id=run["run_id"])
    (ending,) = await endings(scheduler, run["run_id"])
    assert (ending.status, ending.calculated, ending.failed, ending.superseded) == (
        "completed_with_failures",
        1,
        1,
        1,
    )


@pytest.mark.parametrize(
    ("ids", "status"), [(None, "completed"), ((UUID(int=7),), "failed")], ids=["nothing", "unknown"]
)
async def test_a_run_without_anything_to_wait_for_ends_at_once(scheduler, ids, status):
    await scheduler.deliver(command("calculate", ids))
    (run,) = await command_runs(scheduler)
    (ending,) = await endings(scheduler, run["run_id"])
    assert ending.status == run["status"] == status
    assert await requests(scheduler) == []


async def test_a_repeated_command_joins_the_open_run_until_it_ends(scheduler):
    portfolio, _ = await calculated_upload(scheduler)
    for _ in range(3):
        await scheduler.deliver(command())
    (run,) = await command_runs(scheduler)
    assert len(await requests(scheduler)) == 1
    await scheduler.deliver(calculated(portfolio), run_id=run["run_id"])
    await scheduler.deliver(command())
    assert len(await command_runs(scheduler)) == 2


async def test_two_replicas_fire_a_job_once(scheduler):
    await calculated_upload(scheduler)
    other = service(scheduler.platform)
    try:
        await asyncio.gather(
            *(
                replica.handle(envelope)
                for replica in (scheduler.service, other)
                for envelope in [_envelope(command()) for _ in range(4)]
            )
        )
    finally:
        await other.database.close()
    (run,) = await command_runs(scheduler)
    assert len(await requests(scheduler, run["run_id"])) == 1


async def test_force_opens_anew_and_waits_for_results_of_its_own(scheduler):
    portfolio, _ = await calculated_upload(scheduler)
    await scheduler.deliver(command("calculate", (portfolio,)))
    await scheduler.deliver(command("calculate", (portfolio,), force=True))
    first, forced = await command_runs(scheduler)
    (request,) = await requests(scheduler, forced["run_id"])
    assert request.force
    await scheduler.deliver(failed(portfolio), run_id=first["run_id"])
    assert (await run_row(scheduler, first["run_id"]))["status"] == "failed"
    assert (await run_row(scheduler, forced["run_id"]))["status"] == "open"
    await scheduler.deliver(calculated(portfolio), run_id=forced["run_id"])
    assert (await run_row(scheduler, forced["run_id"]))["status"] == "completed"


async def test_a_result_that_lost_to_newer_prices_ends_its_own_run_only(scheduler):
    """The other run's results are stored; the news of it may be the later to arrive."""
    portfolio, user, first = await upload(scheduler)
    await scheduler.deliver(command("calculate", (portfolio,), force=True, as_of=yesterday()))
    second, third = uuid4(), uuid4()
    for run in (second, third):
        await scheduler.deliver(command("nightly", force=True), user_id=user, run_id=run)
    await scheduler.deliver(failed(portfolio, reason="superseded"), run_id=second)
    assert (await item_row(scheduler, second, portfolio))["outcome"] == "superseded"
    for run in (first, third):
        assert (await item_row(scheduler, run, portfolio))["outcome"] is None
    await scheduler.deliver(calculated(portfolio), run_id=third)
    for run in (first, third):
        (ending,) = await endings(scheduler, run)
        assert (ending.calculated, ending.superseded) == (1, 0)


async def test_other_sessions_and_scopes_are_other_runs(scheduler):
    one, _ = await calculated_upload(scheduler)
    two, _ = await calculated_upload(scheduler)
    for asked in [
        command(),
        command(as_of=yesterday()),
        command("calculate"),
        command("calculate", (one, two)),
        command("calculate", (two, one)),
        command("calculate", (one, two, two)),
    ]:
        await scheduler.deliver(asked)
    runs = await command_runs(scheduler)
    assert len(runs) == 4
    assert len({(run["job"], run["as_of"], run["scope"]) for run in runs}) == 4


async def test_one_portfolios_calculation_joins_a_run_that_is_about_to_do_it(scheduler):
    done, _ = await calculated_upload(scheduler)
    waiting, _ = await calculated_upload(scheduler)
    await scheduler.deliver(command())
    (nightly,) = await command_runs(scheduler)
    await scheduler.deliver(calculated(done), run_id=nightly["run_id"])
    await scheduler.deliver(command("calculate", (waiting,)))
    assert len(await command_runs(scheduler)) == 1
    # Its item of the nightly run has ended, so this one has to be calculated again.
    await scheduler.deliver(command("calculate", (done,)))
    assert len(await command_runs(scheduler)) == 2


async def test_a_run_at_an_older_revision_is_not_joined(scheduler):
    portfolio, user, first = await upload(scheduler)
    await scheduler.deliver(changed(portfolio, user, 2))
    await scheduler.deliver(command("calculate", (portfolio,)))
    (run,) = await command_runs(scheduler)
    (request,) = await requests(scheduler, run["run_id"])
    assert request.items[0].revision == 2
    assert run["run_id"] != first


async def test_a_command_may_bring_the_id_of_its_run(scheduler):
    await calculated_upload(scheduler)
    run = uuid4()
    for _ in range(2):
        await scheduler.deliver(command(), run_id=run)
    assert [row["run_id"] for row in await command_runs(scheduler)] == [run]


async def test_an_impossible_command_is_a_dead_letter_at_once_and_leaves_nothing(scheduler):
    for asked, code in [
        (command(as_of=date(2026, 7, 4)), "ERR_BATCH_003"),
        (command(as_of=today() + timedelta(days=400)), "ERR_BATCH_003"),
        (command("import"), "ERR_BATCH_004"),
        (command("calculate", ()), "ERR_BATCH_004"),
        (RunJob(requested_by="opera\x00tor"), "ERR_BATCH_004"),
    ]:
        envelope = _envelope(asked)
        delivery = Delivery("scheduler", envelope.routing_key, envelope.to_bytes(), attempts=1)
        failure = await attempt(delivery, scheduler.service.handle, Retry())
        assert failure is not None
        assert (failure.pause, code in failure.reason) == (None, True), failure.reason
    assert await command_runs(scheduler) == []


@contextmanager
def counted_statements(scheduler: Harness) -> Iterator[list[str]]:
    statements: list[str] = []
    engine = scheduler.service.database.engine.sync_engine

    def count(_connection, _cursor, statement, *_rest) -> None:
        if "outbox" not in statement:  # the relay's, and one for all that is published
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", count)


async def test_a_thousand_portfolios_take_no_more_statements_than_one(scheduler):
    await rows(
        scheduler,
        "INSERT INTO scheduler.portfolios SELECT gen_random_uuid(), gen_random_uuid(), 1, false "
        "FROM generate_series(1, 1001) RETURNING 1",
    )
    with counted_statements(scheduler) as opening:
        await scheduler.deliver(command())
    assert len(opening) <= 6, opening
    asked = await requests(scheduler)
    assert [len(request.items) for request in asked] == [200, 200, 200, 200, 200, 1]
    ids = [item.portfolio_id for request in asked for item in request.items]
    assert len(set(ids)) == 1001

    (run,) = await command_runs(scheduler)
    with counted_statements(scheduler) as noting:
        await scheduler.deliver(priced(*ids[:200]), run_id=run["run_id"])
    assert len(noting) <= 4, noting
    with counted_statements(scheduler) as ending:
        await scheduler.deliver(calculated(ids[0]), run_id=run["run_id"])
    assert len(ending) <= 5, ending

    await rows(scheduler, "UPDATE scheduler.runs SET deadline = now() RETURNING 1")
    with counted_statements(scheduler) as expiring:
        await Sweeper(scheduler.service.unit_of_work, every_seconds=60).sweep()
    assert len(expiring) <= 6, expiring
    (completed,) = await endings(scheduler, run["run_id"])
    assert (completed.status, completed.calculated, completed.failed, completed.portfolio_ids) == (
        "completed_with_failures",
        1,
        1000,
        (),
    )


def _envelope(asked: RunJob) -> Envelope:
    return Envelope.of(asked, producer="test")

"""The scheduler over HTTP: an owner's calculation, and an administrator's runs."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from starlette.responses import JSONResponse

from common.events.scheduler import RunJob
from tests.integration.scheduler_world import (
    badly_priced,
    calculated,
    calculated_upload,
    deleted,
    failed,
    priced,
    requests,
    service,
    today,
    upload,
)
from tests.support.harness import Harness, running

RUN = "/api/v1/admin/batch/run"
CURRENT = "/api/v1/admin/batch/run/current"
RUNS = "/api/v1/admin/batch/runs"


@pytest.fixture
async def scheduler(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("scheduler", service, database, tmp_path) as harness:
        yield harness


async def calculate(scheduler: Harness, portfolio: UUID, user: UUID, **query):
    return await scheduler.http.post(
        f"/api/v1/portfolio/{portfolio}/calculate",
        params=query,
        headers=scheduler.neighbours.bearer(user),
    )


async def status(scheduler: Harness, portfolio: UUID, user: UUID, run: UUID | str):
    return await scheduler.http.get(
        f"/api/v1/portfolio/{portfolio}/batch-status/{run}",
        headers=scheduler.neighbours.bearer(user),
    )


def recorded(scheduler: Harness, portfolio: UUID, user: UUID, revision: int = 1) -> None:
    """Let onboarding know a portfolio of which no event has told."""
    scheduler.neighbours.answers[f"GET /internal/portfolios/{portfolio}"] = {
        "portfolio_id": str(portfolio),
        "user_id": str(user),
        "revision": revision,
        "name": "A book",
    }


async def test_a_calculation_is_started_and_followed_to_its_end(scheduler):
    portfolio, user = await calculated_upload(scheduler)
    answer = await calculate(scheduler, portfolio, user)
    assert answer.status_code == 202
    body = answer.json()
    run = UUID(body["batch_run_id"])
    assert body["status"] == "started"
    assert body["poll_url"] == f"/api/v1/portfolio/{portfolio}/batch-status/{run}"
    (request,) = await requests(scheduler, run)
    assert (request.job, request.as_of, request.items[0].portfolio_id) == (
        "calculate",
        today(),
        portfolio,
    )

    now = (await scheduler.http.get(body["poll_url"], headers=bearer(scheduler, user))).json()
    assert (now["status"], now["stage"], now["outcome"]) == ("running", "pricing", None)
    assert (now["job"], now["as_of"], now["triggered_by"]) == (
        "calculate",
        str(today()),
        "someone@example.com",
    )
    assert now["started_at"].endswith("Z")
    assert datetime.fromisoformat(now["started_at"]).tzinfo is not None
    assert now["elapsed_seconds"] >= 0
    assert now["coverage"] is now["missing"] is None

    await scheduler.deliver(badly_priced(portfolio), run_id=run)
    now = (await status(scheduler, portfolio, user, run)).json()
    assert (now["status"], now["stage"], now["coverage"]) == ("running", "calculating", 0.75)
    assert now["missing"] == [{"symbol": "ZZZZ", "reason": "unknown_symbol", "message": ""}]

    await scheduler.deliver(calculated(portfolio), run_id=run)
    then = (await status(scheduler, portfolio, user, run)).json()
    assert (then["status"], then["stage"], then["outcome"]) == ("completed", "ended", "calculated")
    again = (await status(scheduler, portfolio, user, run)).json()
    assert then["elapsed_seconds"] == again["elapsed_seconds"]


def bearer(scheduler: Harness, user: UUID) -> dict[str, str]:
    return scheduler.neighbours.bearer(user)


async def test_both_addresses_serve_the_same(scheduler):
    portfolio, user, run = await upload(scheduler)
    answer = await scheduler.http.post(
        f"/api/v1/analytics/portfolio/{portfolio}/calculate", headers=bearer(scheduler, user)
    )
    assert (answer.status_code, answer.json()["batch_run_id"]) == (202, str(run))
    answer = await scheduler.http.get(
        f"/api/v1/analytics/portfolio/{portfolio}/batch-status/{run}",
        headers=bearer(scheduler, user),
    )
    assert answer.json()["job"] == "import"


async def test_preprocessing_is_null_with_a_sentence_until_prices_are_heard_of(scheduler):
    portfolio, user, run = await upload(scheduler)
    unknown = (await calculate(scheduler, portfolio, user)).json()["preprocessing"]
    assert unknown["symbols_count"] is unknown["price_coverage_percentage"] is None
    assert unknown["ready_for_batch"] is False
    assert "being prepared" in unknown["warnings"][0]

    await scheduler.deliver(badly_priced(portfolio), run_id=run)
    poor = (await calculate(scheduler, portfolio, user)).json()["preprocessing"]
    assert (poor["symbols_count"], poor["prices_bootstrapped"]) == (4, 3)
    assert (poor["price_coverage_percentage"], poor["ready_for_batch"]) == (75.0, False)
    assert poor["warnings"] == ["ZZZZ has no usable prices (unknown_symbol)."]
    assert poor["recommendations"]

    await scheduler.deliver(calculated(portfolio), run_id=run)
    started = (await calculate(scheduler, portfolio, user)).json()
    assert started["batch_run_id"] != str(run)
    assert started["preprocessing"] == poor
    await scheduler.deliver(priced(portfolio), run_id=UUID(started["batch_run_id"]))
    forced = await calculate(scheduler, portfolio, user, force=True)
    assert forced.json()["preprocessing"]["ready_for_batch"] is True


async def test_calculating_during_the_import_names_the_imports_run(scheduler):
    portfolio, user, run = await upload(scheduler)
    answer = await calculate(scheduler, portfolio, user)
    assert (answer.status_code, answer.json()["batch_run_id"]) == (202, str(run))
    assert await requests(scheduler) == []


async def test_a_repeat_is_refused_with_the_open_run_and_force_opens_anew(scheduler):
    portfolio, user = await calculated_upload(scheduler)
    first = (await calculate(scheduler, portfolio, user)).json()
    repeat = await calculate(scheduler, portfolio, user)
    assert repeat.status_code == 409
    error = repeat.json()["error"]
    assert error["code"] == "ERR_BATCH_001"
    assert error["details"] == {"batch_run_id": first["batch_run_id"]}
    forced = await calculate(scheduler, portfolio, user, force="true")
    assert forced.status_code == 202
    assert forced.json()["batch_run_id"] != first["batch_run_id"]
    assert len(await requests(scheduler)) == 2


async def test_another_users_or_no_ones_portfolio_is_not_found(scheduler):
    portfolio, user, run = await upload(scheduler)
    gone, owner = await calculated_upload(scheduler)
    await scheduler.deliver(deleted(gone, owner))
    for asked, asker in [(portfolio, uuid4()), (uuid4(), user), (gone, owner)]:
        for answer in (
            await calculate(scheduler, asked, asker),
            await status(scheduler, asked, asker, run),
        ):
            assert answer.status_code == 404
            assert answer.json()["error"]["code"] == "ERR_PORTFOLIO_404"
    nobody = await scheduler.http.post(f"/api/v1/portfolio/{portfolio}/calculate")
    assert nobody.status_code == 401


async def test_a_run_without_the_portfolio_is_not_found(scheduler):
    portfolio, user, _ = await upload(scheduler)
    _, _, others = await upload(scheduler)
    recorded(scheduler, portfolio, user)
    for run in (others, uuid4()):
        answer = await status(scheduler, portfolio, user, run)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ERR_BATCH_002")


async def test_right_after_an_upload_its_run_is_queued(scheduler):
    """The upload has been answered, but portfolio.created has not arrived here yet."""
    portfolio, user, run = uuid4(), uuid4(), uuid4()
    recorded(scheduler, portfolio, user)
    early = await status(scheduler, portfolio, user, run)
    assert early.status_code == 200
    assert (early.json()["status"], early.json()["stage"]) == ("running", "queued")
    assert early.json()["started_at"] is early.json()["elapsed_seconds"] is None

    known, owner = await calculated_upload(scheduler)
    recorded(scheduler, known, owner, revision=2)
    assert (await status(scheduler, known, owner, run)).json()["stage"] == "queued"


async def test_a_portfolio_known_only_to_onboarding_is_calculated_at_its_revision(scheduler):
    portfolio, user = uuid4(), uuid4()
    recorded(scheduler, portfolio, user, revision=4)
    answer = await calculate(scheduler, portfolio, user)
    assert answer.status_code == 202
    run = UUID(answer.json()["batch_run_id"])
    (request,) = await requests(scheduler, run)
    assert request.items[0].revision == 4
    assert (await status(scheduler, portfolio, user, run)).json()["stage"] == "pricing"


async def test_what_only_onboarding_can_answer_is_unavailable_without_it(scheduler):
    def broken(_request):
        return JSONResponse({}, 500)

    portfolio, user, _ = await upload(scheduler)
    for asked in (portfolio, uuid4()):
        scheduler.neighbours.answers[f"GET /internal/portfolios/{asked}"] = broken
        assert (await status(scheduler, asked, user, uuid4())).status_code == 503


async def test_a_nightly_run_is_started_counted_and_kept_in_the_history(scheduler):
    first, _ = await calculated_upload(scheduler)
    second, _ = await calculated_upload(scheduler)
    boss = scheduler.neighbours.bearer(uuid4(), role="admin")
    idle = (await scheduler.http.get(CURRENT, headers=boss)).json()
    assert (idle["status"], idle["batch_run_id"]) == ("idle", None)

    answer = await scheduler.http.post(RUN, headers=boss)
    started = answer.json()
    assert answer.status_code == 200
    assert (started["status"], started["portfolio_id"], started["poll_url"]) == (
        "started",
        "all",
        CURRENT,
    )
    assert (started["triggered_by"], started["timestamp"][-1]) == ("someone@example.com", "Z")
    run = UUID(started["batch_run_id"])
    await scheduler.deliver(calculated(first), run_id=run)
    current = (await scheduler.http.get(CURRENT, headers=boss)).json()
    assert (current["status"], current["batch_run_id"]) == ("running", str(run))
    assert current["jobs"] == {"total": 2, "completed": 1, "failed": 0, "pending": 1}
    assert (current["progress_percent"], current["current_job"]) == (50.0, "nightly")

    repeat = await scheduler.http.post(RUN, headers=boss)
    assert (repeat.status_code, repeat.json()["error"]["code"]) == (409, "ERR_BATCH_001")
    await scheduler.deliver(failed(second), run_id=run)
    history = (await scheduler.http.get(RUNS, params={"limit": 1}, headers=boss)).json()
    assert (history["total"], history["has_more"]) == (3, True)
    (latest,) = history["runs"]
    assert (latest["batch_run_id"], latest["status"]) == (str(run), "completed_with_failures")
    assert latest["jobs"] == {"total": 2, "completed": 1, "failed": 1, "pending": 0}


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"offset": -1}, {"offset": 2**63}])
async def test_a_page_beyond_what_the_database_counts_is_refused(scheduler, query):
    boss = scheduler.neighbours.bearer(uuid4(), role="admin")
    answer = await scheduler.http.get(RUNS, params=query, headers=boss)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "ERR_VALIDATION")


async def test_an_administrator_runs_some_portfolios_at_a_session(scheduler):
    one, _ = await calculated_upload(scheduler)
    two, _ = await calculated_upload(scheduler)
    boss = scheduler.neighbours.bearer(uuid4(), role="admin")
    by_query = await scheduler.http.post(RUN, params={"portfolio_id": str(one)}, headers=boss)
    assert by_query.json()["portfolio_id"] == str(one)
    body = {"job": "nightly", "as_of": str(today()), "portfolio_ids": [str(one), str(two)]}
    by_body = await scheduler.http.post(RUN, json=body, headers=boss)
    assert (by_body.status_code, by_body.json()["portfolio_id"]) == (200, None)
    assert [request.job for request in await requests(scheduler)] == ["calculate", "nightly"]


async def test_bad_requests_of_an_administrator_are_refused(scheduler):
    portfolio, user = await calculated_upload(scheduler)
    boss = scheduler.neighbours.bearer(uuid4(), role="admin")
    one = {"portfolio_id": str(portfolio)}
    for query, body, expected in [
        ({}, {"as_of": "2026-01-01"}, (422, "ERR_BATCH_003")),
        ({}, {"as_of": "1999-01-04"}, (422, "ERR_BATCH_003")),
        ({}, {"job": "import"}, (422, "ERR_VALIDATION")),
        ({}, {"portfolio_ids": []}, (422, "ERR_VALIDATION")),
        (one, {"portfolio_ids": [str(portfolio)]}, (422, "ERR_BATCH_004")),
        ({"portfolio_id": str(uuid4())}, None, (404, "ERR_PORTFOLIO_404")),
    ]:
        answer = await scheduler.http.post(RUN, params=query, json=body, headers=boss)
        assert (answer.status_code, answer.json()["error"]["code"]) == expected
    for method, path in [("POST", RUN), ("GET", CURRENT), ("GET", RUNS)]:
        answer = await scheduler.http.request(method, path, headers=bearer(scheduler, user))
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ERR_AUTH_002")
    assert await requests(scheduler) == []


async def test_an_open_import_is_shown_only_when_no_other_run_is_open(scheduler):
    portfolio, _, imported = await upload(scheduler)
    boss = scheduler.neighbours.bearer(uuid4(), role="admin")
    current = (await scheduler.http.get(CURRENT, headers=boss)).json()
    assert (current["batch_run_id"], current["current_portfolio"]) == (
        str(imported),
        str(portfolio),
    )
    await scheduler.deliver(RunJob(job="nightly", requested_by="operator"))
    await upload(scheduler)
    current = (await scheduler.http.get(CURRENT, headers=boss)).json()
    assert (current["current_job"], current["triggered_by"]) == ("nightly", "operator")

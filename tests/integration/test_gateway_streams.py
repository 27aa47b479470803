"""Server-sent events: snapshot, what happens live, resuming, and how a stream ends."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text, update

from common.events import Envelope
from common.events.onboarding import PortfolioDeleted
from common.events.scheduler import RunCompleted
from common.telemetry import new_traceparent, trace_id
from gateway.domain.sessions import RevokedSessions
from gateway.jobs import Retention
from gateway.tables import EVENT_LOG, LATEST
from tests.integration.gateway_news import (
    SESSION,
    calculated,
    created,
    owned,
    priced,
    progressed,
    rows,
)
from tests.integration.gateway_world import gateway, gateway_with, listening

__all__ = ["gateway"]

# -- what a stream says -------------------------------------------------------------------------


async def test_a_stream_begins_with_where_the_portfolio_stands_and_goes_on_live(gateway):
    user, portfolio = await owned(gateway)
    await gateway.deliver(calculated(portfolio), user_id=user)
    async with listening(gateway, user, f"/api/v1/portfolio/{portfolio}/events") as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-cache"
        snapshot = await stream.event()
        assert snapshot.event == "snapshot"
        assert snapshot.id == "2"
        (standing,) = snapshot.data["portfolios"]
        assert standing["portfolio_id"] == str(portfolio)
        assert [event["name"] for event in standing["events"]] == [
            "portfolio.created",
            "risk.calculated",
        ]
        run = uuid4()
        await gateway.deliver(priced(portfolio), user_id=user, run_id=run)
        live = await stream.event()
        assert (live.event, live.id) == ("prices.ready", "3")
        assert live.data["name"] == "prices.ready"
        assert live.data["run_id"] == str(run)
        assert live.data["portfolio_id"] == str(portfolio)
        assert live.data["coverage"] == 1.0


async def test_a_user_without_events_gets_an_empty_snapshot(gateway):
    async with listening(gateway, uuid4()) as stream:
        snapshot = await stream.event()
    assert (snapshot.id, snapshot.data["portfolios"]) == ("0", [])


async def test_an_event_tells_when_it_occurred_and_in_which_trace(gateway):
    user, portfolio = await owned(gateway)
    occurred, traceparent = datetime(2026, 1, 5, 21, tzinfo=UTC), new_traceparent()
    async with listening(gateway, user) as stream:
        await stream.event()
        await gateway.service.handle(
            Envelope.of(
                calculated(portfolio),
                producer="risk-engine",
                occurred_at=occurred,
                user_id=user,
                traceparent=traceparent,
            )
        )
        shown = (await stream.event()).data
    assert datetime.fromisoformat(shown["occurred_at"]) == occurred
    assert shown["trace_id"] == trace_id(traceparent)


async def test_nothing_logged_or_shown_names_a_position(gateway):
    user, portfolio = await owned(gateway)
    async with listening(gateway, user) as stream:
        snapshot = await stream.event()
    kept = [*await rows(gateway, EVENT_LOG), *await rows(gateway, LATEST)]
    assert "SECRETCO" not in str([*kept, snapshot])
    assert kept[0]["payload"]["position_count"] == 1
    assert portfolio == kept[0]["portfolio_id"]


async def test_an_event_of_many_portfolios_reaches_each_owner_about_their_own_alone(gateway):
    (ada, hers), (bob, his) = await owned(gateway), await owned(gateway)
    async with listening(gateway, ada) as to_ada, listening(gateway, bob) as to_bob:
        await to_ada.event()
        await to_bob.event()
        await gateway.deliver(priced(hers, his))
        for_ada, for_bob = await to_ada.event(), await to_bob.event()
    assert for_ada.data["portfolio_id"] == str(hers)
    assert for_bob.data["portfolio_id"] == str(his)
    assert str(his) not in str(for_ada.data)


async def test_a_stream_of_one_portfolio_leaves_out_the_users_others(gateway):
    user, one = await owned(gateway)
    _, other = await owned(gateway, user)
    async with listening(gateway, user, f"/api/v1/portfolio/{one}/events") as stream:
        assert str(other) not in str((await stream.event()).data)
        await gateway.deliver(calculated(other), user_id=user)
        await gateway.deliver(calculated(one), user_id=user)
        assert (await stream.event()).data["portfolio_id"] == str(one)


async def test_news_of_an_unknown_portfolio_waits_for_onboardings_word(gateway):
    user, portfolio = uuid4(), uuid4()
    gateway.neighbours.answers[f"GET /internal/portfolios/{portfolio}"] = {
        "portfolio_id": str(portfolio),
        "user_id": str(user),
        "revision": 1,
        "name": "Savings",
    }
    async with listening(gateway, user) as stream:
        await stream.event()
        await gateway.deliver(priced(portfolio))
        assert (await stream.event()).data["portfolio_id"] == str(portfolio)


async def test_news_of_a_portfolio_that_does_not_exist_is_shown_to_nobody(gateway):
    await gateway.deliver(priced(uuid4()))
    work = gateway.service.unit_of_work.tables.work
    async with asyncio.timeout(10):
        while await rows(gateway, work):
            await asyncio.sleep(0.05)
    assert await rows(gateway, EVENT_LOG) == []


async def test_a_deleted_portfolio_is_announced_and_then_no_more(gateway):
    user, portfolio = await owned(gateway)
    gone = PortfolioDeleted(portfolio_id=portfolio, user_id=user, revision=2)
    async with listening(gateway, user) as stream:
        await stream.event()
        await gateway.deliver(gone, user_id=user)
        await gateway.deliver(calculated(portfolio), user_id=user)
        await gateway.deliver(created(portfolio, user), user_id=user)
        assert (await stream.event()).event == "portfolio.deleted"
    async with listening(gateway, user) as stream:
        snapshot = await stream.event()
    assert (snapshot.id, snapshot.data["portfolios"]) == ("2", [])
    refused = await gateway.http.get(
        f"/api/v1/portfolio/{portfolio}/events", headers=gateway.neighbours.bearer(user)
    )
    assert refused.status_code == 404


async def test_a_late_event_does_not_set_a_portfolio_back(gateway):
    user, portfolio = await owned(gateway)
    for revision, day in ((2, 6), (1, 5)):
        await gateway.service.handle(
            Envelope.of(
                calculated(portfolio, revision),
                producer="risk-engine",
                occurred_at=datetime(2027, 1, day, tzinfo=UTC),
                user_id=user,
            )
        )
    async with listening(gateway, user) as stream:
        (standing,) = (await stream.event()).data["portfolios"]
    assert standing["events"][-1]["revision"] == 2


async def test_a_delivery_that_comes_twice_is_shown_once(gateway):
    user, portfolio = await owned(gateway)
    envelope = await gateway.deliver(calculated(portfolio), user_id=user)
    await gateway.service.handle(envelope)
    assert [row["seq"] for row in await rows(gateway, EVENT_LOG)] == [1, 2]


# -- resuming -----------------------------------------------------------------------------------


async def test_a_client_that_comes_back_misses_nothing_and_sees_nothing_twice(gateway):
    """Reconnects after every few events while they keep coming."""
    user, portfolio = await owned(gateway)
    total = 60

    async def happen():
        for done in range(total):
            await gateway.deliver(progressed(portfolio, done), user_id=user)

    happening = asyncio.create_task(happen())
    seen: list[int] = []
    last: str | None = "1"
    while len(seen) < total:
        async with listening(gateway, user, last_event_id=last) as stream:
            for _ in range(min(7, total - len(seen))):
                frame = await stream.event()
                seen.append(frame.data["done"])
                last = frame.id
    await happening
    assert seen == list(range(total))


async def test_replicas_show_one_log(database, tmp_path):
    async with (
        gateway_with(database, tmp_path) as one,
        gateway_with(database, tmp_path) as other,
    ):
        user, portfolio = await owned(one)
        async with listening(other, user, last_event_id="1") as stream:
            await one.deliver(calculated(portfolio), user_id=user)
            assert (await stream.event()).id == "2"


async def test_events_past_their_time_are_forgotten_and_the_client_is_told(gateway):
    user, portfolio = await owned(gateway)
    for done in range(3):
        await gateway.deliver(progressed(portfolio, done), user_id=user)
    async with gateway.service.database.engine.begin() as connection:
        day_before = datetime.now(UTC) - timedelta(hours=25)
        await connection.execute(
            update(EVENT_LOG).where(EVENT_LOG.c.seq <= 3).values(recorded_at=day_before)
        )
    retention = Retention(gateway.service.unit_of_work, RevokedSessions(), timedelta(hours=24))
    await retention.sweep()
    assert [row["seq"] for row in await rows(gateway, EVENT_LOG)] == [4]
    async with listening(gateway, user, last_event_id="2") as stream:
        reset, snapshot = await stream.events(2)
    assert (reset.event, reset.id) == ("reset", None)
    assert (snapshot.event, snapshot.id) == ("snapshot", "4")
    (standing,) = snapshot.data["portfolios"]
    assert [event["name"] for event in standing["events"]] == [
        "portfolio.created",
        "calculation.progressed",
    ]
    async with listening(gateway, user, last_event_id="3") as stream:
        assert (await stream.event()).id == "4"


@pytest.mark.parametrize("unknown", ["99", "nonsense", "-1", "1.5", "9" * 40])
async def test_an_id_that_was_never_given_resets(gateway, unknown):
    user, _ = await owned(gateway)
    async with listening(gateway, user, last_event_id=unknown) as stream:
        assert [frame.event for frame in await stream.events(2)] == ["reset", "snapshot"]


async def test_a_cut_listening_connection_is_made_anew_and_nothing_is_missed(gateway):
    user, portfolio = await owned(gateway)
    async with listening(gateway, user) as stream:
        await stream.event()
        async with gateway.service.database.engine.connect() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND query ILIKE '%listen%' "
                    "AND pid <> pg_backend_pid()"
                )
            )
        await gateway.deliver(calculated(portfolio), user_id=user)
        assert (await stream.event()).event == "risk.calculated"
    async with asyncio.timeout(10):
        while (await gateway.http.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.05)


async def test_two_appenders_at_once_count_on_without_gaps(gateway):
    user, portfolio = await owned(gateway)
    others = [(await owned(gateway))[1] for _ in range(3)]
    both_ways = [priced(portfolio, *others), priced(*reversed(others), portfolio)]
    await asyncio.gather(*(gateway.deliver(event) for event in both_ways * 10))
    log = [row for row in await rows(gateway, EVENT_LOG) if row["user_id"] == user]
    assert sorted(row["seq"] for row in log) == list(range(1, 22))
    in_order = sorted(log, key=lambda row: row["recorded_at"])
    assert [row["seq"] for row in in_order] == list(range(1, 22))


async def test_an_event_may_name_more_portfolios_than_a_statement_takes_arguments(gateway):
    _, portfolio_id = await owned(gateway)
    before = len(await rows(gateway, EVENT_LOG))
    await gateway.deliver(
        RunCompleted(
            job="nightly",
            as_of=SESSION,
            status="completed",
            portfolio_ids=(*(uuid4() for _ in range(33_000)), portfolio_id),
            calculated=33_001,
            failed=0,
            superseded=0,
        )
    )
    assert len(await rows(gateway, EVENT_LOG)) == before + 1

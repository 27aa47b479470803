"""Who may listen to the gateway's streams, and for how long."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from common.events.auth import SessionRevoked
from gateway.settings import Settings
from tests.integration.gateway_news import (
    owned,
)
from tests.integration.gateway_world import EventStream, gateway, gateway_with, listening

__all__ = ["gateway"]


async def test_anothers_portfolio_does_not_exist(gateway):
    _, portfolio = await owned(gateway)
    answer = await gateway.http.get(
        f"/api/v1/portfolio/{portfolio}/events", headers=gateway.neighbours.bearer(uuid4())
    )
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "ERR_PORTFOLIO_404"


async def test_a_portfolio_not_heard_of_yet_is_asked_of_onboarding(gateway):
    user, portfolio = uuid4(), uuid4()
    path = f"/api/v1/portfolio/{portfolio}/events"
    unknown = await gateway.http.get(path, headers=gateway.neighbours.bearer(user))
    assert unknown.status_code == 404
    gateway.neighbours.answers[f"GET /internal/portfolios/{portfolio}"] = {"user_id": str(user)}
    async with listening(gateway, user, path) as stream:
        assert (await stream.event()).data["portfolios"] == [
            {"portfolio_id": str(portfolio), "events": []}
        ]


async def test_a_stream_needs_a_token(gateway):
    assert (await gateway.http.get("/api/v1/events")).status_code == 401


async def test_a_browser_may_listen_by_cookie(gateway):
    cookie = {"Cookie": f"auth_token={gateway.neighbours.token(uuid4())}"}
    async with gateway.http.stream("GET", "/api/v1/events", headers=cookie) as answer:
        assert (await EventStream(answer).event()).event == "snapshot"


async def test_a_user_may_have_so_many_streams_and_a_closed_one_makes_room(database, tmp_path):
    user = uuid4()
    async with gateway_with(database, tmp_path, Settings(streams_per_user=2)) as gateway:
        headers = gateway.neighbours.bearer(user)
        async with listening(gateway, user) as first:
            await first.event()
            async with listening(gateway, user) as second:
                await second.event()
                refused = await gateway.http.get("/api/v1/events", headers=headers)
                assert refused.status_code == 429
                assert refused.json()["error"]["code"] == "ERR_TOO_MANY_STREAMS"
                async with listening(gateway, uuid4()) as anothers:
                    await anothers.event()

            async def there_is_room():
                async with gateway.http.stream("GET", "/api/v1/events", headers=headers) as answer:
                    return answer.status_code == 200

            async with asyncio.timeout(5):
                while not await there_is_room():
                    await asyncio.sleep(0.05)


async def test_silence_is_filled_with_comments(database, tmp_path):
    async with (
        gateway_with(database, tmp_path, Settings(heartbeat_seconds=0.1)) as gateway,
        listening(gateway, uuid4()) as stream,
    ):
        await stream.event()
        for _ in range(3):
            beat = await stream.frame()
            assert (beat.event, beat.comment) == (None, "heartbeat")


async def test_a_stream_ends_cleanly_with_its_token(gateway):
    async with listening(gateway, uuid4(), expires_in=2) as stream:
        assert [frame.event for frame in await stream.events(2)] == ["snapshot", "expired"]
        assert await stream.ends()


async def test_a_stream_ends_when_its_session_is_revoked(gateway):
    user, session = uuid4(), uuid4()
    async with (
        listening(gateway, user, session_id=session) as stream,
        listening(gateway, user) as other,
    ):
        await stream.event()
        await other.event()
        await gateway.deliver(
            SessionRevoked(
                session_id=session,
                user_id=user,
                expires_at=datetime.now(UTC) + timedelta(hours=1),
            )
        )
        assert (await stream.event()).event == "revoked"
        assert await stream.ends()
        await owned(gateway, user)
        assert (await other.event()).event == "portfolio.created"


async def test_a_stream_ends_cleanly_when_the_gateway_stops(database, tmp_path):
    async with gateway_with(database, tmp_path) as gateway, listening(gateway, uuid4()) as stream:
        await stream.event()
        gateway.platform.stopping.set()
        async with asyncio.timeout(5):
            assert await stream.ends()

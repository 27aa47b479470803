"""Who passes the gateway: tokens, roles, cookies, sessions, limits, and what browsers are told."""

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from common.events.auth import SessionRevoked
from gateway.settings import Settings
from tests.integration.gateway_world import gateway, gateway_with

__all__ = ["gateway"]

USER = uuid4()
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
REPORT = f"/api/v1/analytics/portfolio/{uuid4()}/report"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/auth/login"),
        ("POST", "/api/v1/onboarding/register"),
        ("GET", "/api/v1/onboarding/csv-template"),
    ],
)
async def test_what_a_stranger_needs_passes_without_a_token(gateway, method, path):
    gateway.neighbours.answers[f"{method} {path}"] = {"fine": True}
    answer = await gateway.http.request(method, path)
    assert answer.json() == {"fine": True}


async def test_everything_else_needs_a_token(gateway):
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}):
        answer = await gateway.http.get(REPORT, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "ERR_AUTH_001"
        assert answer.headers["www-authenticate"] == "Bearer"
    answer = await gateway.http.get(REPORT, headers=gateway.neighbours.bearer(USER, expires_in=-60))
    assert answer.status_code == 401
    assert gateway.neighbours.requests == []


@pytest.mark.parametrize("path", ["/api/v1/admin/batch/run", "/api/v1/admin/dead-letters/redrive"])
async def test_administration_needs_the_role(gateway, path):
    gateway.neighbours.answers[f"POST {path}"] = {"status": "started"}
    refused = await gateway.http.post(path, headers=gateway.neighbours.bearer(USER))
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "ERR_AUTH_002"
    passed = await gateway.http.post(path, headers=gateway.neighbours.bearer(USER, role="admin"))
    assert passed.status_code == 200


async def test_a_cookie_reads_freely_but_changes_only_with_the_csrf_header(gateway):
    path = "/api/v1/chat/conversations"
    gateway.neighbours.answers |= {f"GET {path}": [], f"POST {path}": {}}
    session = uuid4()
    token = gateway.neighbours.token(USER, session_id=session)
    cookie = f"auth_token={token}; csrf_token=abc"
    assert (await gateway.http.get(path, headers={"Cookie": cookie})).status_code == 200
    bare = await gateway.http.post(path, headers={"Cookie": cookie})
    assert bare.json()["error"]["code"] == "ERR_AUTH_003"
    planted = await gateway.http.post(path, headers={"Cookie": cookie, "X-CSRF-Token": "abc"})
    assert planted.json()["error"]["code"] == "ERR_AUTH_003"
    proof = {"Cookie": cookie, "X-CSRF-Token": session.hex}
    assert (await gateway.http.post(path, headers=proof)).status_code == 200


async def test_a_revoked_session_is_refused_within_a_second_at_every_replica(database, tmp_path):
    session = uuid4()
    async with (
        gateway_with(database, tmp_path) as one,
        gateway_with(database, tmp_path) as other,
    ):
        for gateway in (one, other):
            gateway.neighbours.answers[f"GET {REPORT}"] = {}
            headers = gateway.neighbours.bearer(USER, session_id=session)
            assert (await gateway.http.get(REPORT, headers=headers)).status_code == 200
        await one.deliver(
            SessionRevoked(
                session_id=session,
                user_id=USER,
                expires_at=datetime.now(UTC) + timedelta(hours=1),
            )
        )
        began = time.monotonic()
        for gateway in (one, other):
            headers = gateway.neighbours.bearer(USER, session_id=session)
            while (await gateway.http.get(REPORT, headers=headers)).status_code != 401:
                assert time.monotonic() - began < 1.0
        others = other.neighbours.bearer(USER)
        assert (await other.http.get(REPORT, headers=others)).status_code == 200


async def test_a_restart_remembers_revoked_sessions(database, tmp_path):
    session = uuid4()
    revoked = SessionRevoked(
        session_id=session, user_id=USER, expires_at=datetime.now(UTC) + timedelta(hours=1)
    )
    async with gateway_with(database, tmp_path) as gateway:
        await gateway.deliver(revoked)
    async with gateway_with(database, tmp_path) as gateway:
        gateway.neighbours.answers[f"GET {REPORT}"] = {}
        headers = gateway.neighbours.bearer(USER, session_id=session)
        assert (await gateway.http.get(REPORT, headers=headers)).status_code == 401


async def test_a_made_up_address_does_not_get_past_the_limit(database, tmp_path):
    few = Settings(attempts_per_minute=3)
    async with gateway_with(database, tmp_path, few, clock=lambda: NOON) as gateway:
        gateway.neighbours.answers["POST /api/v1/auth/login"] = {}
        codes = [
            (
                await gateway.http.post(
                    "/api/v1/auth/login", headers={"X-Forwarded-For": f"203.0.113.{number}"}
                )
            ).status_code
            for number in range(5)
        ]
    assert codes == [200, 200, 200, 429, 429]
    assert gateway.neighbours.requests[0].headers["x-forwarded-for"] == "127.0.0.1"


async def test_guessing_at_passwords_is_slowed_by_address(database, tmp_path):
    few = Settings.model_validate({"attempts_per_minute": 3, "trusted_proxies": "127.0.0.1"})
    async with gateway_with(database, tmp_path, few, clock=lambda: NOON) as gateway:
        gateway.neighbours.answers["POST /api/v1/auth/login"] = {}

        async def attempt(address):
            return await gateway.http.post(
                "/api/v1/auth/login", headers={"X-Forwarded-For": address}
            )

        codes = [(await attempt("203.0.113.1")).status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        refused = await attempt("203.0.113.1")
        assert refused.json()["error"]["code"] == "ERR_RATE_LIMITED"
        assert refused.headers["retry-after"] == "60"
        assert (await attempt("203.0.113.2")).status_code == 200


async def test_writes_are_limited_by_user_and_reads_are_not(database, tmp_path):
    path = "/api/v1/chat/conversations"
    few = Settings(writes_per_minute=2)
    async with gateway_with(database, tmp_path, few, clock=lambda: NOON) as gateway:
        gateway.neighbours.answers |= {f"GET {path}": [], f"POST {path}": {}}
        mine, theirs = (gateway.neighbours.bearer(uuid4()) for _ in range(2))
        codes = [(await gateway.http.post(path, headers=mine)).status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        assert (await gateway.http.post(path, headers=theirs)).status_code == 200
        for _ in range(6):
            assert (await gateway.http.get(path, headers=mine)).status_code == 200


async def test_browsers_of_known_origins_may_call_and_others_may_not(gateway):
    asking = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-a"}
    known = await gateway.http.options(
        REPORT, headers={"Origin": "http://localhost:3005", **asking}
    )
    assert (known.status_code, known.text) == (200, "OK")
    assert known.headers["access-control-allow-origin"] == "http://localhost:3005"
    assert known.headers["access-control-allow-credentials"] == "true"
    assert known.headers["access-control-allow-headers"] == "x-a"
    assert known.headers["access-control-max-age"] == "600"
    stranger = await gateway.http.options(REPORT, headers={"Origin": "https://evil", **asking})
    assert (stranger.status_code, stranger.text) == (400, "Disallowed CORS origin")
    refused = await gateway.http.get(REPORT, headers={"Origin": "http://localhost:3005"})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "http://localhost:3005"


async def test_every_answer_tells_browsers_to_be_strict(gateway):
    for path in ("/", "/api/v1/nothing", "/api/v1/onboarding/csv-template"):
        headers = (await gateway.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "content-security-policy" in headers
        assert "x-request-id" in headers

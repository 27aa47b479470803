"""Accounts, logins, sessions and keys, on a real database."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import NAMESPACE_DNS, uuid4, uuid5

import jwt
import pytest
from pwdlib import PasswordHash
from sqlalchemy import text

from auth.main import build
from auth.settings import Settings
from auth.tables import METADATA
from common.events.auth import SessionRevoked, UserRegistered
from common.events.onboarding import Book, PortfolioCreated, PortfolioDeleted
from common.service import Platform, Service
from tests.support.harness import Harness, running
from tests.support.schemas import assert_migrated

INVITE = "PRESCOTT-LINNAEAN-COWPERTHWAITE"
ADA = {
    "email": "Ada@Example.com",
    "password": "Analytical1",
    "full_name": " Ada Lovelace ",
    "invite_code": INVITE,
}


def service(platform: Platform) -> Service:
    return build(Settings(admin_email="boss@example.com"), platform)


@pytest.fixture
async def auth(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("auth", service, database, tmp_path) as harness:
        yield harness


async def registered(auth: Harness, **changes):
    return await auth.http.post("/api/v1/onboarding/register", json={**ADA, **changes})


async def login(auth: Harness, email="ada@example.com", password="Analytical1"):
    return await auth.http.post("/api/v1/auth/login", json={"email": email, "password": password})


def book_of(user_id, portfolio_id) -> Book:
    return Book(
        portfolio_id=portfolio_id,
        revision=1,
        user_id=user_id,
        name="Book",
        equity_balance=Decimal(1),
        opening_session=datetime(2026, 11, 20, tzinfo=UTC).date(),
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
        positions=(),
    )


def bearer(answer) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_a_person_registers_and_logs_in_whatever_the_case_of_the_address(auth):
    answer = await registered(auth)
    assert answer.status_code == 201
    assert answer.json()["email"] == "ada@example.com"
    assert answer.json()["full_name"] == "Ada Lovelace"
    assert answer.json()["user_id"] == str(uuid5(NAMESPACE_DNS, "ada@example.com"))
    token = await login(auth, "ADA@example.com ")
    assert token.json()["expires_in"] == 86400
    assert "HttpOnly" in token.headers["set-cookie"]
    me = await auth.http.get("/api/v1/auth/me", headers=bearer(token))
    assert me.json()["full_name"] == "Ada Lovelace"
    assert me.json()["portfolio_id"] is None
    await auth.eventually(lambda: auth.bus.events(UserRegistered))


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"invite_code": "guess"}, 401, "ERR_INVITE_001"),
        ({"password": "short1A"}, 422, "ERR_USER_003"),
        ({"password": "alllowercase1"}, 422, "ERR_USER_003"),
        ({"full_name": "   "}, 422, "ERR_USER_004"),
        ({"email": "nobody"}, 422, "ERR_VALIDATION"),
        ({"full_name": "x" * 256}, 422, "ERR_VALIDATION"),
    ],
)
async def test_a_bad_registration_is_refused_with_its_code(auth, change, status, code):
    answer = await registered(auth, **change)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["detail"] == answer.json()["error"]["message"]


async def test_the_invite_code_is_checked_before_the_address_is_looked_up(auth):
    await registered(auth)
    assert (await registered(auth, invite_code="guess")).status_code == 401
    taken = await registered(auth, email="ADA@EXAMPLE.COM")
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "ERR_USER_001")


async def test_a_validation_error_never_repeats_the_password(auth):
    answer = await registered(auth, password="x" * 300)
    assert answer.status_code == 422
    assert "xxx" not in answer.text


@pytest.mark.parametrize("bad", ["\x00", "\ud800", "\x1b"], ids=["nul", "half", "escape"])
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/auth/login", "email"),
        ("/api/v1/auth/login", "password"),
        ("/api/v1/onboarding/register", "email"),
        ("/api/v1/onboarding/register", "password"),
        ("/api/v1/onboarding/register", "full_name"),
        ("/api/v1/onboarding/register", "invite_code"),
    ],
)
async def test_characters_nobody_writes_are_refused_by_name(auth, path, field, bad):
    body = json.dumps({**ADA, field: ADA[field] + bad})
    headers = {"Content-Type": "application/json"}  # httpx itself cannot send half a character
    answer = await auth.http.post(path, content=body.encode(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "ERR_VALIDATION")
    assert [fault["field"] for fault in answer.json()["error"]["details"]["errors"]] == [field]
    assert ADA["password"] not in answer.text


class SlowPasswords(PasswordHash):
    """Takes as long over a password as the test wants."""

    def __init__(self) -> None:
        super().__init__(PasswordHash.recommended().hashers)
        self.at_it, self.go_on = threading.Event(), threading.Event()

    def hash(self, password, *, salt=None):
        self._dawdle()
        return super().hash(password, salt=salt)

    def verify(self, password, hash):  # noqa: A002 - the library's name
        self._dawdle()
        return super().verify(password, hash)

    def _dawdle(self) -> None:
        self.at_it.set()
        assert self.go_on.wait(20)


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/v1/onboarding/register"])
async def test_no_connection_is_held_while_a_password_is_checked(auth, path):
    known = await registered(auth)
    slow = SlowPasswords()
    state = auth.service.app.state
    state.policy = replace(state.policy, passwords=slow)
    asked = ADA if path.endswith("login") else {**ADA, "email": "grace@example.com"}
    request = asyncio.create_task(auth.http.post(path, json=asked))
    try:
        await auth.eventually(slow.at_it.is_set)
        # The relay has one now and then, never for long.
        await auth.eventually(
            lambda: auth.service.database.engine.pool.checkedout() == 0, seconds=5
        )
        assert not request.done()
    finally:
        slow.go_on.set()
        answer = await request
    assert answer.is_success
    assert known.is_success


async def test_two_who_take_one_address_at_once_get_one_account(auth):
    answers = await asyncio.gather(*(registered(auth) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_unknown_and_wrong_look_alike(auth):
    await registered(auth)
    wrong, unknown = await login(auth, password="Wrong1234"), await login(auth, "no@example.com")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


async def test_refresh_works_until_logout_which_announces_the_end_of_the_session(auth):
    await registered(auth)
    token = bearer(await login(auth))
    again = await auth.http.post("/api/v1/auth/refresh", headers=token)
    assert again.status_code == 200
    assert (await auth.http.post("/api/v1/auth/logout", headers=token)).json()["success"]
    refused = await auth.http.post("/api/v1/auth/refresh", headers=bearer(again))
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "ERR_SESSION_001")
    revoked = await auth.eventually(lambda: auth.bus.events(SessionRevoked))
    claims = jwt.decode(again.json()["access_token"], options={"verify_signature": False})
    assert str(revoked[0].session_id) == claims["sid"]


async def test_a_cookie_alone_may_read_but_not_change(auth):
    await registered(auth)
    answer = await login(auth)
    assert (await auth.http.get("/api/v1/auth/me")).status_code == 200
    refused = await auth.http.post("/api/v1/auth/logout")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ERR_AUTH_003")
    header = {"X-CSRF-Token": answer.cookies["csrf_token"]}
    assert (await auth.http.post("/api/v1/auth/logout", headers=header)).status_code == 200


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "é"])
async def test_no_valid_token_is_a_401_that_says_bearer(auth, token):
    answer = await auth.http.get(
        "/api/v1/auth/me", headers={"Authorization": f"Bearer {token}".encode()}
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_configured_address_becomes_the_one_administrator(auth):
    await registered(auth, email="boss@example.com")
    me = await auth.http.get(
        "/api/v1/auth/me", headers=bearer(await login(auth, "boss@example.com"))
    )
    assert me.json()["role"] == "admin"


async def test_me_names_the_portfolio_once_its_creation_was_heard_whatever_the_order(auth):
    user_id = (await registered(auth)).json()["user_id"]
    token = bearer(await login(auth))
    book = book_of(user_id, uuid4())
    created = PortfolioCreated(book=book)
    await auth.deliver(created)
    me = await auth.http.get("/api/v1/auth/me", headers=token)
    assert me.json()["portfolio_id"] == str(book.portfolio_id)
    await auth.deliver(
        PortfolioDeleted(portfolio_id=book.portfolio_id, user_id=user_id, revision=2)
    )
    await auth.deliver(created)
    assert (await auth.http.get("/api/v1/auth/me", headers=token)).json()["portfolio_id"] is None


async def test_a_portfolio_deleted_at_the_revision_it_was_made_at_is_gone(auth):
    user_id = (await registered(auth)).json()["user_id"]
    token = bearer(await login(auth))
    portfolio_id = uuid4()
    made = PortfolioCreated(book=book_of(user_id, portfolio_id))
    gone = PortfolioDeleted(portfolio_id=portfolio_id, user_id=user_id, revision=1)
    for event in (made, gone, made):
        await auth.deliver(event)
    assert (await auth.http.get("/api/v1/auth/me", headers=token)).json()["portfolio_id"] is None


async def test_tokens_outlive_a_restart_and_a_change_of_the_secret(database, tmp_path):
    async with running("auth", service, database, tmp_path) as first:
        await registered(first)
        token = bearer(await login(first))
    (tmp_path / "secret-key").unlink()
    async with running("auth", service, database, tmp_path) as second:
        assert (await second.http.get("/api/v1/auth/me", headers=token)).status_code == 200
        keys = (await second.http.get("/.well-known/jwks.json")).json()["keys"]
        assert len(keys) == 2
        assert all("d" not in key for key in keys)


async def test_a_commit_that_fails_answers_5xx(auth):
    """The first commit to fail is the one that matters: nobody is told 201 for nothing."""
    async with auth.platform.database("auth").engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION auth.refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no commit today'; END $$"
            )
        )
        await connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON auth.users "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION auth.refuse()"
            )
        )
    answer = await registered(auth)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "ERR_INTERNAL"
    assert answer.headers["x-request-id"]
    assert auth.bus.published == []


async def test_a_body_that_is_no_json_is_named_as_such(auth):
    answer = await auth.http.post(
        "/api/v1/auth/login", content=b'{"email":', headers={"Content-Type": "application/json"}
    )
    [fault] = answer.json()["error"]["details"]["errors"]
    assert (answer.status_code, fault["field"], fault["code"]) == (422, "body", "json_invalid")


async def test_the_migrated_schema_is_the_one_the_code_describes(auth):
    await assert_migrated(auth.service.database, METADATA)

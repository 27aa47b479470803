"""A database that lets nobody in: nothing is taken, nothing has failed, and everybody is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chat.main import build
from chat.settings import Settings
from common import http, service
from common.bus.delivery import Delivery, attempt
from common.db import Database, parse_url, refusal, role_name, unavailable_when_away
from common.errors import DatabaseAway, Unavailable
from common.events import Envelope
from common.events.risk_engine import RiskCalculated
from common.retry import Retry
from common.service import Platform
from tests.support.databases import FreshDatabase, connected
from tests.support.harness import Harness, running

READ_ONLY = "SET default_transaction_read_only = on"
REFUSALS = ("NOLOGIN", "CONNECTION LIMIT 0", READ_ONLY)


@pytest.fixture
async def chat(database, tmp_path, monkeypatch) -> AsyncIterator[Harness]:
    monkeypatch.setattr(service, "PAUSE_SECONDS", 0.05)

    def made(platform: Platform):
        return build(Settings(), platform)

    async with running("chat", made, database, tmp_path) as harness:
        yield harness


@asynccontextmanager
async def locked_out(
    database: FreshDatabase, admin_url: str, how: str = "NOLOGIN"
) -> AsyncIterator[None]:
    """Let the service's role in no more, or only to read, and end its sessions, for the block."""
    role = role_name(database.namespace, "chat")
    async with connected(admin_url) as admin:

        async def change(*ways: str) -> None:
            for way in ways:
                await admin.execute(f'ALTER ROLE "{role}" {way}')
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role
            )

        await change(how)
        try:
            yield
        finally:
            await change("LOGIN CONNECTION LIMIT -1", "RESET ALL")


@asynccontextmanager
async def renamed(database: FreshDatabase, what: str, to: str) -> AsyncIterator[None]:
    """Have a schema or table go by another name until the block ends."""
    kind = "TABLE" if "." in what else "SCHEMA"
    new = f"{what.partition('.')[0]}.{to}" if kind == "TABLE" else to
    async with connected(database.url) as admin:
        await admin.execute(f"ALTER {kind} {what} RENAME TO {to}")
        try:
            yield
        finally:
            await admin.execute(f"ALTER {kind} {new} RENAME TO {what.rpartition('.')[2]}")


def news() -> RiskCalculated:
    return RiskCalculated(
        portfolio_id=uuid4(),
        revision=1,
        as_of=date(2026, 7, 9),
        panel_version=1,
        status="ok",
        engines={},
    )


async def ages(chat: Harness) -> int:
    async with chat.service.unit_of_work.begin() as unit:
        return int(await unit.connection.scalar(text("SELECT count(*) FROM chat.ages")) or 0)


@pytest.mark.parametrize("how", REFUSALS)
async def test_whoever_is_not_let_in_is_told_that_the_database_is_away(
    chat, database, postgres_admin_url, how
):
    async with locked_out(database, postgres_admin_url, how):
        with pytest.raises(DatabaseAway):
            await chat.service.database.health()
        answer = await chat.http.get("/health/ready")
        assert answer.status_code == 503
        assert "the database" in answer.json()["checks"]["database"]
    assert await ages(chat) == 0


async def test_a_database_that_is_gone_is_away(database):
    """As while it is being restored."""
    gone = Database(parse_url(database.url).set(database="no_such"), "chat")
    with pytest.raises(DatabaseAway, match="no_such"):
        await gone.health()
    await gone.close()


@pytest.mark.parametrize("how", ["NOLOGIN", READ_ONLY, "no schema", "no inbox"])
async def test_a_handler_holds_its_message_until_the_database_is_back(
    chat, database, postgres_admin_url, how
):
    envelope = Envelope.of(news(), producer="test")
    away = {
        "no schema": lambda: renamed(database, "chat", "chat_gone"),
        "no inbox": lambda: renamed(database, "chat.inbox", "inbox_gone"),
    }.get(how, lambda: locked_out(database, postgres_admin_url, how))
    async with away():
        holding = asyncio.create_task(chat.service.handle(envelope))
        await asyncio.sleep(0.3)
        assert not holding.done()
        answer = await chat.http.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["consumer"].startswith("messages are held: the ")
    await asyncio.wait_for(holding, 5)
    assert await ages(chat) == 1
    assert (await chat.http.get("/health/ready")).status_code == 200


@pytest.mark.parametrize(
    ("state", "words", "is_away"),
    [
        ("3F000", 'schema "chat" does not exist', True),
        ("42P01", 'relation "chat.outbox" does not exist', True),
        ("42P01", 'relation "chat.inbox_of_old" does not exist', False),
        ("42501", "permission denied for schema chat", True),
        ("42501", "permission denied for table work", True),
        ("42501", "permission denied for table ages", False),
    ],
)
def test_what_is_missing_for_everybody_is_told_from_what_a_statement_has_wrong(
    state, words, is_away
):
    error = asyncpg.PostgresError.new({"C": state, "M": words})
    assert isinstance(refusal(error), DatabaseAway) is is_away


async def test_a_handler_does_not_hold_its_message_for_ever(
    chat, database, postgres_admin_url, monkeypatch
):
    monkeypatch.setattr(service, "HOLDING_SECONDS", 0.2)
    async with locked_out(database, postgres_admin_url):
        with pytest.raises(DatabaseAway):
            await chat.service.handle(Envelope.of(news(), producer="test"))


async def test_what_was_held_in_vain_has_not_failed():
    """However often: it never becomes a dead letter."""

    async def away(_envelope: Envelope) -> None:
        raise DatabaseAway("the database takes nobody in")

    body = Envelope.of(news(), producer="test").to_bytes()
    for attempts in (1, 2, 50):
        failure = await attempt(Delivery("chat", "x.v1", body, attempts), away, Retry())
        assert failure is not None
        assert (failure.attempts, failure.pause) == (attempts - 1, Retry().ladder[0])


async def test_an_error_of_the_statement_is_not_the_database_being_away(chat):
    async def divide() -> None:
        async with chat.service.unit_of_work.begin() as unit:
            await unit.connection.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError, match="division"):
        await divide()


async def test_a_statement_that_was_cancelled_is_worth_another_try_and_no_more(chat):
    async def wait() -> None:
        async with chat.service.unit_of_work.begin() as unit:
            await unit.connection.execute(text("SET LOCAL statement_timeout = 20"))
            await unit.connection.execute(text("SELECT pg_sleep(5)"))

    with pytest.raises(Unavailable) as cancelled:
        await wait()
    assert not isinstance(cancelled.value, DatabaseAway)


async def test_an_argument_that_cannot_be_encoded_is_the_messages_fault(chat):
    """Taken for a database that is away, the message would be held for ever."""

    async def ask() -> None:
        async with chat.service.unit_of_work.begin() as unit:
            raw = await unit.connection.get_raw_connection()
            await raw.driver_connection.fetch("SELECT $1::integer", "many")

    with pytest.raises(asyncpg.DataError, match="invalid input"):
        await ask()


TOO_MANY = 32_768
"""Arguments of one statement: one more than the protocol counts."""


@pytest.mark.parametrize(
    ("statement", "arguments", "words"),
    [
        ("SELECT $1::int", (1, 2), "the server expects 1 argument"),
        (
            f"SELECT 1 WHERE 1 IN ({', '.join(f'${n}::int' for n in range(1, TOO_MANY + 1))})",
            (1,) * TOO_MANY,
            "cannot exceed 32767",
        ),
    ],
    ids=["wrong number", "too many"],
)
async def test_what_the_driver_has_against_a_statement_is_the_callers_fault(
    chat, statement, arguments, words
):
    """Taken for a database that is away, the message would be held, and all behind it."""

    async def ask() -> None:
        async with chat.service.unit_of_work.begin() as unit:
            await unit.connection.exec_driver_sql(statement, arguments)

    with pytest.raises(DBAPIError, match=words):
        await ask()


async def test_two_statements_at_once_on_one_connection_are_the_callers_fault(chat):
    async def ask() -> None:
        async with chat.service.unit_of_work.begin() as unit:
            raw = await unit.connection.get_raw_connection()
            driver = raw.driver_connection
            answers = await asyncio.gather(
                driver.fetch("SELECT pg_sleep(0.1)"),
                driver.fetch("SELECT 1"),
                return_exceptions=True,
            )
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer

    with pytest.raises(asyncpg.InterfaceError, match="another operation"):
        await ask()


@pytest.mark.parametrize("driver_itself", [False, True])
async def test_a_connection_that_is_lost_in_a_transaction_is_the_database_being_away(
    chat, database, postgres_admin_url, driver_itself
):
    async def ask() -> None:
        async with chat.service.unit_of_work.begin() as unit:
            await unit.connection.execute(text("SELECT 1"))
            async with locked_out(database, postgres_admin_url):
                await asyncio.sleep(0.1)
            if driver_itself:
                raw = await unit.connection.get_raw_connection()
                await raw.driver_connection.fetch("SELECT 1")
            await unit.connection.execute(text("SELECT 1"))

    with pytest.raises(DatabaseAway):
        await ask()


@pytest.mark.parametrize(
    ("state", "kind"),
    [("53100", DatabaseAway), ("53300", DatabaseAway), ("53200", Unavailable)],
)
def test_a_statement_that_asks_for_too_much_is_not_the_database_being_away(state, kind):
    def refuse() -> None:
        with unavailable_when_away(connecting=False):
            raise asyncpg.PostgresError.new({"C": state, "M": "no more"})

    with pytest.raises(Unavailable) as refused:
        refuse()
    assert type(refused.value) is kind


async def test_a_check_that_is_broken_is_named_and_the_answer_stays_a_readiness(chat):
    async def broken() -> None:
        raise ZeroDivisionError

    chat.service.app.state.readiness["odd"] = broken
    answer = await chat.http.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["odd"] == "the check failed: ZeroDivisionError"
    assert (await http.readiness(chat.service.app))["database"] == "ok"

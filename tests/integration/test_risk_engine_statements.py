"""A chunk costs the same few statements however many books it has."""

from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event as sql_event

from common.events.risk_engine import RiskCalculated
from risk_engine.jobs.calculate import Calculator
from tests.support.harness import Harness, running
from tests.support.risk_engine import (
    Marketdata,
    book,
    ended,
    event,
    position,
    prices_ready,
    service,
)

CHUNK = 200
MOST = 20
LEASE = 1
"""The statement that takes the work, before it runs."""
_running: ContextVar[list[str] | None] = ContextVar("_running", default=None)
"""What the work that runs in this context has sent."""


@pytest.fixture
def sent(monkeypatch) -> list[list[str]]:
    """What each work sent, from its first look at the books to the end of its transaction.

    Every statement of a cursor is counted, and every COPY; BEGIN and COMMIT are not. Others
    that look for work meanwhile run in contexts of their own.
    """
    works: list[list[str]] = []
    run, copy = Calculator.run, asyncpg.Connection.copy_records_to_table

    async def spied_run(self: Calculator, *args: Any) -> None:
        works.append([])
        token = _running.set(works[-1])
        try:
            await run(self, *args)
        finally:
            _running.reset(token)

    async def spied_copy(self: asyncpg.Connection, table: str, **given: Any) -> Any:
        note(f"COPY {table}")
        return await copy(self, table, **given)

    monkeypatch.setattr(Calculator, "run", spied_run)
    monkeypatch.setattr(asyncpg.Connection, "copy_records_to_table", spied_copy)
    return works


def note(statement: str) -> None:
    statements = _running.get()
    if statements is not None:
        statements.append(statement)


@pytest.fixture
async def engine(database, tmp_path, sent) -> AsyncIterator[Harness]:
    async with running("risk-engine", service, database, tmp_path) as harness:
        Marketdata({"ACME": 12.0}).publish(harness.neighbours)
        pool = harness.service.database.engine.sync_engine

        def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            note(statement)

        sql_event.listen(pool, "before_cursor_execute", listen)
        yield harness
        sql_event.remove(pool, "before_cursor_execute", listen)


async def test_a_chunk_costs_few_statements_however_many_books_it_has(engine, sent):
    one, *others = [book(position("ACME", 100)) for _ in range(1 + CHUNK)]
    for account in (one, *others):
        await engine.deliver(event(account))

    await engine.deliver(prices_ready(one))
    await engine.eventually(ended(engine, RiskCalculated, 1), 30)
    await engine.deliver(prices_ready(*others))
    await engine.eventually(ended(engine, RiskCalculated, 1 + CHUNK), 60)

    of_one, of_all = sent
    assert len(of_all) == len(of_one)
    assert [sql for sql in of_all if sql.startswith("COPY")] == ["COPY results"]
    assert LEASE + len(of_all) <= MOST, of_all

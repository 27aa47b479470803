"""What the tests of outbox, inbox and work share: one service's schema with nothing else in it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from pydantic import BaseModel
from sqlalchemy import MetaData, Table, func, select

from common.db import Database, dsn, parse_url, role_name, role_password
from common.events.chat import InsightGenerated
from common.messaging import messaging_tables
from common.unit_of_work import Unit, UnitOfWork
from common.work import Finish, Job, Work
from tests.support.databases import ROLE_SECRET, FreshDatabase

SCHEMA = "chat"


class Errand(BaseModel):
    """The payload of a row of work."""

    name: str


@asynccontextmanager
async def a_unit_of_work(database: FreshDatabase) -> AsyncIterator[UnitOfWork]:
    """One whose schema has the messaging tables alone, and the rights of its own role."""
    role = role_name(database.namespace, SCHEMA)
    url = parse_url(database.url).set(username=role, password=role_password(ROLE_SECRET, role))
    own = Database(parse_url(dsn(url)), SCHEMA)
    registry = MetaData(schema=SCHEMA)
    messaging_tables(registry)
    async with own.engine.begin() as connection:
        await connection.run_sync(registry.create_all)
    try:
        yield UnitOfWork(own, producer=SCHEMA)
    finally:
        await own.close()


def insight(title: str = "x") -> InsightGenerated:
    """Return an event to publish."""
    return InsightGenerated(insight_id=uuid4(), portfolio_id=uuid4(), title=title)


async def count(unit_of_work: UnitOfWork, table: Table) -> int:
    """Return how many rows a table has."""
    async with unit_of_work.begin() as unit:
        return int(await unit.connection.scalar(select(func.count()).select_from(table)) or 0)


def job(
    run: Callable[[Work, Finish], Awaitable[None]],
    given_up: list[str],
    split: Callable[[Work], Sequence[Errand]] = lambda _work: (),
) -> dict[str, Job]:
    """Return the job of errands: how one is run or split, and a note of those that are given up."""

    async def give_up(_work: Work, reason: str, unit: Unit) -> None:
        given_up.append(reason)
        unit.publish(insight(f"gave up: {reason}"))

    return {"errand": Job(run, give_up, split)}

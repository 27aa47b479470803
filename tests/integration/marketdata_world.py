"""Marketdata in a small market, for its integration tests."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
from sqlalchemy import event as sql_event
from sqlalchemy import text

from common.clock import Clock
from common.events import Event
from common.events.marketdata import PricedItem, PricesIncomplete, PricesReady
from common.events.onboarding import Book, PortfolioCreated
from common.events.scheduler import RequestedItem, RunRequested
from common.service import Platform, Service
from marketdata.domain import Provider
from marketdata.main import build
from marketdata.settings import Settings
from tests.support.databases import FreshDatabase
from tests.support.harness import Harness, running
from tests.support.market import AFTER_MONDAY


@dataclass
class World:
    """A running marketdata, and what was read of it."""

    harness: Harness
    market: Any
    """The provider: a `FakeMarket` in all tests but one."""

    async def created(self, held: Book, run_id: UUID | None = None) -> PricedItem:
        """Tell of a new book and return how well it is priced."""
        return (await self.priced(PortfolioCreated(book=held), held, run_id=run_id))[0]

    async def requested(self, *books: Book, as_of: date) -> list[PricedItem]:
        """Ask for prices as a run does, and return how well the books are priced."""
        return await self.priced(run_for(*books, as_of=as_of), *books)

    async def priced(
        self, event: Event, *books: Book, run_id: UUID | None = None
    ) -> list[PricedItem]:
        """Deliver an event and return what its run announces of these books."""
        run_id = run_id or uuid4()
        await self.harness.deliver(event, user_id=books[0].user_id, run_id=run_id)
        wanted = {held.portfolio_id for held in books}

        def items() -> list[PricedItem] | None:
            found = {
                item.portfolio_id: item for event in self.announced(run_id) for item in event.items
            }
            return [found[held.portfolio_id] for held in books] if wanted <= set(found) else None

        found: list[PricedItem] = await self.harness.eventually(items, seconds=20)
        return found

    def announced(self, run_id: UUID | None = None) -> list[PricesReady | PricesIncomplete]:
        """Return the price events, all of them or a run's."""
        return [
            message
            for envelope in self.harness.bus.published
            if run_id is None or envelope.run_id == run_id
            if isinstance(message := envelope.message(), PricesReady | PricesIncomplete)
        ]

    async def panel(self, as_of: date, version: int, symbols: str | None = None) -> bytes:
        """Return a panel's bytes."""
        answer = await self.harness.http.get(
            f"/internal/panel/{as_of}/{version}",
            params={} if symbols is None else {"symbols": symbols},
            headers=self.harness.internal,
        )
        assert answer.status_code == 200, answer.text
        return answer.content

    async def metadata(self, as_of: date, version: int, symbols: str | None = None) -> Any:
        """Return what a panel says of itself."""
        return read(await self.panel(as_of, version, symbols))[1]

    async def quiet(self) -> None:
        """Wait until no work is left and everything is announced."""
        await self.until(
            "SELECT 1 WHERE NOT EXISTS (SELECT FROM marketdata.work) "
            "AND NOT EXISTS (SELECT FROM marketdata.outbox)"
        )

    async def until(self, query: str) -> None:
        """Wait until a query finds a row."""
        async with asyncio.timeout(20):
            while not await self.rows(query):
                await asyncio.sleep(0.02)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what is stored."""
        async with self.harness.service.unit_of_work.begin() as unit:
            return [tuple(row) for row in await unit.connection.execute(text(query))]


def run_for(*books: Book, as_of: date) -> RunRequested:
    """Return the request for these books' prices."""
    items = tuple(
        RequestedItem(portfolio_id=held.portfolio_id, revision=held.revision) for held in books
    )
    return RunRequested(job="calculate", as_of=as_of, items=items)


def priced_in(event: PricesReady | PricesIncomplete) -> list[UUID]:
    """Return the portfolios an event names."""
    return [item.portfolio_id for item in event.items]


def read(content: bytes) -> tuple[pa.Table, Any]:
    """Return a panel's table and what it says of itself."""
    table = pa.ipc.open_stream(content).read_all()
    return table, json.loads(table.schema.metadata[b"sigmasight"])


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """Collect what is executed besides health and the housekeeping of inbox, outbox and work."""
    executed: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if not re.search(r"marketdata\.(inbox|outbox|work)\b|transaction_read_only", statement):
            executed.append(statement)

    engine = world.harness.service.database.engine.sync_engine
    sql_event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        sql_event.remove(engine, "before_cursor_execute", note)


def service(
    market: Provider,
    *,
    clock: Clock = lambda: AFTER_MONDAY,
    sessions: int = 40,
    reference_sessions: int = 40,
    loads_ahead: bool = False,
) -> Callable[[Platform], Service]:
    """Return how to build marketdata in this market, on the evening of a Monday.

    It asks for nothing of itself, so that a test knows who did.
    """
    settings = Settings(
        _env_file=None,
        history_sessions=sessions,
        reference_sessions=reference_sessions,
        loads_ahead=loads_ahead,
    )
    return lambda platform: build(settings, replace(platform, clock=clock), market)


@asynccontextmanager
async def marketdata(
    database: FreshDatabase,
    home: Path,
    market: Provider,
    *,
    clock: Clock = lambda: AFTER_MONDAY,
    sessions: int = 40,
    reference_sessions: int = 40,
    loads_ahead: bool = False,
) -> AsyncIterator[World]:
    """Run marketdata."""
    built = service(
        market,
        clock=clock,
        sessions=sessions,
        reference_sessions=reference_sessions,
        loads_ahead=loads_ahead,
    )
    async with running("marketdata", built, database, home) as harness:
        yield World(harness, market)

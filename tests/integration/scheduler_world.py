"""The messages the scheduler hears, made short, and what it has written down and said."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from common.calendar import last_closed_session, session_back
from common.events.marketdata import MissingSymbol, PricedItem, PricesIncomplete, PricesReady
from common.events.onboarding import Book, PortfolioChanged, PortfolioCreated, PortfolioDeleted
from common.events.risk_engine import CalculationFailed, RiskCalculated
from common.events.scheduler import RunCompleted, RunRequested
from common.service import Platform, Service
from scheduler.main import build
from scheduler.settings import Settings
from tests.support.harness import Harness


def today() -> date:
    """The last closed session, as the service takes it: a run of the tests may cross a close."""
    return last_closed_session(datetime.now(UTC))


def yesterday() -> date:
    return session_back(today(), 1)


def service(platform: Platform) -> Service:
    return build(Settings(), platform)


def book(portfolio_id: UUID, user_id: UUID, revision: int) -> Book:
    return Book(
        portfolio_id=portfolio_id,
        revision=revision,
        user_id=user_id,
        name="A book",
        equity_balance=Decimal(1000),
        opening_session=today(),
        created_at=datetime.now(UTC),
        positions=(),
    )


def created(portfolio_id: UUID, user_id: UUID, revision: int = 1) -> PortfolioCreated:
    return PortfolioCreated(book=book(portfolio_id, user_id, revision))


def changed(portfolio_id: UUID, user_id: UUID, revision: int = 2) -> PortfolioChanged:
    return PortfolioChanged(book=book(portfolio_id, user_id, revision))


def deleted(portfolio_id: UUID, user_id: UUID, revision: int = 2) -> PortfolioDeleted:
    return PortfolioDeleted(portfolio_id=portfolio_id, user_id=user_id, revision=revision)


def priced(*portfolio_ids: UUID, revision: int = 1) -> PricesReady:
    items = tuple(
        PricedItem(portfolio_id=portfolio_id, revision=revision, coverage=1.0, symbols=4)
        for portfolio_id in portfolio_ids
    )
    return PricesReady(as_of=today(), panel_version=1, provider="simulated", items=items)


def badly_priced(portfolio_id: UUID, revision: int = 1) -> PricesIncomplete:
    item = PricedItem(
        portfolio_id=portfolio_id,
        revision=revision,
        coverage=0.75,
        symbols=4,
        missing=(MissingSymbol(symbol="ZZZZ", reason="unknown_symbol"),),
    )
    return PricesIncomplete(as_of=today(), panel_version=1, provider="simulated", items=(item,))


def calculated(portfolio_id: UUID, revision: int = 1, as_of: date | None = None) -> RiskCalculated:
    return RiskCalculated(
        portfolio_id=portfolio_id,
        revision=revision,
        as_of=as_of or today(),
        panel_version=1,
        status="ok",
        engines={"valuation": "ok"},
    )


def failed(
    portfolio_id: UUID, revision: int = 1, reason: str = "no_book", *, dated: bool = True
) -> CalculationFailed:
    return CalculationFailed(
        portfolio_id=portfolio_id,
        revision=revision,
        as_of=today() if dated else None,
        reason=reason,
        message="It broke.",
    )


async def rows(harness: Harness, statement: str, **parameters: Any) -> list[dict[str, Any]]:
    async with harness.service.unit_of_work.begin() as unit:
        found = await unit.connection.execute(text(statement), parameters)
        return [dict(row) for row in found.mappings()]


async def run_row(harness: Harness, run_id: UUID) -> dict[str, Any]:
    (row,) = await rows(harness, "SELECT * FROM scheduler.runs WHERE run_id = :run", run=run_id)
    return row


async def item_row(harness: Harness, run_id: UUID, portfolio_id: UUID) -> dict[str, Any]:
    (row,) = await rows(
        harness,
        "SELECT * FROM scheduler.run_items WHERE run_id = :run AND portfolio_id = :portfolio",
        run=run_id,
        portfolio=portfolio_id,
    )
    return row


async def said(harness: Harness, contract: type[Any], run_id: UUID | None = None) -> list[Any]:
    """Return the envelopes of one contract that have left, once nothing waits in the outbox."""
    while await rows(harness, "SELECT 1 FROM scheduler.outbox"):
        await asyncio.sleep(0.005)
    return [
        envelope
        for envelope in harness.bus.published
        if envelope.name == contract.NAME and run_id in {None, envelope.run_id}
    ]


async def endings(harness: Harness, run_id: UUID) -> list[RunCompleted]:
    return [envelope.message() for envelope in await said(harness, RunCompleted, run_id)]


async def requests(harness: Harness, run_id: UUID | None = None) -> list[RunRequested]:
    return [envelope.message() for envelope in await said(harness, RunRequested, run_id)]


async def upload(harness: Harness, *, user_id: UUID | None = None) -> tuple[UUID, UUID, UUID]:
    """Tell of a new portfolio; return its id, its owner and its import's run."""
    portfolio_id, user_id, run_id = uuid4(), user_id or uuid4(), uuid4()
    await harness.deliver(created(portfolio_id, user_id), user_id=user_id, run_id=run_id)
    return portfolio_id, user_id, run_id


async def calculated_upload(harness: Harness, *, user_id: UUID | None = None) -> tuple[UUID, UUID]:
    """Tell of a portfolio whose import has ended; return its id and its owner."""
    portfolio_id, owner, run_id = await upload(harness, user_id=user_id)
    await harness.deliver(calculated(portfolio_id), user_id=owner, run_id=run_id)
    return portfolio_id, owner

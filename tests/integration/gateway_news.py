"""What happens to users' portfolios, told to a gateway under test."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import select

from common.events.marketdata import PricedItem, PricesReady
from common.events.onboarding import Book, BookPosition, PortfolioCreated
from common.events.risk_engine import CalculationProgressed, RiskCalculated

SESSION = date(2026, 1, 5)


def created(portfolio_id, user_id, revision=1):
    position = BookPosition(
        position_id=uuid4(),
        symbol="SECRETCO",
        position_type="LONG",
        investment_class="PUBLIC",
        quantity=Decimal(5),
        entry_price=Decimal("7.5"),
        entry_date=SESSION,
    )
    book = Book(
        portfolio_id=portfolio_id,
        revision=revision,
        user_id=user_id,
        name="Savings",
        equity_balance=Decimal(1000),
        opening_session=SESSION,
        created_at=datetime(2026, 1, 5, tzinfo=UTC),
        positions=(position,),
    )
    return PortfolioCreated(book=book)


def progressed(portfolio_id, done):
    return CalculationProgressed(portfolio_id=portfolio_id, stage="valuation", done=done, total=100)


def calculated(portfolio_id, revision=1):
    return RiskCalculated(
        portfolio_id=portfolio_id,
        revision=revision,
        as_of=SESSION,
        panel_version=1,
        status="ok",
        engines={"valuation": "ok"},
    )


def priced(*portfolio_ids):
    items = tuple(
        PricedItem(portfolio_id=each, revision=1, coverage=1.0, symbols=3) for each in portfolio_ids
    )
    return PricesReady(as_of=SESSION, panel_version=1, provider="simulated", items=items)


async def owned(gateway, user_id=None):
    """Let a user have a portfolio; return both ids."""
    user_id, portfolio_id = user_id or uuid4(), uuid4()
    await gateway.deliver(created(portfolio_id, user_id), user_id=user_id)
    return user_id, portfolio_id


async def rows(gateway, table):
    async with gateway.service.database.engine.connect() as connection:
        return (await connection.execute(select(table))).mappings().all()

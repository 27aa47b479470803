"""Which symbols a book is priced by, of new books and of those from before options were quoted."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.harness import Harness, running
from tests.support.risk_engine import ADA, book, event, position, service

EXPIRY = date(2027, 1, 15)


@pytest.fixture
async def engine(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("risk-engine", service, database, tmp_path) as harness:
        yield harness


def option(symbol: str, kind: str, strike: str | None, **changes: Any):
    terms = {
        "position_type": kind,
        "investment_class": "OPTIONS",
        "underlying_symbol": "SPY",
        "strike_price": None if strike is None else Decimal(strike),
        "expiration_date": EXPIRY,
    }
    return position(symbol, 1, **{**terms, **changes})


HELD = (
    position("ACME", 100),
    position("ART", 1, investment_class="PRIVATE"),
    option("SPY270115C00700000", "LC", "700"),
    option("SAME", "SC", "700.0000"),
    option("SPY270115P00412500", "SP", "412.5", underlying_symbol="BRK-B"),
    option("LP", "LP", "100", underlying_symbol="VIX"),
    option("NO_STRIKE", "LC", None, underlying_symbol="QQQ"),
    option("NO_UNDERLYING", "LC", "10", underlying_symbol=None),
)
PRICED_BY = [
    *("ACME", "BRK-B", "BRK-B 2027-01-15 P 412.5", "QQQ"),
    *("SPY", "SPY 2027-01-15 C 700", "VIX", "VIX 2027-01-15 P 100"),
]


async def symbols(engine: Harness) -> dict[Any, list[str]]:
    async with engine.service.database.engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT portfolio_id, symbols FROM risk_engine.books ORDER BY portfolio_id")
        )
        return {row.portfolio_id: row.symbols for row in rows}


async def test_an_option_is_priced_by_its_contract_and_by_what_it_is_on(engine):
    account = book(*HELD)
    await engine.deliver(event(account), user_id=ADA)
    assert await symbols(engine) == {account.portfolio_id: PRICED_BY}


async def test_what_is_in_another_currency_is_priced_by_nothing(engine):
    account = book(
        *HELD,
        position("SAP", 5, currency="EUR"),
        option("SAP_CALL", "LC", "200", underlying_symbol="SAP", currency="EUR"),
    )
    await engine.deliver(event(account), user_id=ADA)
    assert await symbols(engine) == {account.portfolio_id: PRICED_BY}


async def test_books_of_before_are_brought_up_to_that(engine):
    books = [book(*HELD), book(position("ACME", 1)), book(HELD[1]), book(HELD[2])]
    for account in books:
        await engine.deliver(event(account), user_id=ADA)
    wanted = await symbols(engine)
    migration = import_module("risk_engine.migrations.versions.0003_symbols_of_options")
    async with engine.service.database.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE risk_engine.books SET symbols = '{ACME}' "
                "WHERE symbols @> '{ACME}' OR symbols @> '{SPY}'"
            )
        )
        await connection.execute(text(migration.SYMBOLS_OF_BOOKS))
    found = await symbols(engine)
    assert {key: sorted(value) for key, value in found.items()} == wanted
    assert sorted(wanted.values()) == sorted(
        [PRICED_BY, ["ACME"], [], ["SPY", "SPY 2027-01-15 C 700"]]
    )

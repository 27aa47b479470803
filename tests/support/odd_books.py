"""Books that break what has been thought of too little, on the simulated market."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from pydantic import TypeAdapter

from common import calendar
from common.events.onboarding import Book, BookPosition
from common.options import Contract
from risk_engine.domain import Market
from risk_engine.engine.chunk import StoredBook
from tests.support.risk_engine import book, position
from tests.support.simulated import AS_OF, simulated_market, true_market

_POSITIONS = TypeAdapter(tuple[BookPosition, ...])
OPENING = calendar.session_back(AS_OF, 4)
EXPIRY, GONE = date(2026, 3, 20), date(2025, 12, 19)
SPLIT = "NVDA"
"""Split four for one on the last session, whatever the simulated market says."""
HELD = ("AAPL", "MSFT", "NVDA", "JNJ", "XOM", "SPY", "TLT", "GLD", "QQQ")


def contract(underlying: str, strike: int, right: str, expiry: date = EXPIRY) -> Contract:
    """A listed option of the simulated market."""
    return Contract(underlying, expiry, "call" if right == "C" else "put", Decimal(strike))


def option(underlying: str, strike: int, right: str, quantity: int, **changes: Any) -> BookPosition:
    """So many contracts of an option, paid 10 a share."""
    terms = contract(underlying, strike, right, changes.pop("expiration_date", EXPIRY))
    return position(
        terms.symbol,
        quantity,
        "10",
        position_type=("L" if quantity > 0 else "S") + right,
        investment_class="OPTIONS",
        investment_subtype="CALL" if right == "C" else "PUT",
        multiplier=100,
        underlying_symbol=underlying,
        strike_price=Decimal(strike),
        expiration_date=terms.expiry,
        **changes,
    )


def private(symbol: str, amount: int, subtype: str) -> BookPosition:
    """Something no market quotes, worth what its owner says."""
    return position(symbol, 1, str(amount), investment_class="PRIVATE", investment_subtype=subtype)


def account(*positions: BookPosition, equity: int = 100_000, **changes: Any) -> Book:
    """An account opened four sessions before AS_OF."""
    return book(*positions, opening_session=OPENING, equity_balance=Decimal(equity), **changes)


def _in_dollars() -> Sequence[BookPosition]:
    # With ids that stay, so that each answer can be held against that of the book below.
    held = (
        position("AAPL", 100),
        position("XOM", -40),
        option("SPY", 650, "P", 2),
        private("A house", 40_000, "REAL_ESTATE"),
        position("MSFT", 10, exit_date=AS_OF, exit_price=Decimal(400)),
    )
    return [
        one.model_copy(update={"position_id": UUID(int=place)})
        for place, one in enumerate(held, start=1)
    ]


def in_other_currencies() -> Sequence[BookPosition]:
    """Lots in euros and francs, among them what here is quoted in dollars under the same letters.

    One is closed, all others are open.
    """
    held = (
        position("AAPL", 1_000, currency="EUR"),
        position("SAP", -50, currency="EUR"),
        option("SPY", 650, "P", -7, currency="EUR"),
        option("SAP", 200, "C", 3, currency="EUR"),
        private("CASH_CHF", 20_000, "CASH").model_copy(update={"currency": "CHF"}),
        position("XOM", 30, currency="CHF", exit_date=AS_OF, exit_price=Decimal(100)),
    )
    return [
        one.model_copy(update={"position_id": UUID(int=100 + place)})
        for place, one in enumerate(held)
    ]


OPEN_IN_OTHER_CURRENCIES = 5


def _many() -> Sequence[BookPosition]:
    symbols = [name for name in true_market().symbols() if name.startswith("SYN")] or list(
        true_market().symbols()
    )
    return [
        position(symbol, 10 if place % 3 else -5, "50")
        for place, symbol in enumerate(symbols[:500])
    ]


def odd_books() -> Mapping[str, Book]:
    """Return the books by what is odd about them."""
    options = (
        option("SPY", 650, "P", 2),
        option("SPY", 700, "C", -3),
        option("AAPL", 250, "C", 5),
    )
    return {
        "no prices": account(position("NOSUCH", 100), position("NEITHER", -50)),
        "one price": account(position("AAPL", 100), position("NOSUCH", 100)),
        "all options": account(*options),
        "net short": account(position("SPY", -400), position("AAPL", 100), equity=300_000),
        "nothing left": account(position("AAPL", 10), equity=-5_000),
        "worth nothing": account(equity=0),
        "nothing but cash": account(),
        "one position": account(position("AAPL", 100)),
        "five hundred positions": account(*_many(), equity=1_000_000),
        "an expired option": account(
            position("SPY", 10), option("SPY", 650, "C", 1, expiration_date=GONE)
        ),
        "another currency": account(position("AAPL", 100), currency="EUR"),
        "only in dollars": account(*_in_dollars()),
        "positions in other currencies": account(*_in_dollars(), *in_other_currencies()),
        "nothing in dollars": account(*in_other_currencies()),
        "a split yesterday": account(position(SPLIT, 100), position("MSFT", 5)),
        "only private assets": account(
            private("A house", 400_000, "REAL_ESTATE"),
            private("A fund", 50_000, "VENTURE_CAPITAL"),
            private("CASH_USD", 20_000, "CASH"),
            equity=500_000,
        ),
        "everything": account(
            *(position(symbol, 20) for symbol in HELD),
            *options,
            private("A fund", 50_000, "HEDGE_FUND"),
            position("XOM", 10, exit_date=AS_OF, exit_price=Decimal(100)),
            equity=200_000,
        ),
    }


def stored(book: Book) -> StoredBook:
    """A book as the risk engine keeps it."""
    return StoredBook(
        portfolio_id=book.portfolio_id,
        user_id=book.user_id,
        revision=book.revision,
        name=book.name,
        currency=book.currency,
        equity_balance=book.equity_balance,
        opening_session=book.opening_session,
        symbols=(),
        positions=_POSITIONS.dump_json(book.positions or ()).decode(),
    )


def odd_market(books: Mapping[str, Book]) -> Market:
    """Return the market of these books, with a split on its last session."""
    symbols = {
        symbol
        for one in books.values()
        for held in one.positions or ()
        for symbol in (held.symbol, held.underlying_symbol)
        if symbol is not None
    }
    market = simulated_market(sorted(symbols), whole=True)
    prices = market.prices
    column = prices.columns[SPLIT]
    tables = {
        name: table.copy()
        for name in ("open", "high", "low", "close")
        if (table := getattr(prices, name)) is not None
    }
    for table in tables.values():
        table[-1, column] /= 4
    split_ratio = prices.split_ratio.copy()
    split_ratio[-1, column] = 4.0
    assert np.isfinite(tables["close"][-1, column])
    return replace(market, prices=replace(prices, split_ratio=split_ratio, **tables))

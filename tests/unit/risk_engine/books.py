"""Small books and markets for the tests: sessions from 30 December 2025, Monday 5 January opens."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np

from risk_engine.domain import Book, Position, Prices

SESSIONS = (
    date(2025, 12, 30),
    date(2025, 12, 31),
    date(2026, 1, 2),
    date(2026, 1, 5),
    date(2026, 1, 6),
    date(2026, 1, 7),
    date(2026, 1, 8),
    date(2026, 1, 9),
)
OPENING, AS_OF = date(2026, 1, 5), date(2026, 1, 9)
NAN = float("nan")


def position(number, symbol, quantity, entry_price, **changes):
    """A public long or short, entered long before the opening."""
    line = Position(
        id=UUID(int=number),
        symbol=symbol,
        position_type="LONG" if Decimal(quantity) > 0 else "SHORT",
        investment_class="PUBLIC",
        investment_subtype=None,
        quantity=Decimal(quantity),
        multiplier=Decimal(1),
        entry_price=Decimal(entry_price),
        entry_date=date(2024, 3, 1),
    )
    return replace(line, **changes)


def option(number, quantity, entry_price, expiration=date(2029, 1, 19)):
    """A listed call on SPY, 100 units a contract."""
    return position(
        number,
        "SPY290119C00700000",
        quantity,
        entry_price,
        position_type="LC" if Decimal(quantity) > 0 else "SC",
        investment_class="OPTIONS",
        investment_subtype="CALL",
        multiplier=Decimal(100),
        underlying_symbol="SPY",
        strike_price=Decimal(700),
        expiration_date=expiration,
    )


def private(number, symbol, entry_price):
    """One unit of something no market quotes."""
    return position(
        number,
        symbol,
        "1",
        entry_price,
        investment_class="PRIVATE",
        investment_subtype="PRIVATE_EQUITY",
    )


def book(positions: Iterable[Position], equity="100000", number=1, **changes):
    """A USD account opened on Monday 5 January."""
    account = Book(
        portfolio_id=UUID(int=number),
        user_id=UUID(int=900 + number),
        revision=3,
        name="Hand-worked",
        currency="USD",
        equity_balance=Decimal(equity),
        opening_session=OPENING,
        positions=tuple(positions),
    )
    return replace(account, **changes)


def market(
    closes: Mapping[str, Iterable[float]],
    splits: Mapping[tuple[str, date], float] | None = None,
    dividends: Mapping[tuple[str, date], float] | None = None,
    missing: Mapping[str, str] | None = None,
    sessions=SESSIONS,
):
    """A panel of these closes, one per session, with these corporate actions."""
    symbols = tuple(closes)
    close = np.array([list(closes[symbol]) for symbol in symbols]).reshape(
        len(symbols), len(sessions)
    )
    tables = []
    for idle, cells in ((1.0, splits or {}), (0.0, dividends or {})):
        table = np.full((len(sessions), len(symbols)), idle)
        for (symbol, session), value in cells.items():
            table[sessions.index(session), symbols.index(symbol)] = value
        tables.append(table)
    return Prices(
        as_of=sessions[-1],
        panel_version=7,
        sessions=sessions,
        symbols=symbols,
        close=close.T.copy(),
        split_ratio=tables[0],
        dividend=tables[1],
        provider="simulated",
        missing=missing or {},
    )

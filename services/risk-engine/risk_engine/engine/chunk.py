"""Calculate a chunk of stored books: text in, text out, so that no heavy reading or writing of JSON
is left to the event loop.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from risk_engine.domain import Book, Failure, Position, Prices, Status, Valuation
from risk_engine.engine.fingerprint import input_hash
from risk_engine.engine.payload import to_payload
from risk_engine.engine.valuation import MODEL_VERSION, value_books


@dataclass(frozen=True, slots=True)
class StoredBook:
    """A book as its replica keeps it.

    `positions` is a JSON list in the form of `common.events.onboarding.BookPosition`. `symbols` are
    the ones it is priced by. `opening_cash` is what an earlier calculation found, or none.
    """

    portfolio_id: UUID
    user_id: UUID
    revision: int
    name: str
    currency: str
    equity_balance: Decimal
    opening_session: date
    symbols: tuple[str, ...]
    positions: str
    opening_cash: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Calculated:
    """A book's valuation, ready to be stored.

    `payload` is the JSON of `to_payload`, `totals` its totals by name. `opening_cash` is none when
    the opening session precedes the panel, so that it could not be calculated.
    """

    portfolio_id: UUID
    revision: int
    opening_session: date
    status: Status
    model_version: str
    input_hash: str
    payload: str
    totals: Mapping[str, Any]
    opening_cash: Decimal | None


def calculate(books: Sequence[StoredBook], prices: Prices) -> list[Calculated | Failure]:
    """Value the books of a chunk at `prices.as_of`; the answers are in the order of the books.

    A book that breaks the engine fails alone, whatever it does to the others on the way.
    """
    try:
        return _calculate(books, prices)
    except Exception as error:  # noqa: BLE001 - a bug met by one book must not cost the others
        if len(books) == 1:
            return [Failure("engine_error", f"The engine failed: {type(error).__name__}: {error}")]
        middle = len(books) // 2
        return [*calculate(books[:middle], prices), *calculate(books[middle:], prices)]


def _calculate(stored: Sequence[StoredBook], prices: Prices) -> list[Calculated | Failure]:
    opening_cash = {
        one.portfolio_id: one.opening_cash for one in stored if one.opening_cash is not None
    }
    books = [_book(one) for one in stored]
    return [
        answer if isinstance(answer, Failure) else _calculated(book, answer, prices, opening_cash)
        for book, answer in zip(
            books, value_books(books, prices, prices.as_of, opening_cash), strict=True
        )
    ]


def _calculated(
    book: Book, valuation: Valuation, prices: Prices, opening_cash: Mapping[UUID, Decimal]
) -> Calculated:
    payload = to_payload(valuation)
    complete = book.opening_session >= prices.sessions[0]
    return Calculated(
        portfolio_id=book.portfolio_id,
        revision=book.revision,
        opening_session=book.opening_session,
        status=valuation.status,
        model_version=MODEL_VERSION,
        input_hash=input_hash(book, prices, prices.as_of, opening_cash.get(book.portfolio_id)),
        payload=json.dumps(payload, allow_nan=False, separators=(",", ":")),
        totals=payload["totals"],
        # The shortest text that reads back as the same float64.
        opening_cash=Decimal(repr(valuation.totals.opening_cash)) if complete else None,
    )


def _book(stored: StoredBook) -> Book:
    return Book(
        portfolio_id=stored.portfolio_id,
        user_id=stored.user_id,
        revision=stored.revision,
        name=stored.name,
        currency=stored.currency,
        equity_balance=stored.equity_balance,
        opening_session=stored.opening_session,
        positions=tuple(_position(record) for record in json.loads(stored.positions)),
    )


def _position(record: Mapping[str, Any]) -> Position:
    return Position(
        id=UUID(record["position_id"]),
        symbol=record["symbol"],
        position_type=record["position_type"],
        investment_class=record["investment_class"],
        investment_subtype=record["investment_subtype"],
        quantity=Decimal(record["quantity"]),
        multiplier=Decimal(record["multiplier"]),
        entry_price=Decimal(record["entry_price"]),
        entry_date=date.fromisoformat(record["entry_date"]),
        exit_date=_date(record["exit_date"]),
        exit_price=_decimal(record["exit_price"]),
        underlying_symbol=record["underlying_symbol"],
        strike_price=_decimal(record["strike_price"]),
        expiration_date=_date(record["expiration_date"]),
    )


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

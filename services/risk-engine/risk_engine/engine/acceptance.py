"""Judge which books and positions can be valued at all, and say why others cannot."""

import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from risk_engine.domain import PANEL_CURRENCY, Book, Failure, Position, Prices

# float64 keeps cents up to 9e13; a larger amount is an error of the book, not wealth.
MAX_AMOUNT = 9e13
UNSUPPORTED_CURRENCY: Final = "unsupported_currency"
"""Why an account has no result, and why a position of one that has is in none of its totals."""


def refusal(
    book: Book, prices: Prices, as_of: date, opening_cash: Mapping[UUID, Decimal]
) -> Failure | None:
    """Say why a book cannot be valued at all; none if it can."""
    if as_of not in prices.rows:
        return Failure("as_of_not_in_panel", f"{as_of} is not a session of the price panel.")
    if as_of < book.opening_session:
        return Failure(
            "before_opening",
            f"The account opened on {book.opening_session}; its value on {as_of} is not known.",
        )
    if book.currency != PANEL_CURRENCY:
        return Failure(
            UNSUPPORTED_CURRENCY,
            f"The account is kept in {book.currency}; prices are in {PANEL_CURRENCY}.",
        )
    if not _is_amount(book.equity_balance):
        return Failure(
            "invalid_equity_balance", f"The equity balance {book.equity_balance} is not an amount."
        )
    if book.opening_session < prices.first_session:
        stored = opening_cash.get(book.portfolio_id)
        if stored is None or not _is_amount(stored):
            return Failure(
                "no_opening_cash",
                f"The opening session {book.opening_session} precedes the price panel, which "
                f"starts on {prices.first_session}, and no opening cash is stored.",
            )
    return None


def is_known_since_opening(book: Book, prices: Prices) -> bool:
    """Say whether all that acted on a book's shares since they count is known.

    In the panel it is. Of before it, where marketdata's bars of what is held reach as far back.
    """

    def is_known(position: Position) -> bool:
        since = max(book.opening_session, position.entry_date)
        left = position.exit_date
        symbol = position.symbol
        if position.investment_class == "OPTIONS":
            symbol = position.underlying_symbol or symbol
        unaffected = (
            position.investment_class == "PRIVATE"
            or symbol not in prices.columns
            or since >= prices.first_session
            or (left is not None and left <= since)
        )
        return unaffected or prices.loaded_from.get(symbol, date.max) <= since

    return book.opening_session >= prices.first_session or all(map(is_known, book.positions))


class Amounts(NamedTuple):
    """What a position says in numbers, NaN if it does not."""

    quantity: float
    multiplier: float
    entry_price: float
    exit_price: float


def amounts_of(position: Position, as_of: date) -> Amounts:
    """Read a position's numbers as they are known on a day."""
    return Amounts(
        _number(position.quantity),
        _number(position.multiplier),
        _number(position.entry_price),
        _number(_exit_price(position, as_of)),
    )


def fault_of(position: Position, amounts: Amounts, as_of: date) -> str | None:
    """Say why a position cannot be valued on a day, in a code; none if it can."""
    size = amounts.quantity * amounts.multiplier
    # NaN fails every comparison.
    sized = abs(size) <= MAX_AMOUNT and amounts.multiplier > 0
    if sized and position.currency != PANEL_CURRENCY:
        return UNSUPPORTED_CURRENCY
    left = position.exit_date
    if left is not None and left <= as_of and position.exit_price is None:
        return "no_exit_price"
    paid = [amounts.entry_price]
    if _exit_price(position, as_of) is not None:
        paid.append(amounts.exit_price)
    priced = all(price >= 0 and abs(size) * price <= MAX_AMOUNT for price in paid)
    backwards = left is not None and left < position.entry_date
    return None if sized and priced and not backwards else "invalid_position"


def _exit_price(position: Position, as_of: date) -> Decimal | None:
    # An exit yet to come is not known on `as_of`.
    left = position.exit_date
    return position.exit_price if left is not None and left <= as_of else None


def _number(value: Decimal | None) -> float:
    # float() refuses a signalling NaN.
    return math.nan if value is None or value.is_nan() else float(value)


def _is_amount(value: Decimal) -> bool:
    return abs(_number(value)) <= MAX_AMOUNT

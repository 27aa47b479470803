"""Judge what of a book can be valued, and lay it out as arrays. Decimal ends here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import numpy as np

from risk_engine.domain import Book, Failure, Position, Prices, PriceSource
from risk_engine.engine.marks import NEVER, OptionPrices, Terms, marks_of, settled, terms_of
from risk_engine.quant.panel import (
    NO_COLUMN,
    NO_SERIES,
    BoolArray,
    IntArray,
    Marks,
    Panel,
    sound_columns,
)
from risk_engine.quant.valuation import Accounts, Holdings

# float64 keeps cents up to 9e13; a larger amount is an error of the book, not wealth.
MAX_AMOUNT = 9e13
TOO_LARGE = "amount_too_large"
NO_ROW = -1
SUPPORTED_CURRENCY = "USD"  # the panel's: closes carry no other


@dataclass(frozen=True)
class Line:
    """A position with its row in the arrays; none if it cannot be valued, and then `reason`.

    Of a position that can, `reason` is what to answer should it turn out to have no price, `source`
    where a price is from; `fault` is why it cannot be valued from its exit on.
    """

    position: Position
    row: int | None
    reason: str
    source: PriceSource = "close"
    fault: str | None = None


@dataclass(frozen=True)
class Ledger:
    """The books of a chunk as arrays, and the lines each book is made of, in order.

    `faulty_from`, (holdings,), is the day from which a holding cannot be valued; `is_settled` marks
    options that expired and whose intrinsic value is known: that is their exit.
    """

    panel: Panel
    marks: Marks
    holdings: Holdings
    faulty_from: IntArray
    is_settled: BoolArray
    accounts: Accounts
    lines: tuple[tuple[Line, ...], ...]


def in_order(positions: Sequence[Position]) -> list[Position]:
    """Put positions in the one order in which they are added up, hashed and listed."""
    return sorted(positions, key=lambda one: (one.symbol, one.entry_date, one.id))


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
    if book.currency != SUPPORTED_CURRENCY:
        return Failure(
            "unsupported_currency",
            f"The account is kept in {book.currency}; prices are in {SUPPORTED_CURRENCY}.",
        )
    if not _is_amount(book.equity_balance):
        return Failure(
            "invalid_equity_balance", f"The equity balance {book.equity_balance} is not an amount."
        )
    if book.opening_session < prices.sessions[0]:
        stored = opening_cash.get(book.portfolio_id)
        if stored is None or not _is_amount(stored):
            return Failure(
                "no_opening_cash",
                f"The opening session {book.opening_session} precedes the price panel, which "
                f"starts on {prices.sessions[0]}, and no opening cash is stored.",
            )
    return None


def lay_out(
    books: Sequence[Book],
    prices: Prices,
    opening_cash: Mapping[UUID, Decimal],
    options: OptionPrices,
    span: tuple[date, date],
) -> Ledger:
    """Lay out books that passed `refusal`, to be valued on sessions from the first to the last.

    The panel ends there, so nothing sees past it.
    """
    since, as_of = span
    end = prices.rows[as_of] + 1
    panel = Panel(
        day=_days(prices.sessions[:end]),
        close=prices.close[:end],
        split_ratio=prices.split_ratio[:end],
        dividend=prices.dividend[:end],
    )
    sound = sound_columns(panel.split_ratio, panel.dividend).tolist()
    usable = {symbol: column for symbol, column in prices.columns.items() if sound[column]}
    lines: list[tuple[Line, ...]] = []
    held: list[_Held] = []
    for account, book in enumerate(books):
        of_book = []
        for position in in_order(book.positions):
            amounts = _Amounts(
                _number(position.quantity),
                _number(position.multiplier),
                _number(position.entry_price),
                _number(_exit_price(position, as_of)),
            )
            fault = _fault(position, amounts, since)
            if fault is not None:
                of_book.append(Line(position, None, fault))
                continue
            today = options.today(account, position)
            column, reason, source = _price_source(position, prices, usable, today, as_of)
            # A position that is not left has no other fault later.
            fault = None if position.exit_date is None else _fault(position, amounts, as_of)
            of_book.append(Line(position, len(held), reason, source, fault))
            held.append(_Held(account, column, position, amounts, today[0], fault is not None))
        lines.append(tuple(of_book))
    accounts = _accounts(books, prices, opening_cash)
    return _ledger(panel, held, accounts, tuple(lines), (options, prices, usable))


def without(ledger: Ledger, rows: BoolArray, reason: str | None = None) -> Ledger:
    """Take holdings out of the arrays; their lines stay, without a row and with this reason.

    Without a reason given, it is the line's fault.
    """
    if not rows.any():
        return ledger
    place = np.where(rows, NO_ROW, np.cumsum(~rows) - 1).tolist()

    def moved(line: Line) -> Line:
        if line.row is None:
            return line
        if place[line.row] == NO_ROW:
            return Line(line.position, None, reason or line.fault or line.reason)
        return replace(line, row=place[line.row])

    kept = {one.name: getattr(ledger.holdings, one.name)[~rows] for one in fields(Holdings)}
    return replace(
        ledger,
        holdings=Holdings(**kept),
        faulty_from=ledger.faulty_from[~rows],
        is_settled=ledger.is_settled[~rows],
        lines=tuple(tuple(moved(line) for line in of_book) for of_book in ledger.lines),
    )


class _Amounts(NamedTuple):
    quantity: float
    multiplier: float
    entry_price: float
    exit_price: float


class _Held(NamedTuple):
    account: int
    column: int
    position: Position
    amounts: _Amounts
    option_price: float
    is_faulty: bool


def _ledger(
    panel: Panel,
    held: Sequence[_Held],
    accounts: Accounts,
    lines: tuple[tuple[Line, ...], ...],
    market: tuple[OptionPrices, Prices, Mapping[str, int]],
) -> Ledger:
    options, prices, usable = market
    positions = [one.position for one in held]
    column = np.array([one.column for one in held], dtype=np.int64)
    terms = terms_of(positions, column, usable)
    holdings = _holdings(held, terms)
    since_day = np.maximum(accounts.opening_day[holdings.account], holdings.entry_day)
    series, marks = marks_of(
        positions,
        holdings.account.tolist(),
        options,
        prices.sessions[: panel.day.size],
        [one.option_price for one in held],
    )
    paid = settled(panel, terms, since_day)
    is_settled = ~np.isnan(paid) & (holdings.exit_day > terms.expiry_day)
    is_settled &= holdings.entry_day <= terms.expiry_day
    return Ledger(
        panel=panel,
        marks=marks,
        holdings=replace(
            holdings,
            series=series,
            exit_day=np.where(is_settled, terms.expiry_day, holdings.exit_day),
            exit_price=np.where(is_settled, paid, holdings.exit_price),
        ),
        faulty_from=np.where(
            np.array([one.is_faulty for one in held], dtype=np.bool_), holdings.exit_day, NEVER
        ),
        is_settled=is_settled,
        accounts=accounts,
        lines=lines,
    )


def _holdings(held: Sequence[_Held], terms: Terms) -> Holdings:
    amounts = np.array([one.amounts for one in held], dtype=np.float64).reshape(-1, 4)
    positions = [one.position for one in held]
    return Holdings(
        account=np.array([one.account for one in held], dtype=np.int64),
        column=np.array([one.column for one in held], dtype=np.int64),
        split_column=terms.split_column,
        series=np.full(len(held), NO_SERIES, dtype=np.int64),
        expects_price=np.array([one.investment_class != "PRIVATE" for one in positions], np.bool_),
        quantity=amounts[:, 0],
        multiplier=amounts[:, 1],
        entry_price=amounts[:, 2],
        exit_price=amounts[:, 3],
        entry_day=_days([one.entry_date for one in positions]),
        exit_day=_days([one.exit_date or date.max for one in positions]),
        expiry_day=terms.expiry_day,
    )


def _accounts(
    books: Sequence[Book], prices: Prices, opening_cash: Mapping[UUID, Decimal]
) -> Accounts:
    stored = [
        float(opening_cash[book.portfolio_id])
        if book.opening_session < prices.sessions[0]
        else math.nan
        for book in books
    ]
    return Accounts(
        equity=np.array([float(book.equity_balance) for book in books]),
        opening_day=_days([book.opening_session for book in books]),
        stored_opening_cash=np.array(stored),
    )


def _price_source(
    position: Position,
    prices: Prices,
    usable: Mapping[str, int],
    option: tuple[float, PriceSource | None, str | None],
    as_of: date,
) -> tuple[int, str, PriceSource]:
    # Only public positions are looked up by symbol: a private asset may share a ticker's letters,
    # and an option's row may carry its underlying's symbol.
    if position.investment_class == "PRIVATE":
        return NO_COLUMN, "private_asset", "carried"
    if position.investment_class == "OPTIONS":
        _, source, reason = option
        expiry = position.expiration_date
        expired = expiry is not None and expiry <= as_of
        return NO_COLUMN, "expired" if expired else reason or "no_price", source or "carried"
    column = prices.columns.get(position.symbol)
    if column is None:
        return NO_COLUMN, prices.missing.get(position.symbol, "unknown_symbol"), "carried"
    if position.symbol not in usable:
        return NO_COLUMN, "invalid_market_data", "carried"
    return column, prices.missing.get(position.symbol, "no_price"), "close"


def _fault(position: Position, amounts: _Amounts, as_of: date) -> str | None:
    left = position.exit_date
    if left is not None and left <= as_of and position.exit_price is None:
        return "no_exit_price"
    size = amounts.quantity * amounts.multiplier
    paid = [amounts.entry_price]
    if _exit_price(position, as_of) is not None:
        paid.append(amounts.exit_price)
    # NaN fails every comparison.
    sized = abs(size) <= MAX_AMOUNT and amounts.multiplier > 0
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


def _days(dates: Sequence[date]) -> IntArray:
    return np.array([one.toordinal() for one in dates], dtype=np.int64)

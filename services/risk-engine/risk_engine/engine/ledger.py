"""Lay out what of books can be valued as arrays. Decimal ends here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import numpy as np

from risk_engine.domain import Book, Position, Prices, PriceSource
from risk_engine.engine.acceptance import Amounts, amounts_of, fault_of
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

TOO_LARGE = "amount_too_large"
NO_ROW = -1


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
        first=prices.early,
    )
    sound = sound_columns(panel.split_ratio, panel.dividend).tolist()
    usable = {symbol: column for symbol, column in prices.columns.items() if sound[column]}
    lines: list[tuple[Line, ...]] = []
    held: list[_Held] = []
    for account, book in enumerate(books):
        of_book = []
        for position in in_order(book.positions):
            amounts = amounts_of(position, as_of)
            fault = fault_of(position, amounts, since)
            if fault is not None:
                of_book.append(Line(position, None, fault))
                continue
            today = options.today(account, position)
            column, reason, source = _price_source(position, prices, usable, today, as_of)
            # A position that is not left has no other fault later.
            fault = None if position.exit_date is None else fault_of(position, amounts, as_of)
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


class _Held(NamedTuple):
    account: int
    column: int
    position: Position
    amounts: Amounts
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
        if book.opening_session < prices.first_session
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


def _days(dates: Sequence[date]) -> IntArray:
    return np.array([one.toordinal() for one in dates], dtype=np.int64)

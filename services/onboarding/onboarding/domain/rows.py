"""From a row of the file to a position, or to every fault of the row."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from onboarding.domain.cells import parse_date, parse_number
from onboarding.domain.checks import RowCheck
from onboarding.domain.classification import classify, filled_option_columns, subtype_of
from onboarding.domain.codes import Code
from onboarding.domain.columns import Column
from onboarding.domain.csv_file import Row
from onboarding.domain.currencies import read_currency
from onboarding.domain.faults import Fault, fault, shown
from onboarding.domain.occ import Unlisted, format_occ, parse_occ
from onboarding.domain.options import read_terms
from onboarding.domain.positions import (
    InvestmentClass,
    OptionTerms,
    PositionRow,
    default_subtype,
    multiplier_of,
    position_type,
)
from onboarding.domain.symbols import MAX_SYMBOL_CHARACTERS, is_future, is_symbol, respelt

_SIGNS_OF_A_POSITION = 2  # of three: a quantity, a price and a date, each in its column
_NO_FUTURES = (
    "Leave the row out, and count what the contract has gained or lost in the equity balance. "
    "To see its risk, give a listed fund on the same thing."
)
_NO_DASH = "Begin with a letter or digit; a short position has a negative quantity."


@dataclass(frozen=True)
class Lot:
    """What makes a row a lot of its own; two rows with equal lots are one too many."""

    symbol: str
    entry_date: date
    is_short: bool
    currency: str
    terms: OptionTerms | None


@dataclass(frozen=True)
class CheckedRow:
    """A row's position, None if it has faults, and its lot, None if that cannot be told."""

    position: PositionRow | None
    lot: Lot | None
    faults: tuple[Fault, ...]


def check_row(row: Row, today: date) -> CheckedRow:
    """Check every cell of a row, and the cells against each other; `today` is New York's date."""
    check = RowCheck(row, today)
    symbol = check.text(Column.SYMBOL).upper()
    occ = parse_occ(symbol)
    quantity, entry_price, entry_date = check.quantity(), check.entry_price(), check.entry_date()
    investment_class = classify(check, symbol, is_occ=occ is not None)
    subtype = subtype_of(check, investment_class)
    terms = read_terms(check, investment_class, subtype, occ, entry_date)
    exit_date, exit_price = _exit(check, entry_date, investment_class)
    currency = read_currency(check, symbol)
    _check_amounts(check, quantity, multiplier_of(investment_class), entry_price, exit_price)
    _check_symbol(check, occ, terms)

    faults = _surplus(row) + check.faults
    position = None
    if not faults and quantity and entry_price and entry_date and investment_class and currency:
        position = PositionRow(
            row=row.number,
            symbol=symbol,
            quantity=quantity,
            entry_price=entry_price,
            entry_date=entry_date,
            investment_class=investment_class,
            investment_subtype=_subtype(subtype, terms, investment_class, symbol),
            position_type=position_type(quantity, terms.option_type if terms else None),
            currency=currency,
            underlying_symbol=terms.underlying_symbol if terms else None,
            strike_price=terms.strike_price if terms else None,
            expiration_date=terms.expiration_date if terms else None,
            exit_date=exit_date,
            exit_price=exit_price,
        )
    return CheckedRow(position, _lot(check, investment_class, currency, terms), tuple(faults))


def commented_position(row: Row) -> Fault | None:
    """Return the fault of a comment that looks like a position, None for any other comment.

    A position behind a `#` would else be left out without a word.
    """
    signs = (
        parse_number(row.cells[Column.QUANTITY]) is not None,
        parse_number(row.cells[Column.ENTRY_PRICE]) is not None,
        parse_date(row.cells[Column.ENTRY_DATE]) is not None,
    )
    if sum(signs) < _SIGNS_OF_A_POSITION:
        return None
    symbol = row.cells[Column.SYMBOL]
    message = f"Line {row.number} starts with '#' but looks like a position in '{shown(symbol)}'."
    return fault(Code.ERR_CSV_011, message, row=row.number, field=Column.SYMBOL, value=symbol)


def _surplus(row: Row) -> list[Fault]:
    if row.surplus is None:
        return []
    message = f"The value '{shown(row.surplus)}' stands under no column."
    return [fault(Code.ERR_CSV_007, message, row=row.number, value=row.surplus)]


def _check_symbol(
    check: RowCheck, occ: OptionTerms | Unlisted | None, terms: OptionTerms | None
) -> None:
    column, text = Column.SYMBOL, check.text(Column.SYMBOL)
    if not text:
        occ_symbol = format_occ(terms) if terms else None
        hint = f"Use the contract's OCC symbol, {occ_symbol}." if occ_symbol else None
        check.note(Code.ERR_POS_001, column, hint=hint)
        return
    if len(text) > MAX_SYMBOL_CHARACTERS:
        message = f"{check.named(column)} has {len(text)} characters; {MAX_SYMBOL_CHARACTERS} fit."
        check.note(Code.ERR_POS_002, column, message)
    if not is_symbol(text):
        check.note(Code.ERR_POS_003, column, *_not_a_symbol(check.named(column), text))
    if isinstance(occ, Unlisted):
        message = f"{check.named(column)} names no contract we can hold: {occ.reason}."
        check.note(Code.ERR_POS_024, column, message)


def _not_a_symbol(named: str, text: str) -> tuple[str, str | None]:
    # What is wrong, and what to do instead.
    if is_future(text):
        return f"{named} names a futures contract, and futures are not accepted.", _NO_FUTURES
    better = respelt(text)
    if better is not None and parse_occ(better) is not None:
        return f"{named} is not a symbol.", f"Write {better}."
    if text.startswith("-"):
        return f"{named} begins with a dash.", _NO_DASH
    return f"{named} is not a symbol.", f"Write {better}." if better else None


def _exit(
    check: RowCheck, entry_date: date | None, investment_class: InvestmentClass | None
) -> tuple[date | None, Decimal | None]:
    day = check.past_day(Column.EXIT_DATE)
    # An option may end at nothing; a price of zero is its proper exit then.
    may_be_worthless = investment_class is InvestmentClass.OPTIONS
    price = check.price(Column.EXIT_PRICE, zero_allowed=may_be_worthless)
    has_day, has_price = bool(check.text(Column.EXIT_DATE)), bool(check.text(Column.EXIT_PRICE))
    if has_day and not has_price:
        check.note(Code.ERR_POS_028, Column.EXIT_PRICE)
    if has_price and not has_day:
        check.note(Code.ERR_POS_029, Column.EXIT_DATE)
    if day is not None and entry_date is not None and day < entry_date:
        message = f"{check.named(Column.EXIT_DATE)} is before the entry date {entry_date}."
        check.note(Code.ERR_POS_018, Column.EXIT_DATE, message)
    return day, price


def _check_amounts(
    check: RowCheck,
    quantity: Decimal | None,
    multiplier: int,
    entry_price: Decimal | None,
    exit_price: Decimal | None,
) -> None:
    if quantity is None:
        return
    if entry_price is not None:
        check.amount(Column.ENTRY_PRICE, quantity, multiplier, entry_price)
    if exit_price is not None:
        check.amount(Column.EXIT_PRICE, quantity, multiplier, exit_price)


def _subtype(
    subtype: str | None,
    terms: OptionTerms | None,
    investment_class: InvestmentClass,
    symbol: str,
) -> str | None:
    if terms is not None:
        return terms.option_type.value
    return subtype or default_subtype(investment_class, symbol)


def _lot(
    check: RowCheck,
    investment_class: InvestmentClass | None,
    currency: str | None,
    terms: OptionTerms | None,
) -> Lot | None:
    """Faults elsewhere in the row do not matter: its lot is told as soon as the key parses."""
    symbol = check.text(Column.SYMBOL).upper()
    entry_date = parse_date(check.text(Column.ENTRY_DATE))
    quantity = parse_number(check.text(Column.QUANTITY))
    is_option = investment_class is InvestmentClass.OPTIONS or filled_option_columns(check)
    if not symbol or entry_date is None or quantity is None or currency is None:
        return None
    if is_option and terms is None:
        return None
    return Lot(symbol, entry_date, is_short=quantity < 0, currency=currency, terms=terms)

"""The terms of an option row: read from its columns and its OCC symbol, and held against both.

The columns are checked whenever they are filled. An OCC symbol fills those left blank; without one
an option needs all four, save that a subtype of CALL or PUT stands in for the option type.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from onboarding.domain.checks import RowCheck
from onboarding.domain.codes import Code
from onboarding.domain.columns import Column
from onboarding.domain.occ import Unlisted, is_same_underlying
from onboarding.domain.positions import InvestmentClass, OptionTerms, OptionType
from onboarding.domain.symbols import MAX_UNDERLYING_CHARACTERS, is_symbol

_REQUIRED = {
    Column.UNDERLYING_SYMBOL: Code.ERR_POS_019,
    Column.STRIKE_PRICE: Code.ERR_POS_020,
    Column.EXPIRATION_DATE: Code.ERR_POS_021,
    Column.OPTION_TYPE: Code.ERR_POS_022,
}


@dataclass(frozen=True)
class _Stated:
    """What the columns, or a symbol, state of the terms; None where they do not."""

    underlying_symbol: str | None = None
    strike_price: Decimal | None = None
    expiration_date: date | None = None
    option_type: OptionType | None = None


def read_terms(
    check: RowCheck,
    investment_class: InvestmentClass | None,
    subtype: str | None,
    occ: OptionTerms | Unlisted | None,
    entry_date: date | None,
) -> OptionTerms | None:
    """Return the option's terms, or None if the row states none or not all; note every fault.

    `occ` is what the row's symbol says, None if it has not the form of an OCC symbol.
    """
    stated = _Stated(
        underlying_symbol=_underlying(check),
        strike_price=check.strike(),
        expiration_date=check.day(Column.EXPIRATION_DATE, Code.ERR_POS_021),
        option_type=_option_type(check),
    )
    right = OptionType(subtype) if subtype in set(OptionType) else None
    contract = occ if isinstance(occ, OptionTerms) else None
    if contract:
        _note_conflicts(check, stated, contract)
    elif investment_class is InvestmentClass.OPTIONS and occ is None:
        _note_missing(check, right)
    known = _combine(stated, contract, right)
    if right and known.option_type is not right:
        message = f"{check.named(Column.INVESTMENT_SUBTYPE)} contradicts {known.option_type}."
        check.note(Code.ERR_POS_025, Column.INVESTMENT_SUBTYPE, message)
    if known.expiration_date:
        _note_lifetime(check, known.expiration_date, entry_date)
    return _complete(known)


def _note_missing(check: RowCheck, right: OptionType | None) -> None:
    for column, code in _REQUIRED.items():
        told = column is Column.OPTION_TYPE and right is not None
        if not check.text(column) and not told:
            message = f"{column} is blank, and the symbol is no OCC symbol that would tell it."
            check.note(code, column, message)


def _note_conflicts(check: RowCheck, stated: _Stated, contract: OptionTerms) -> None:
    symbol = check.text(Column.SYMBOL).upper()
    underlying = stated.underlying_symbol
    if underlying and not is_same_underlying(underlying, contract, symbol):
        _note_conflict(check, Column.UNDERLYING_SYMBOL, contract.underlying_symbol)
    if stated.strike_price not in {None, contract.strike_price}:
        _note_conflict(check, Column.STRIKE_PRICE, f"{contract.strike_price:f}")
    if stated.expiration_date not in {None, contract.expiration_date}:
        _note_conflict(check, Column.EXPIRATION_DATE, contract.expiration_date.isoformat())
    if stated.option_type not in {None, contract.option_type}:
        _note_conflict(check, Column.OPTION_TYPE, contract.option_type)


def _note_conflict(check: RowCheck, column: Column, told: str) -> None:
    message = f"{check.named(column)} contradicts the symbol, which says {told}."
    check.note(Code.ERR_POS_025, column, message)


def _note_lifetime(check: RowCheck, expiration: date, entry_date: date | None) -> None:
    if entry_date is not None and expiration < entry_date:
        message = f"The option expired on {expiration}, before the entry date {entry_date}."
        check.note(Code.ERR_POS_027, Column.EXPIRATION_DATE, message)
    is_open = not check.text(Column.EXIT_DATE) and not check.text(Column.EXIT_PRICE)
    if is_open and expiration < check.today:
        message = f"The option expired on {expiration}, and the position has no exit."
        check.note(Code.ERR_POS_026, Column.EXPIRATION_DATE, message)


def _combine(stated: _Stated, contract: OptionTerms | None, right: OptionType | None) -> _Stated:
    told = contract or _Stated()
    return _Stated(
        underlying_symbol=stated.underlying_symbol or told.underlying_symbol,
        strike_price=stated.strike_price or told.strike_price,
        expiration_date=stated.expiration_date or told.expiration_date,
        option_type=stated.option_type or told.option_type or right,
    )


def _complete(known: _Stated) -> OptionTerms | None:
    if (
        known.underlying_symbol is None
        or known.expiration_date is None
        or known.strike_price is None
        or known.option_type is None
    ):
        return None
    return OptionTerms(
        known.underlying_symbol, known.expiration_date, known.option_type, known.strike_price
    )


def _underlying(check: RowCheck) -> str | None:
    column, text = Column.UNDERLYING_SYMBOL, check.text(Column.UNDERLYING_SYMBOL)
    if not text or (is_symbol(text) and len(text) <= MAX_UNDERLYING_CHARACTERS):
        return text.upper() or None
    limit = MAX_UNDERLYING_CHARACTERS
    message = f"{check.named(column)} is not a symbol of at most {limit} characters."
    check.note(Code.ERR_POS_031, column, message)
    return None


def _option_type(check: RowCheck) -> OptionType | None:
    column, text = Column.OPTION_TYPE, check.text(Column.OPTION_TYPE).upper()
    if text in set(OptionType):
        return OptionType(text)
    if text:
        check.note(Code.ERR_POS_022, column, f"{check.named(column)} is neither CALL nor PUT.")
    return None

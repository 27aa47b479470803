"""Which class and subtype a row has, stated or understood.

A blank class is understood: OPTIONS where the symbol is an OCC symbol or an option column is
filled, PRIVATE where the symbol starts with CASH_, else PUBLIC.
"""

import re

from onboarding.domain.checks import RowCheck
from onboarding.domain.codes import Code
from onboarding.domain.columns import OPTION_COLUMNS, Column
from onboarding.domain.positions import (
    CASH_PREFIX,
    SUBTYPE_ALIASES,
    SUBTYPES,
    InvestmentClass,
)


def filled_option_columns(check: RowCheck) -> list[Column]:
    """Return the option columns that are not blank."""
    return [column for column in OPTION_COLUMNS if check.text(column)]


def classify(check: RowCheck, symbol: str, *, is_occ: bool) -> InvestmentClass | None:
    """Return the row's class, or note the fault and return None.

    `symbol` is upper-case, blank if missing; `is_occ` says that it has the form of an OCC symbol.
    """
    column = Column.INVESTMENT_CLASS
    text = check.text(column).upper()
    option_columns = filled_option_columns(check)
    if not text:
        if is_occ or option_columns:
            return InvestmentClass.OPTIONS
        is_cash = symbol.startswith(CASH_PREFIX)
        return InvestmentClass.PRIVATE if is_cash else InvestmentClass.PUBLIC
    if text not in set(InvestmentClass):
        message = f"{check.named(column)} is none of {', '.join(InvestmentClass)}."
        check.note(Code.ERR_POS_016, column, message)
        return None
    stated = InvestmentClass(text)
    if stated is not InvestmentClass.OPTIONS and (is_occ or option_columns):
        told = f"the option symbol {symbol}" if is_occ else f"the filled {option_columns[0]}"
        message = f"{check.named(column)} contradicts {told}."
        hint = "Use the class OPTIONS, or a symbol that is no option's and no option columns."
        check.note(Code.ERR_POS_025, column, message, hint)
    return stated


def subtype_of(check: RowCheck, investment_class: InvestmentClass | None) -> str | None:
    """Return the stated subtype as we spell it, or None if it is blank or faulty.

    Where the class is unknown, any class's subtype will do: one fault is enough.
    """
    column = Column.INVESTMENT_SUBTYPE
    text = re.sub(r"[\s-]+", "_", check.text(column).upper())
    subtype = SUBTYPE_ALIASES.get(text, text)
    if not subtype:
        return None
    owners = [owner for owner, subtypes in SUBTYPES.items() if subtype in subtypes]
    if investment_class in owners or (investment_class is None and owners):
        return subtype
    if investment_class is None:
        check.note(Code.ERR_POS_017, column, f"{check.named(column)} belongs to no class.")
        return None
    message = f"{check.named(column)} does not belong to the class {investment_class}."
    choice = f"A {investment_class} position is one of {', '.join(SUBTYPES[investment_class])}"
    belongs = f"It belongs to the class {owners[0]}. " if owners else ""
    hint = f"{belongs}{choice}, or leave it blank."
    check.note(Code.ERR_POS_017, column, message, hint)
    return None

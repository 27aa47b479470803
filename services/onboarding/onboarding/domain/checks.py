"""One row under check: its cells, the faults found so far, and the checks every cell shares."""

from datetime import date
from decimal import Decimal

from onboarding.domain.cells import (
    decimals,
    is_storable,
    parse_date,
    parse_number,
    plain,
    why_not_a_number,
)
from onboarding.domain.codes import Code
from onboarding.domain.columns import Column
from onboarding.domain.csv_file import Row
from onboarding.domain.faults import Fault, fault, shown

MAX_QUANTITY_DECIMALS = 6
MAX_PRICE_DECIMALS = 2
MAX_STRIKE_DECIMALS = 3
MAX_AGE_YEARS = 100
MAX_AMOUNT = Decimal(1_000_000_000_000)
"""Money in one position, as many dollars as a whole account may be worth. What is calculated of a
book is float64: at this size its steps are a hundredth of a cent, so that an amount keeps its
cents, and so does the sum of 75 positions that make up such an account (of 10,000 it may miss by a
few cents). Near 9e13 each addition may cost a cent."""

_ORDER = {column: place for place, column in enumerate(Column)}


class RowCheck:
    """Reads a row's cells as values and notes a fault for each that is not as it must be.

    Each reading returns None where the cell is blank or faulty. `today` is the date in New York.
    """

    def __init__(self, row: Row, today: date) -> None:
        self.row = row.number
        self.today = today
        self._cells = row.cells
        self._faults: list[tuple[int, Fault]] = []

    @property
    def faults(self) -> list[Fault]:
        """Return the faults noted so far, in the order of the columns."""
        return [noted for _, noted in sorted(self._faults, key=lambda entry: entry[0])]

    def text(self, column: Column) -> str:
        """Return the trimmed cell, blank if the file lacks the column."""
        return self._cells.get(column, "")

    def note(
        self, code: Code, column: Column, message: str | None = None, hint: str | None = None
    ) -> None:
        """Note a fault of this cell."""
        value = self.text(column)
        noted = fault(code, message, row=self.row, field=column, value=value, hint=hint)
        self._faults.append((_ORDER[column], noted))

    def named(self, column: Column) -> str:
        """Return the cell as a message speaks of it: the column and its value in quotes."""
        return f"{column} '{shown(self.text(column))}'"

    def quantity(self) -> Decimal | None:
        """Return the signed quantity: not zero, at most 6 decimals."""
        column = Column.QUANTITY
        if not self.text(column):
            self.note(Code.ERR_POS_004, column)
            return None
        number = self._number(column, Code.ERR_POS_005)
        if number is None:
            return None
        if not number:
            self.note(Code.ERR_POS_006, column, f"{self.named(column)} is zero.")
            return None
        return self._bounded(column, number, MAX_QUANTITY_DECIMALS, Code.ERR_POS_007)

    def entry_price(self) -> Decimal | None:
        """Return the entry price."""
        if not self.text(Column.ENTRY_PRICE):
            self.note(Code.ERR_POS_008, Column.ENTRY_PRICE)
        return self.price(Column.ENTRY_PRICE)

    def price(self, column: Column, *, zero_allowed: bool = False) -> Decimal | None:
        """Return a price per share: positive, at most 2 decimals.

        Two decimals are the contract's rule for entry prices (ERR_POS_011); exit prices keep it.
        """
        number = self._number(column, Code.ERR_POS_009) if self.text(column) else None
        if number is None:
            return None
        if number < 0 or (not number and not zero_allowed):
            self.note(Code.ERR_POS_010, column, f"{self.named(column)} is not positive.")
            return None
        return self._bounded(column, number, MAX_PRICE_DECIMALS, Code.ERR_POS_011)

    def amount(self, column: Column, quantity: Decimal, multiplier: int, price: Decimal) -> None:
        """Note a price at which so many units would be more than MAX_AMOUNT."""
        amount = abs(quantity) * multiplier * price
        if amount > MAX_AMOUNT:
            message = (
                f"{self.named(column)} makes the position one of {amount:,.0f}; "
                f"{MAX_AMOUNT:,} is the most."
            )
            self.note(Code.ERR_POS_030, column, message)

    def strike(self) -> Decimal | None:
        """Return a strike: positive, at most 3 decimals as in OCC symbols."""
        column = Column.STRIKE_PRICE
        number = self._number(column, Code.ERR_POS_020) if self.text(column) else None
        if number is None:
            return None
        if number <= 0:
            self.note(Code.ERR_POS_020, column, f"{self.named(column)} is not positive.")
            return None
        return self._bounded(column, number, MAX_STRIKE_DECIMALS, Code.ERR_POS_020)

    def day(self, column: Column, code: Code = Code.ERR_POS_013) -> date | None:
        """Return the day the cell names."""
        text = self.text(column)
        day = parse_date(text)
        if text and day is None:
            message = f"{self.named(column)} is not a calendar day written YYYY-MM-DD."
            self.note(code, column, message)
        return day

    def past_day(self, column: Column) -> date | None:
        """Return a day that is not in the future; a fault is noted, the day returned all the same.

        The day stays good for comparing it with the row's other dates.
        """
        day = self.day(column)
        if day is not None and day > self.today:
            message = f"{self.named(column)} is in the future: today is {self.today} in New York."
            self.note(Code.ERR_POS_014, column, message)
        return day

    def entry_date(self) -> date | None:
        """Return the entry date: not in the future, at most 100 years ago."""
        column = Column.ENTRY_DATE
        if not self.text(column):
            self.note(Code.ERR_POS_012, column)
        day = self.past_day(column)
        if day is not None and day < _years_before(self.today, MAX_AGE_YEARS):
            message = f"{self.named(column)} is more than {MAX_AGE_YEARS} years ago."
            self.note(Code.ERR_POS_015, column, message)
        return day

    def _number(self, column: Column, code: Code) -> Decimal | None:
        text = self.text(column)
        number = parse_number(text)
        if number is None:
            message = f"{self.named(column)} is not a number: {why_not_a_number(text)}."
            self.note(code, column, message)
        return number

    def _bounded(
        self, column: Column, number: Decimal, most_decimals: int, code: Code
    ) -> Decimal | None:
        if not is_storable(number):
            self.note(Code.ERR_POS_030, column, f"{self.named(column)} is too large.")
            return None
        if decimals(number) > most_decimals:
            message = f"{self.named(column)} has more than {most_decimals} decimals."
            self.note(code, column, message)
            return None
        return plain(number)


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February, and no such day then
        return day.replace(year=day.year - years, day=28)

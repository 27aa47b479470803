"""The thirteen columns of an import file, and how a header row is matched to them.

Names match whatever their case, spaces and punctuation. A column we do not know is ignored, as
people keep notes and sectors beside their positions, and the report names it; but one that
resembles a column the file lacks (`Strike`, `Exit Prce`) is a fault, since ignoring it would
import something else than what the user wrote. A faulty header ends the reading: every row would
be blamed for it.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from onboarding.domain.codes import Code
from onboarding.domain.faults import Fault, fault, shown

MAX_COLUMNS = 100

_SIMILARITY = 0.8  # catches a dropped, doubled or wrong letter; lets "Share Price" be
_LONGEST_COMPARED = 40  # difflib is quadratic in a name's length
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


class Column(StrEnum):
    """The columns, in the template's order, by the names users see."""

    SYMBOL = "Symbol"
    QUANTITY = "Quantity"
    ENTRY_PRICE = "Entry Price Per Share"
    ENTRY_DATE = "Entry Date"
    INVESTMENT_CLASS = "Investment Class"
    INVESTMENT_SUBTYPE = "Investment Subtype"
    UNDERLYING_SYMBOL = "Underlying Symbol"
    STRIKE_PRICE = "Strike Price"
    EXPIRATION_DATE = "Expiration Date"
    OPTION_TYPE = "Option Type"
    EXIT_DATE = "Exit Date"
    EXIT_PRICE = "Exit Price Per Share"
    CURRENCY = "Currency"


REQUIRED = (Column.SYMBOL, Column.QUANTITY, Column.ENTRY_PRICE, Column.ENTRY_DATE)
OPTION_COLUMNS = (
    Column.UNDERLYING_SYMBOL,
    Column.STRIKE_PRICE,
    Column.EXPIRATION_DATE,
    Column.OPTION_TYPE,
)

# Other names people give the columns. A single word tells the column wherever it occurs.
_OTHER_NAMES = {
    "ticker": Column.SYMBOL,
    "qty": Column.QUANTITY,
    "shares": Column.QUANTITY,
    "entryprice": Column.ENTRY_PRICE,
    "class": Column.INVESTMENT_CLASS,
    "subtype": Column.INVESTMENT_SUBTYPE,
    "underlying": Column.UNDERLYING_SYMBOL,
    "strike": Column.STRIKE_PRICE,
    "expiration": Column.EXPIRATION_DATE,
    "expiry": Column.EXPIRATION_DATE,
    "putcall": Column.OPTION_TYPE,
    "callput": Column.OPTION_TYPE,
    "exitprice": Column.EXIT_PRICE,
    "currency": Column.CURRENCY,
    "ccy": Column.CURRENCY,
}


def _key(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


_COLUMN_BY_KEY = {_key(column): column for column in Column}


@dataclass(frozen=True)
class Header:
    """Where each known column stands, and the names of the columns that are ignored."""

    places: dict[Column, int]
    ignored: tuple[str, ...]
    nameless: frozenset[int]
    width: int

    def cells(self, values: Sequence[str]) -> dict[Column, str]:
        """Return a row's trimmed values by column; a short row's missing ones are blank."""
        return {
            column: values[place].strip() if place < len(values) else ""
            for column, place in self.places.items()
        }

    def surplus(self, values: Sequence[str]) -> str | None:
        """Return the first value of a row that stands under no named column, or None."""
        strays = (
            value.strip()
            for place, value in enumerate(values)
            if place >= self.width or place in self.nameless
        )
        return next((value for value in strays if value), None)


def match_header(names: Sequence[str], line: int) -> Header | list[Fault]:
    """Match the header row on this line to our columns, or return every fault of it."""
    if len(names) > MAX_COLUMNS:
        message = f"The header row has {len(names)} columns; at most {MAX_COLUMNS} are read."
        return [fault(Code.ERR_CSV_006, message, row=line)]
    matched: dict[Column, int] = {}
    unknown: list[str] = []
    faults: list[Fault] = []
    for place, name in enumerate(name.strip() for name in names):
        column = _COLUMN_BY_KEY.get(_key(name))
        if column is None:
            unknown.extend([name] if name else [])
        elif column in matched:
            message = f"The column '{column}' appears more than once in the header row."
            faults.append(fault(Code.ERR_CSV_009, message, row=line, field=column, value=name))
        else:
            matched[column] = place
    lookalikes = _lookalikes(unknown, set(Column) - set(matched))
    faults += _missing(names, matched, lookalikes, line)
    faults += [
        _misspelt(name, column, line)
        for name, column in lookalikes.items()
        if column not in REQUIRED
    ]
    if faults:
        return faults
    nameless = frozenset(place for place, name in enumerate(names) if not name.strip())
    return Header(matched, tuple(shown(name) for name in unknown), nameless, len(names))


def wrong_delimiter(names: Sequence[str]) -> str | None:
    """Return what a header row separates its columns by instead of commas, None if by commas."""
    for delimiter, name in _OTHER_DELIMITERS.items():
        parts = [part for cell in names for part in cell.split(delimiter)]
        if len(parts) > len(names) and any(
            _key(part.strip(' "')) in _COLUMN_BY_KEY for part in parts
        ):
            return name
    return None


def _missing(
    names: Sequence[str], matched: dict[Column, int], lookalikes: dict[str, Column], line: int
) -> list[Fault]:
    missing = [column for column in REQUIRED if column not in matched]
    delimiter = wrong_delimiter(names)
    if delimiter is None and not matched and not lookalikes:
        message = f"Line {line} is not a header row: it names none of the columns."
        return [fault(Code.ERR_CSV_005, message, row=line, value=names[0].strip())]
    because = f": the header separates its columns by {delimiter}, not commas" if delimiter else ""
    meant = {column: name for name, column in lookalikes.items()}
    faults = []
    for column in missing:
        message = f"The required column '{column}' is missing{because}."
        hint = "Save the file with commas between the values." if delimiter else None
        if column in meant:
            hint = f"Rename the column '{shown(meant[column])}' to '{column}'."
        faults.append(fault(Code.ERR_CSV_004, message, row=line, field=column, hint=hint))
    return faults


def _misspelt(name: str, column: Column, line: int) -> Fault:
    return fault(
        Code.ERR_CSV_008,
        f"The column '{shown(name)}' is unknown; did you mean '{column}'?",
        row=line,
        field=column,
        value=name,
        hint=f"Rename or remove it. The columns are: {', '.join(Column)}.",
    )


def _lookalikes(unknown: Sequence[str], absent: set[Column]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for name in unknown:
        column = _resembled(name, absent - set(found.values()))
        if column is not None:
            found[name] = column
    return found


def _resembled(name: str, absent: set[Column]) -> Column | None:
    if len(name) > _LONGEST_COMPARED:
        return None
    for word in re.findall(r"[a-z]+", name.casefold()):
        if _OTHER_NAMES.get(word) in absent:
            return _OTHER_NAMES[word]
    known = {
        key: column for key, column in (_COLUMN_BY_KEY | _OTHER_NAMES).items() if column in absent
    }
    nearest = difflib.get_close_matches(_key(name), known, n=1, cutoff=_SIMILARITY)
    return known[nearest[0]] if nearest else None

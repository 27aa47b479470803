"""Reading an import file: all of its positions, or all of its faults."""

from dataclasses import dataclass
from datetime import date

from onboarding.domain.codes import Code
from onboarding.domain.columns import Column
from onboarding.domain.csv_file import CsvFile, open_csv
from onboarding.domain.faults import Fault, FaultLog, Rejection, fault, shown
from onboarding.domain.positions import PositionRow
from onboarding.domain.rows import CheckedRow, Lot, check_row, commented_position

MAX_POSITIONS = 10_000


@dataclass(frozen=True)
class ImportReport:
    """The positions of a file without faults, and the columns that were not read."""

    positions: tuple[PositionRow, ...]
    ignored_columns: tuple[str, ...]


def read_positions(content: bytes, filename: str | None, today: date) -> ImportReport | Rejection:
    """Return the positions of a CSV file, or every fault of it: one fault, and nothing is imported.

    `today` is the date in New York: no position was opened or closed after it. Takes about a
    second per 10,000 rows, so call it outside the event loop. Never raises, whatever the bytes.
    """
    log = FaultLog()
    file = open_csv(content, filename)
    if isinstance(file, list):
        log.add(*file)
        return log.rejection()
    positions = _read_rows(file, today, log)
    if not positions and not log:
        log.add(fault(Code.ERR_CSV_003, "The file has a header row but no positions below it."))
    if log:
        return log.rejection()
    return ImportReport(tuple(positions), file.header.ignored)


def _read_rows(file: CsvFile, today: date, log: FaultLog) -> list[PositionRow]:
    positions: list[PositionRow] = []
    first_rows: dict[Lot, int] = {}
    count = 0
    for row in file.rows():
        if isinstance(row, Fault):
            log.add(row)
            continue
        if row.is_comment:
            commented = commented_position(row)
            log.add(*([commented] if commented else []))
            continue
        count += 1
        if count > MAX_POSITIONS:
            message = f"The file holds more than {MAX_POSITIONS:,} positions."
            log.add(fault(Code.ERR_CSV_010, message, row=row.number))
            break
        checked = check_row(row, today)
        log.add(*checked.faults, *_repeated(checked, row.number, first_rows))
        if checked.position:
            positions.append(checked.position)
    return positions


def _repeated(checked: CheckedRow, row: int, first_rows: dict[Lot, int]) -> list[Fault]:
    lot = checked.lot
    if lot is None:
        return []
    first = first_rows.setdefault(lot, row)
    if first == row:
        return []
    side = "short" if lot.is_short else "long"
    message = (
        f"{shown(lot.symbol)}, {side}, entered on {lot.entry_date}, is already on row {first}."
    )
    return [
        fault(
            Code.ERR_POS_023,
            message,
            row=row,
            field=f"{Column.SYMBOL} + {Column.ENTRY_DATE}",
            value=f"{lot.symbol} {lot.entry_date}",
        )
    ]

"""From the bytes of an upload to its header and its rows, each with the line it starts on.

Nothing here knows what a column means. The work is linear in the size of the file, and no input
makes it raise: what cannot be read is a fault of the line it starts on, and reading goes on with
the next line, so that one stray quote does not hide the faults below it.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from onboarding.domain.codes import Code
from onboarding.domain.columns import Column, Header, match_header, wrong_delimiter
from onboarding.domain.faults import Fault, fault, shown

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_LINES = 100_000
MAX_LINE_CHARACTERS = 100_000
MAX_ROW_LINES = 20  # a quoted cell may hold line breaks; a quote never closed must not eat the file

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Row:
    """A row's trimmed cells by column, and the line of the file it starts on.

    A comment is a line whose first character is `#`, or a row with nothing but a first cell that
    starts so, as a spreadsheet saves it. `surplus` is a value that stands under no column.
    """

    number: int
    cells: dict[Column, str]
    surplus: str | None
    is_comment: bool


@dataclass(frozen=True)
class CsvFile:
    """A file with a good header. `rows()` reads on from there."""

    header: Header
    _lines: Sequence[str]
    _body: int

    def rows(self) -> Iterator[Row | Fault]:
        """Yield each row and comment, or the fault of a line, in file order; blank ones not."""
        for record in _records(self._lines, self._body):
            if isinstance(record, Fault):
                yield record
            else:
                values = record.values
                cells, surplus = self.header.cells(values), self.header.surplus(values)
                yield Row(record.line, cells, surplus, record.is_comment)


@dataclass(frozen=True)
class _Record:
    line: int
    last_line: int
    values: list[str]
    is_comment: bool


def open_csv(content: bytes, filename: str | None) -> CsvFile | list[Fault]:
    """Check the file as a whole and match its header, or return what stops the reading.

    Bytes that are not UTF-8, a missing header or one with faults end the reading; a byte order
    mark, and lines that end in CR, LF or both, are read as meant.
    """
    refused = _refused(content, filename)
    if refused:
        return refused
    text = _decoded(content)
    if isinstance(text, Fault):
        return [text]
    lines = list(islice(io.StringIO(text, newline=""), MAX_LINES + 1))
    if len(lines) > MAX_LINES:
        return [fault(Code.ERR_CSV_010, f"The file has more than {MAX_LINES:,} lines.")]
    return _with_header(lines)


def _refused(content: bytes, filename: str | None) -> list[Fault]:
    faults = []
    if len(content) > MAX_FILE_BYTES:
        # Its whole size is not known here: no more than this is ever read of it.
        message = f"The file is larger than {MAX_FILE_BYTES:,} bytes (10 MiB)."
        faults.append(fault(Code.ERR_CSV_001, message))
    if not (filename or "").strip().lower().endswith(".csv"):
        called = f"is '{shown(filename)}'" if filename else "is missing"
        message = f"The file's name {called}; it must end in .csv."
        faults.append(fault(Code.ERR_CSV_002, message, value=filename))
    return faults


def _decoded(content: bytes) -> str | Fault:
    if content.startswith(_UTF16_MARKS):
        return fault(Code.ERR_CSV_006, "The file is encoded as UTF-16, not as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # `error.start` counts from behind the byte order mark, so the bytes before come from it.
        before = bytes(error.object[: error.start])
        line = before.count(b"\n") + before.replace(b"\r\n", b"").count(b"\r") + 1
        offset = len(content) - len(error.object) + error.start
        byte = error.object[error.start]
        message = f"The byte 0x{byte:02x} at offset {offset} (line {line}) is not UTF-8 text."
        return fault(Code.ERR_CSV_006, message, row=line, value=f"0x{byte:02x}")


def _with_header(lines: Sequence[str]) -> CsvFile | list[Fault]:
    has_comments = False
    for record in _records(lines, after=0):
        if isinstance(record, Fault):
            return _header_faults(record, lines)
        if record.is_comment:
            has_comments = True
            continue
        header = match_header(record.values, record.line)
        return header if isinstance(header, list) else CsvFile(header, lines, record.last_line)
    if has_comments:
        return [fault(Code.ERR_CSV_003, "The file holds nothing but comments.")]
    return [fault(Code.ERR_CSV_005, "The file is empty: it has no header row.")]


def _header_faults(unreadable: Fault, lines: Sequence[str]) -> list[Fault]:
    # A header such as "Symbol";"Quantity" fails as CSV before it can fail as a header.
    line = unreadable.row or 1
    if wrong_delimiter([lines[line - 1]]) is None:
        return [unreadable]
    header = match_header([lines[line - 1]], line)
    return header if isinstance(header, list) else [unreadable]


def _records(lines: Sequence[str], after: int) -> Iterator[_Record | Fault]:
    """Read the lines below line `after`, which counts from 1."""
    done = after
    while done < len(lines):
        record = _record(lines, done)
        if isinstance(record, Fault):
            yield record
            done += 1
            continue
        control = _CONTROL.search("".join(lines[done : record.last_line]))
        done = record.last_line
        if control:
            name = f"U+{ord(control[0]):04X}"
            message = f"The row on line {record.line} has the control character {name}."
            yield fault(Code.ERR_CSV_006, message, row=record.line, value=name)
        elif any(value.strip() for value in record.values):
            yield record


def _record(lines: Sequence[str], done: int) -> _Record | Fault:
    line = done + 1
    hashed = lines[done].lstrip().startswith("#")
    block = list(takewhile(_fits, lines[done : line if hashed else done + MAX_ROW_LINES]))
    if not block:
        message = f"Line {line} is longer than {MAX_LINE_CHARACTERS:,} characters."
        return fault(Code.ERR_CSV_006, message, row=line, value=lines[done])
    reader = csv.reader(block, skipinitialspace=True, strict=not hashed)
    try:
        values = next(reader)
    except csv.Error as error:
        message = f"The row on line {line} is not CSV: {_reason(error)}."
        return fault(Code.ERR_CSV_006, message, row=line, value=lines[done].strip())
    return _Record(line, done + reader.line_num, values, hashed or _is_lone_comment(values))


def _fits(line: str) -> bool:
    return len(line) <= MAX_LINE_CHARACTERS


def _is_lone_comment(values: Sequence[str]) -> bool:
    return (
        len(values) > 0
        and values[0].lstrip().startswith("#")
        and not any(value.strip() for value in values[1:])
    )


def _reason(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return f"a double quote is never closed, at least not within {MAX_ROW_LINES} lines"
    if "expected after" in text:
        return "a closing double quote is followed by more text; write a quote in a cell twice"
    return text

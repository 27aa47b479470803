"""A fault names one thing that is wrong with what the user sent, and where."""

import re
from dataclasses import dataclass

from onboarding.domain.codes import Code

MAX_LISTED_FAULTS = 1_000
MAX_SHOWN_CHARACTERS = 100

# Neither PostgreSQL's text nor a terminal takes a NUL or an escape sequence.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Fault:
    """One fault: its code, a sentence that names the value, and how to mend it.

    `row` is the line of the user's own file where the row starts, counting from 1 with comments
    and blank lines; it is None for a fault of the file or the form as a whole.
    """

    code: Code
    message: str
    row: int | None = None
    field: str | None = None
    value: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Rejection:
    """Why nothing is imported: the first 1,000 faults in the order of the file, and their total."""

    faults: tuple[Fault, ...]
    total: int


class FaultLog:
    """Collects faults; keeps the first 1,000 and counts them all."""

    def __init__(self) -> None:
        self._listed: list[Fault] = []
        self._total = 0

    def add(self, *faults: Fault) -> None:
        """Note the faults."""
        self._total += len(faults)
        self._listed.extend(faults[: MAX_LISTED_FAULTS - len(self._listed)])

    def __bool__(self) -> bool:
        return self._total > 0

    def rejection(self) -> Rejection:
        """Return what was collected."""
        return Rejection(faults=tuple(self._listed), total=self._total)


def fault(
    code: Code,
    message: str | None = None,
    *,
    row: int | None = None,
    field: str | None = None,
    value: str | None = None,
    hint: str | None = None,
) -> Fault:
    """Return a fault, with the code's own sentence and hint where none is given."""
    return Fault(
        code=code,
        message=message or code.spec.meaning,
        row=row,
        field=field,
        value=shown(value) if value else None,
        hint=hint or code.spec.remedy,
    )


def shown(text: str) -> str:
    """Return the text fit to be shown and stored: cut to 100 characters, no control characters."""
    cut = text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[: MAX_SHOWN_CHARACTERS - 1]}…"
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", cut)

"""The same fault in a thousand messages is one group: what makes two reasons the same.

A reason names what it fell over: an id, a price, a date, something quoted. Those are replaced, and
what is left is the fault.
"""

import re
from hashlib import sha256

COMPARED_CHARACTERS = 200
"""Reasons are cut where they are written, and values differ in length: the end may be missing."""
GROUP_DIGITS = 10

_NUMBER = r"(?<![\w<])[-+]?\d[\d_]*(?:[.,]\d+)*(?:e[-+]?\d+)?"
_VALUES = (
    (r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "<id>"),
    (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "<email>"),
    # An apostrophe within a word quotes nothing; a quotation may have lost its end.
    (r"(?<!\w)'[^']*(?:'(?!\w)|$)", "<value>"),
    (r'"[^"]*(?:"|$)', "<value>"),
    (r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?", "<time>"),
    # Whole numbers before hexadecimal ids, which may look like them; then those with a unit.
    (_NUMBER + r"(?!\w)", "<number>"),
    (r"\b(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", "<id>"),
    (_NUMBER, "<number>"),
    # A list is as long as it is.
    (r"(<\w+>)(?:,? \1)+", r"\1"),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), word) for pattern, word in _VALUES)


def fault_of(reason: str) -> str:
    """Return a reason without what is particular to one message."""
    text = " ".join(reason.split())
    for pattern, word in _PATTERNS:
        text = pattern.sub(word, text)
    return text[:COMPARED_CHARACTERS]


def group_of(place: str, name: str, reason: str) -> str:
    """Return the id of a letter's group: its place, what it is, and its fault."""
    told = "\n".join((place, name, fault_of(reason)))
    return sha256(told.encode(errors="replace")).hexdigest()[:GROUP_DIGITS]

"""What may stand as a symbol, and a better spelling for what may not."""

import re

from onboarding.domain.occ import parse_occ

MAX_SYMBOL_CHARACTERS = 32  # an OCC symbol has at most 21
MAX_UNDERLYING_CHARACTERS = 16

_SYMBOL = re.compile(r"[._]*[A-Za-z0-9][A-Za-z0-9._-]*")
_FUTURE = re.compile(r"\.?/[A-Za-z0-9]+|[A-Za-z0-9]+=F", re.IGNORECASE)
"""Brokers write /ES or /ESZ26, data vendors ES=F."""


def is_symbol(text: str) -> bool:
    """Say whether the text has the characters of a symbol, at least one a letter or digit.

    A dash in front is a broker's mark of a short position or of an option, and no part of a name.
    """
    return _SYMBOL.fullmatch(text) is not None


def is_future(text: str) -> bool:
    """Say whether the text names a futures contract, which cannot be held here."""
    return _FUTURE.fullmatch("".join(text.split())) is not None


def respelt(text: str) -> str | None:
    """Return a symbol as we write it for one in another notation (BRK/B, padded OCC), or None."""
    if is_future(text):
        return None
    compact = "".join(text.split()).upper().removeprefix("-")
    if compact != text.upper() and parse_occ(compact) is not None:
        return compact
    dashed = compact.replace("/", "-")
    return dashed if dashed != compact and is_symbol(dashed) else None

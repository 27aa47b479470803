"""The numbers and dates people write into cells.

A number is plain: digits, a dot, perhaps a sign and an exponent. What `Decimal` reads besides
(`1_000`, `NaN`, digits of other scripts) is refused, and so are thousands separators and currency
signs: `1,000` is a thousand in some countries and one in others.
"""

import re
from datetime import date
from decimal import Context, Decimal

STORED_INTEGER_DIGITS = 14  # what numeric(20,6) and numeric(18,4) hold before the point

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_NOT_FINITE = re.compile(r"[+-]?(?:s?nan|inf(?:inity)?)", re.IGNORECASE)
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_CONTEXT = Context(prec=STORED_INTEGER_DIGITS + 6)


def parse_number(text: str) -> Decimal | None:
    """Return the exact number the text writes, or None if it writes none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def why_not_a_number(text: str) -> str:
    """Return what keeps the text from being a number, as a clause."""
    if _NOT_FINITE.fullmatch(text):
        return "it is not finite"
    stray = re.search(r"[^0-9.eE+-]", text)
    return f"it contains '{stray[0]}'" if stray else "its digits and signs are out of order"


def decimals(number: Decimal) -> int:
    """Return how many decimals a finite number needs: 1 for 1.100, none for 1e3."""
    digits = number.as_tuple().digits
    trailing_zeros = len(digits) - len(bytes(digits).rstrip(b"\0"))
    last_place = number.adjusted() - (len(digits) - 1) + trailing_zeros
    return max(0, -last_place) if number else 0


def is_storable(number: Decimal) -> bool:
    """Say whether the number has at most 14 digits before the point."""
    return number.adjusted() < STORED_INTEGER_DIGITS


def plain(number: Decimal) -> Decimal:
    """Return a storable number of at most 6 decimals without exponent and trailing zeros."""
    shifted = number.quantize(Decimal((0, (1,), -decimals(number))), context=_CONTEXT)
    return shifted or Decimal(0)  # never a negative zero


def parse_date(text: str) -> date | None:
    """Return the day a text such as 2024-01-05 or 2024-1-5 names, or None if it names none."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None

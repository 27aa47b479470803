"""OCC option symbols: SPY291221C00450000 is root, expiration yymmdd, C or P, and strike in mills.

The last 15 characters are fixed, so a symbol reads only one way. A root that ends in a digit is a
contract adjusted after a corporate action, whose deliverable is not 100 shares: such a symbol is
recognised, so that it is never taken for a stock, and refused.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from onboarding.domain.positions import OptionTerms, OptionType

_FORM = re.compile(r"([A-Z]{1,6}|[A-Z]{1,5}[0-9])([0-9]{2})([0-9]{2})([0-9]{2})([CP])([0-9]{8})")
_ROOT = re.compile(r"[A-Z]{1,6}")
_MILLS = 1000

# Roots that are not their underlying's ticker: weekly index options, and class B shares.
_UNDERLYING_BY_ROOT = {
    "SPXW": "SPX",
    "NDXP": "NDX",
    "RUTW": "RUT",
    "VIXW": "VIX",
    "BRKB": "BRK-B",
}


@dataclass(frozen=True)
class Unlisted:
    """Why a symbol of OCC form names no contract we can hold, as a clause."""

    reason: str


def parse_occ(symbol: str) -> OptionTerms | Unlisted | None:
    """Return the terms an upper-case OCC symbol names; None if it has another form."""
    match = _FORM.fullmatch(symbol)
    if match is None:
        return None
    root, year, month, day, right, mills = match.groups()
    if root[-1].isdigit():
        return Unlisted(f"'{root}' is the root of an adjusted contract, not of 100 shares")
    try:
        expiration = date(2000 + int(year), int(month), int(day))
    except ValueError:
        return Unlisted(f"its expiration {year}{month}{day} is not a calendar day")
    strike = Decimal(mills) / _MILLS
    if not strike:
        return Unlisted("its strike is zero")
    option_type = OptionType.CALL if right == "C" else OptionType.PUT
    return OptionTerms(_UNDERLYING_BY_ROOT.get(root, root), expiration, option_type, strike)


def is_same_underlying(underlying: str, terms: OptionTerms, symbol: str) -> bool:
    """Say whether a ticker is the underlying of an OCC symbol, or its root, in any notation."""
    root = symbol[:-15]
    return _letters(underlying) in {root, _letters(terms.underlying_symbol)}


def format_occ(terms: OptionTerms) -> str | None:
    """Return the contract's OCC symbol, or None if its terms do not fit the form."""
    root = _letters(terms.underlying_symbol)
    mills = terms.strike_price * _MILLS
    fits = _ROOT.fullmatch(root) and mills == int(mills) < 10**8
    if not fits or not 2000 <= terms.expiration_date.year < 2100:
        return None
    return f"{root}{terms.expiration_date:%y%m%d}{terms.option_type[0]}{int(mills):08}"


def _letters(ticker: str) -> str:
    return re.sub(r"[._-]", "", ticker)

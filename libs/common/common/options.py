"""Listed options as services name them to each other."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, Self

Right = Literal["call", "put"]

_LETTERS: dict[Right, str] = {"call": "C", "put": "P"}
_RIGHTS: dict[str, Right] = {letter: right for right, letter in _LETTERS.items()}
_FORM = re.compile(
    r"(?P<underlying>\S+) (?P<expiry>[0-9]{4}-[0-9]{2}-[0-9]{2}) (?P<letter>[CP])"
    r" (?P<strike>[0-9]{1,12}(\.[0-9]{1,6})?)"
)


@dataclass(frozen=True, slots=True, order=True)
class Contract:
    """One listed option."""

    underlying: str
    expiry: date
    right: Right
    strike: Decimal
    """US dollars per share of the underlying, above zero."""

    @property
    def symbol(self) -> str:
        """Return its name, `SPY 2026-03-20 C 450`: no security's ticker has a space.

        Not the OCC's, whose roots are of six letters at most and not always the ticker.
        """
        strike = format(self.strike.normalize(), "f")
        return f"{self.underlying} {self.expiry} {_LETTERS[self.right]} {strike}"

    @classmethod
    def parse(cls, symbol: str) -> Self | None:
        """Return the contract of a name, or None where it is not one."""
        found = _FORM.fullmatch(symbol)
        if found is None:
            return None
        try:
            expiry = date.fromisoformat(found["expiry"])
        except ValueError:
            return None
        contract = cls(
            found["underlying"], expiry, _RIGHTS[found["letter"]], Decimal(found["strike"])
        )
        # One name each: "450.0" is not another contract.
        return contract if contract.strike and contract.symbol == symbol else None

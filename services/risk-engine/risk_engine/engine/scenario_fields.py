"""What the fields of a scenario and of a window should be, each said as a remedy."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from risk_engine.domain.scenarios import MARKET, RATES

SEVERITIES: Final = ("base", "mild", "moderate", "severe", "extreme")

Check = Callable[[Any], str | None]
"""Says what a field should be; None if it is."""


def _number(least: float, most: float) -> Check:
    def check(value: Any) -> str | None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and math.isfinite(value) and least <= value <= most:
            return None
        return f"a number from {least:g} to {most:g} (0.05 is 5 %)"

    return check


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return None
        return f"a whole number from {least} to {most}"

    return check


def _text(most: int) -> Check:
    def check(value: Any) -> str | None:
        if isinstance(value, str) and 0 < len(value.strip()) <= most:
            return None
        return f"a text of at most {most} characters"

    return check


def _one_of(*choices: str) -> Check:
    def check(value: Any) -> str | None:
        return None if value in choices else f"one of: {', '.join(choices)}"

    return check


def _name(value: Any) -> str | None:
    if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_]{0,63}", value):
        return None
    return "at most 64 lower case letters, digits and underscores, a letter first"


def _truth(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _table(value: Any) -> str | None:
    return None if isinstance(value, dict) else "a table, like { MKT = -0.10 }"


def _day(value: Any) -> str | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return None
    return "a date, like 2020-02-19"


MOVES: Final[Mapping[str, Check]] = {MARKET: _number(-0.95, 3.0), RATES: _number(-0.10, 0.10)}
"""Of what is no spread."""
SPREAD: Final = _number(-1.0, 1.0)
SCENARIO: Final[Mapping[str, tuple[bool, Check]]] = {
    "id": (True, _name),
    "name": (True, _text(100)),
    "basis": (True, _one_of("total", "relative")),
    "shocks": (True, _table),
    "horizon": (True, _whole(1, 2_600)),
    "volatility": (False, _number(-0.30, 2.00)),
    "description": (False, _text(300)),
    "group": (False, _name),
    "category": (False, _name),
    "severity": (False, _one_of(*SEVERITIES)),
    "active": (False, _truth),
    "residual_multiple": (False, _number(0.0, 10.0)),
}
WINDOW: Final[Mapping[str, tuple[bool, Check]]] = {
    "id": (True, _name),
    "name": (True, _text(100)),
    "start": (True, _day),
    "end": (True, _day),
    "description": (False, _text(300)),
    "moves": (False, _table),
    "volatility": (False, _number(-0.95, 10.0)),
    "source": (False, _text(300)),
}

"""The time, as an argument."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns now, with a zone."""


def system_clock() -> datetime:
    """Return the machine's time in UTC."""
    return datetime.now(UTC)

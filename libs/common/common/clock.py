"""The time, as an argument."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns now, with a zone."""


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Return the seconds from one time to another, 0 when clocks disagree about their order.

    A time without a zone, as a hand may write it, is UTC.
    """
    times = (time if time.tzinfo else time.replace(tzinfo=UTC) for time in (earlier, later))
    first, second = times
    return max((second - first).total_seconds(), 0.0)


def system_clock() -> datetime:
    """Return the machine's time in UTC."""
    return datetime.now(UTC)

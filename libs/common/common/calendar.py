"""The NYSE calendar: which days are sessions, and when each one has closed.

The closures are data (`nyse.json`), taken from the library exchange_calendars and compared with it
in a test: the library needs pandas, seconds of every start and half of a small image, to say what
fits in a page. A closure that is declared at short notice comes with a new release of the file.
"""

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

FIRST_DAY = date(2010, 1, 1)
LAST_DAY = date(2060, 12, 31)
NEW_YORK = ZoneInfo("America/New_York")
_CLOSE = time(16)
_EARLY_CLOSE = time(13)


@dataclass(frozen=True, slots=True)
class _Schedule:
    sessions: tuple[date, ...]
    closes: tuple[datetime, ...]  # UTC, early closes included

    def position(self, session: date) -> int:
        index = bisect_left(self.sessions, session)
        if index == len(self.sessions) or self.sessions[index] != session:
            raise ValueError(f"{session} is not an NYSE session")
        return index


def sessions(start: date, end: date) -> tuple[date, ...]:
    """Return the sessions from `start` to `end`, both included, oldest first.

    Empty when `end` is before `start`. Raise ValueError for days before 2010.
    """
    _schedule_covering(start)
    known = _schedule_covering(end).sessions
    return known[bisect_left(known, start) : bisect_right(known, end)]


def is_session(day: date) -> bool:
    """Say whether the NYSE trades on `day`, if only until an early close."""
    known = _schedule_covering(day).sessions
    index = bisect_left(known, day)
    return index < len(known) and known[index] == day


def last_closed_session(now: datetime) -> date:
    """Return the latest session whose official close, early closes included, is at or before `now`.

    Raise ValueError for a `now` without a time zone.
    """
    schedule = _schedule_covering(_utc(now).date())
    index = bisect_right(schedule.closes, now) - 1
    if index < 0:
        raise ValueError(f"no known session had closed by {now}")
    return schedule.sessions[index]


def is_closed(session: date, now: datetime) -> bool:
    """Say whether the official close of `session` is at or before `now`.

    Raise ValueError for a day that is no session and for a `now` without a time zone.
    """
    return close_of(session) <= _utc(now)


def close_of(session: date) -> datetime:
    """Return the official close of `session` in UTC; raise ValueError for a day that is none."""
    schedule = _schedule_covering(session)
    return schedule.closes[schedule.position(session)]


def session_back(session: date, count: int) -> date:
    """Return the session that lies `count` sessions before `session`; 0 gives `session` itself.

    Raise ValueError for a day that is no session, a negative count, or a session before 2010.
    """
    schedule = _schedule_covering(session)
    index = schedule.position(session) - count
    if count < 0 or index < 0:
        raise ValueError(f"no known session lies {count} sessions before {session}")
    return schedule.sessions[index]


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment} has no time zone, so no session can be said to have closed")
    return moment.astimezone(UTC)


def _schedule_covering(day: date) -> _Schedule:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"the calendar knows {FIRST_DAY} to {LAST_DAY}, not {day}")
    return _schedule()


@lru_cache(maxsize=1)
def _schedule() -> _Schedule:
    known = json.loads(files("common").joinpath("nyse.json").read_text())
    closed = {date.fromisoformat(day) for day in known["closed"]}
    early = {date.fromisoformat(day) for day in known["early_closes"]}
    span = range((LAST_DAY - FIRST_DAY).days + 1)
    days = (FIRST_DAY + timedelta(days=offset) for offset in span)
    open_days = tuple(day for day in days if day.weekday() < 5 and day not in closed)
    closes = tuple(
        datetime.combine(day, _EARLY_CLOSE if day in early else _CLOSE, NEW_YORK).astimezone(UTC)
        for day in open_days
    )
    return _Schedule(open_days, closes)

"""What the calendar's data file must say, from the library that knows the exchanges' rules.

`python -m tests.support.nyse` writes the file.
"""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from warnings import catch_warnings, filterwarnings

from common.calendar import FIRST_DAY, LAST_DAY, NEW_YORK

FILE = Path(__file__).resolve().parents[2] / "libs/common/common/nyse.json"


def schedule() -> dict[str, Any]:
    """Return the weekdays without a session, and the sessions that close at 13:00."""
    from exchange_calendars import get_calendar  # brings pandas: seconds, wanted here only

    with catch_warnings():
        # exchange_calendars 4.13 reads Series.values, which pandas 3.1 deprecates: its own affair.
        filterwarnings("ignore", message="Series.values returning")
        nyse = get_calendar("XNYS", start=FIRST_DAY.isoformat(), end=LAST_DAY.isoformat())
    sessions: set[date] = set(nyse.sessions.date)
    closes = nyse.closes.dt.tz_convert(NEW_YORK)
    usual = {(close.hour, close.minute) for close in closes} - {(16, 0)}
    assert usual == {(13, 0)}, f"an early close at another time than 13:00: {usual}"
    days = [FIRST_DAY + timedelta(days=each) for each in range((LAST_DAY - FIRST_DAY).days + 1)]
    return {
        "closed": [str(day) for day in days if day.weekday() < 5 and day not in sessions],
        "early_closes": [str(close.date()) for close in closes if close.hour == 13],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(schedule(), indent=0) + "\n")

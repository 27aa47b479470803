"""The NYSE calendar: sessions, early closes, and what has closed by a given moment."""

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from common import calendar
from tests.support import nyse

NEW_YORK = ZoneInfo("America/New_York")


def test_sessions_leave_out_weekends_and_thanksgiving():
    assert calendar.sessions(date(2024, 11, 26), date(2024, 12, 2)) == (
        date(2024, 11, 26),
        date(2024, 11, 27),
        date(2024, 11, 29),
        date(2024, 12, 2),
    )


def test_both_ends_of_a_range_are_included():
    monday = date(2024, 12, 2)
    assert calendar.sessions(monday, monday) == (monday,)


def test_a_range_that_ends_before_it_starts_is_empty():
    assert calendar.sessions(date(2024, 12, 3), date(2024, 12, 2)) == ()


@pytest.mark.parametrize(
    ("day", "trades"),
    [
        (date(2024, 11, 28), False),  # Thanksgiving
        (date(2024, 11, 29), True),  # the half day after it
        (date(2024, 11, 30), False),  # Saturday
        (date(2025, 1, 9), False),  # mourning for President Carter
        (date(2026, 11, 20), True),
    ],
)
def test_a_day_is_a_session_or_not(day, trades):
    assert calendar.is_session(day) is trades


def test_the_half_day_after_thanksgiving_closes_at_one_in_new_york():
    half_day, day_before_thanksgiving = date(2024, 11, 29), date(2024, 11, 27)
    at_the_close = datetime(2024, 11, 29, 13, tzinfo=NEW_YORK)
    just_before = at_the_close - timedelta(seconds=1)

    assert calendar.last_closed_session(just_before) == day_before_thanksgiving
    assert calendar.last_closed_session(at_the_close) == half_day
    assert not calendar.is_closed(half_day, just_before)
    assert calendar.is_closed(half_day, at_the_close)


@pytest.mark.parametrize(
    ("friday", "monday", "closes_on_monday"),
    [
        # Clocks go forward on 2024-03-10 and back on 2024-11-03: 16:00 in New York moves in UTC.
        (date(2024, 3, 8), date(2024, 3, 11), datetime(2024, 3, 11, 20, tzinfo=UTC)),
        (date(2024, 11, 1), date(2024, 11, 4), datetime(2024, 11, 4, 21, tzinfo=UTC)),
    ],
)
def test_the_close_follows_new_york_through_a_clock_change(friday, monday, closes_on_monday):
    an_hour_early = closes_on_monday.replace(hour=closes_on_monday.hour - 1)

    assert calendar.last_closed_session(an_hour_early) == friday
    assert calendar.last_closed_session(closes_on_monday) == monday


def test_on_a_sunday_the_last_closed_session_is_friday():
    assert calendar.last_closed_session(datetime(2026, 11, 22, 9, tzinfo=UTC)) == date(2026, 11, 20)


def test_the_zone_of_now_does_not_matter():
    tokyo = datetime(2024, 12, 3, 6, 0, tzinfo=ZoneInfo("Asia/Tokyo"))  # 16:00 in New York
    assert calendar.last_closed_session(tokyo) == date(2024, 12, 2)


def test_a_naive_now_is_refused():
    naive = datetime(2024, 11, 29, 18)  # noqa: DTZ001 -- the fault under test
    with pytest.raises(ValueError, match="no time zone"):
        calendar.last_closed_session(naive)
    with pytest.raises(ValueError, match="no time zone"):
        calendar.is_closed(date(2024, 11, 29), naive)


def test_stepping_back_counts_sessions_not_days():
    assert calendar.session_back(date(2024, 12, 2), 0) == date(2024, 12, 2)
    assert calendar.session_back(date(2024, 12, 2), 2) == date(2024, 11, 27)

    today = date(2026, 11, 20)
    assert len(calendar.sessions(calendar.session_back(today, 779), today)) == 780


@pytest.mark.parametrize(
    ("session", "count"),
    [(date(2024, 11, 28), 1), (date(2024, 11, 29), -1), (date(2010, 1, 4), 1)],
)
def test_stepping_back_refuses_holidays_negative_counts_and_the_unknown_past(session, count):
    with pytest.raises(ValueError, match="session"):
        calendar.session_back(session, count)


def test_days_outside_the_calendar_are_refused_rather_than_called_holidays():
    for day in (date(2009, 12, 31), date(2200, 1, 1)):
        with pytest.raises(ValueError, match="the calendar knows"):
            calendar.is_session(day)


def test_the_data_is_what_the_library_of_exchange_calendars_says():
    assert json.loads(nyse.FILE.read_text()) == nyse.schedule()

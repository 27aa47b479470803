"""Quotes: today's close against the one before."""

from datetime import date

import pytest

from marketdata.domain import Quote


def quote(**changes):
    fields = {
        "symbol": "AAPL",
        "session": date(2026, 1, 12),
        "high": 103.0,
        "low": 99.0,
        "close": 102.0,
        "volume": 10,
        "split_ratio": 1.0,
        "previous_session": date(2026, 1, 9),
        "previous_close": 100.0,
    }
    return Quote(**{**fields, **changes})


def test_the_change_is_against_the_close_of_the_session_before():
    assert (quote().day_change, quote().day_change_percent) == (2.0, 2.0)


def test_a_split_is_no_change():
    split = quote(close=51.0, split_ratio=2.0)
    assert (split.day_change, split.day_change_percent) == (1.0, 2.0)


@pytest.mark.parametrize(
    "before",
    [
        {"previous_session": None, "previous_close": None},
        {"previous_session": date(2026, 1, 8)},
    ],
    ids=["no bar before", "a session without a bar between"],
)
def test_without_the_close_before_the_change_is_not_known(before):
    assert quote(**before).day_change is None
    assert quote(**before).day_change_percent is None

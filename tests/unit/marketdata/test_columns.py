"""What is stored, what is lacking, and which session is priced."""

from datetime import UTC, date, datetime, timedelta

import pytest

from marketdata.domain import (
    Column,
    Edition,
    PanelState,
    Source,
    Span,
    edition_of,
    gap,
    priced_session,
    unpublished,
    what_is_lacking,
)

NOW = datetime(2026, 1, 12, 23, tzinfo=UTC)
MONDAY = date(2026, 1, 12)
WANTED = Span(date(2025, 1, 2), MONDAY)
EDITION = Edition(Source("simulated", "1"), WANTED)


def column(symbol="AAPL", *, known=True, loaded=WANTED, asked_at=NOW, published=False):
    reason = None if known else "the provider does not know it"
    return Column(symbol, 1, known, reason, asked_at, loaded, published=published)


@pytest.mark.parametrize(
    ("asked", "now", "priced"),
    [
        (None, NOW, MONDAY),
        (None, datetime(2026, 1, 12, 20, tzinfo=UTC), date(2026, 1, 9)),
        (date(2026, 1, 9), NOW, date(2026, 1, 9)),
        (date(2026, 1, 11), NOW, date(2026, 1, 9)),
        (date(2027, 1, 4), NOW, MONDAY),
    ],
    ids=["after the close", "before the close", "a session", "a Sunday", "a day to come"],
)
def test_prices_are_of_the_last_closed_session_up_to_the_day_asked_for(asked, now, priced):
    assert priced_session(asked, now) == priced


@pytest.mark.parametrize("asked", [date(2009, 12, 31), date(2010, 1, 1)])
def test_a_day_before_the_first_known_session_is_refused(asked):
    with pytest.raises(ValueError, match=r"2009-12-31|2010-01-01"):
        priced_session(asked, NOW)


def test_an_edition_shows_so_many_sessions():
    assert edition_of(MONDAY, 3, EDITION.source).span == Span(date(2026, 1, 8), MONDAY)


def test_an_edition_near_the_beginning_of_the_calendar_is_shorter():
    assert edition_of(date(2010, 1, 5), 780, EDITION.source).span.first == date(2010, 1, 4)


@pytest.mark.parametrize(
    ("loaded", "lacking"),
    [
        (None, WANTED),
        (WANTED, None),
        (Span(date(2020, 1, 2), date(2026, 2, 2)), None),
        (Span(date(2025, 1, 2), date(2026, 1, 9)), Span(date(2026, 1, 10), MONDAY)),
        (Span(date(2025, 3, 3), MONDAY), Span(date(2025, 1, 2), date(2025, 3, 2))),
        (Span(date(2025, 3, 3), date(2026, 1, 9)), Span(date(2026, 1, 10), MONDAY)),
        (Span(date(2020, 1, 2), date(2020, 6, 1)), Span(date(2020, 6, 2), MONDAY)),
        (Span(date(2026, 3, 2), date(2026, 4, 1)), Span(date(2025, 1, 2), date(2026, 3, 1))),
    ],
    ids=[
        "nothing loaded",
        "all loaded",
        "more loaded",
        "a new session",
        "an older history",
        "both ends: the later first",
        "far before: in one piece",
        "far after: in one piece",
    ],
)
def test_only_the_gap_is_loaded(loaded, lacking):
    assert gap(loaded, WANTED) == lacking


def test_symbols_without_a_column_are_asked_about():
    plan = what_is_lacking(["AAPL", "MSFT"], {"AAPL": column()}, EDITION, NOW)
    assert (plan.profiles, plan.bars) == (("MSFT",), {})


def test_columns_with_the_same_gap_are_loaded_together():
    columns = {symbol: column(symbol, loaded=None) for symbol in ("AAPL", "MSFT")}
    plan = what_is_lacking(columns, columns, EDITION, NOW)
    assert (plan.profiles, plan.bars) == ((), {WANTED: tuple(columns.values())})


@pytest.mark.parametrize(("hours", "asked_again"), [(23, False), (24, True)])
def test_an_unknown_symbol_is_asked_about_once_a_day(hours, asked_again):
    unknown = column("ZZZZ", known=False, loaded=None, asked_at=NOW - timedelta(hours=hours))
    plan = what_is_lacking(["ZZZZ"], {"ZZZZ": unknown}, EDITION, NOW)
    assert plan.profiles == (("ZZZZ",) if asked_again else ())
    assert not plan.bars


def test_a_panel_lacks_complete_and_unknown_columns_that_it_does_not_show():
    columns = {
        "SHOWN": column("SHOWN", published=True),
        "NEW": column("NEW"),
        "UNKNOWN": column("UNKNOWN", known=False, loaded=None),
        "HALF": column("HALF", loaded=Span(WANTED.first, date(2026, 1, 9))),
    }
    lacking = unpublished(PanelState(1, columns), EDITION)
    assert [found.symbol for found in lacking] == ["NEW", "UNKNOWN"]

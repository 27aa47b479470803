"""What is stored, what is lacking, and which session is priced."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from common import calendar
from marketdata.domain import (
    Column,
    Edition,
    PanelState,
    Plan,
    Reference,
    Source,
    Span,
    edition_of,
    gap,
    priced_session,
    what_is_lacking,
)

NOW = datetime(2026, 1, 12, 23, tzinfo=UTC)
MONDAY = date(2026, 1, 12)
WANTED = Span(date(2025, 1, 2), MONDAY)
EDITION = Edition(Source("simulated", "1"), WANTED)


def column(symbol="AAPL", *, known=True, loaded=WANTED, asked_at=NOW, published=False, **more):
    reason = None if known else "the provider does not know it"
    return Column(symbol, 1, known, reason, asked_at, loaded, published=published, **more)


def an_edition(as_of, *, sessions=780, reference_sessions=2_600):
    return edition_of(
        as_of,
        EDITION.source,
        sessions=sessions,
        reference={"SPY"},
        reference_sessions=reference_sessions,
    )


def state(columns=(), *, version=1, curves=EDITION.rates, shows_curves=True):
    """What is there: by default no rates are lacking, and the panel shows them."""
    return PanelState(version, {one.symbol: one for one in columns}, curves, shows_curves)


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
    edition = an_edition(MONDAY, sessions=3, reference_sessions=5)
    assert edition.span == Span(date(2026, 1, 8), MONDAY)
    assert edition.reference == Reference(frozenset({"SPY"}), Span(date(2026, 1, 6), MONDAY))
    assert (edition.span_of("SPY"), edition.span_of("AAPL")) == (
        edition.reference.span,
        edition.span,
    )


def test_a_reference_has_no_fewer_sessions_than_the_panel():
    edition = an_edition(MONDAY, sessions=5, reference_sessions=3)
    assert edition.reference.span == edition.span


def test_an_edition_near_the_beginning_of_the_calendar_is_shorter():
    assert an_edition(date(2010, 1, 5)).span.first == date(2010, 1, 4)


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
    plan = what_is_lacking(["AAPL", "MSFT"], state([column()]), EDITION, NOW)
    assert (plan.profiles, plan.bars) == (("MSFT",), {})


def test_columns_with_the_same_gap_are_loaded_together():
    columns = [column(symbol, loaded=None) for symbol in ("AAPL", "MSFT")]
    plan = what_is_lacking(["AAPL", "MSFT"], state(columns), EDITION, NOW)
    assert (plan.profiles, plan.bars) == ((), {WANTED: tuple(columns)})


def test_what_is_of_the_reference_is_loaded_as_far_back_as_that_goes():
    edition = an_edition(MONDAY, sessions=20, reference_sessions=40)
    loaded = edition.span
    columns = [column("SPY", loaded=loaded), column("AAPL", loaded=loaded)]
    plan = what_is_lacking(["SPY", "AAPL"], state(columns), edition, NOW)
    older = Span(edition.reference.span.first, loaded.first - timedelta(days=1))
    assert plan.bars == {older: (columns[0],)}
    assert [one.symbol for one in state(columns).news(edition)] == ["AAPL"]


def test_the_benchmark_is_asked_about_once():
    there = state([column()])
    assert not what_is_lacking(["AAPL"], there, EDITION, NOW).benchmark
    plan = what_is_lacking(["AAPL"], replace(there, has_benchmark=False), EDITION, NOW)
    assert plan == Plan(benchmark=True)
    assert plan


def test_when_all_is_there_nothing_is_lacking():
    option = column("SPY 2027-01-15 C 700", loaded=None, has_bars=False)
    unknown = column("ZZZZ", known=False, loaded=None, has_snapshot=False)
    there = state([column(), option, unknown])
    assert not what_is_lacking(list(there.columns), there, EDITION, NOW)


def test_what_nothing_is_said_of_yet_is_asked_about_and_an_option_has_no_bars():
    columns = [
        column(has_snapshot=False),
        column("SPY 2027-01-15 C 700", loaded=None, has_bars=False, has_snapshot=False),
    ]
    plan = what_is_lacking([one.symbol for one in columns], state(columns), EDITION, NOW)
    assert plan == Plan(snapshots=tuple(columns))


def test_rates_are_asked_for_over_ten_years_whatever_the_panel_shows():
    sessions = calendar.sessions(EDITION.rates.first, MONDAY)
    assert (len(sessions), EDITION.rates.last) == (2_600, MONDAY)
    assert what_is_lacking([], state(curves=None), EDITION, NOW).curves == EDITION.rates
    older = Span(EDITION.rates.first, date(2026, 1, 9))
    plan = what_is_lacking([], state(curves=older), EDITION, NOW)
    assert plan.curves == Span(date(2026, 1, 10), MONDAY)


@pytest.mark.parametrize(("hours", "asked_again"), [(23, False), (24, True)])
def test_an_unknown_symbol_is_asked_about_once_a_day(hours, asked_again):
    unknown = column("ZZZZ", known=False, loaded=None, asked_at=NOW - timedelta(hours=hours))
    plan = what_is_lacking(["ZZZZ"], state([unknown]), EDITION, NOW)
    assert plan.profiles == (("ZZZZ",) if asked_again else ())
    assert not plan.bars


def test_a_new_panel_shows_complete_and_unknown_columns_that_were_not_shown():
    there = state(
        [
            column("SHOWN", published=True),
            column("NEW"),
            column("UNKNOWN", known=False, loaded=None, has_snapshot=False),
            column("HALF", loaded=Span(WANTED.first, date(2026, 1, 9))),
            column("UNSAID", has_snapshot=False),
            column("SPY 2027-01-15 C 700", loaded=None, has_bars=False),
        ]
    )
    news = there.news(EDITION)
    assert [found.symbol for found in news] == ["NEW", "UNKNOWN", "SPY 2027-01-15 C 700"]


@pytest.mark.parametrize(
    ("there", "news"),
    [
        (state([column(published=True)]), None),
        (state(version=None, curves=None, shows_curves=False), ()),
        (state([column(published=True)], shows_curves=False), ()),
        (state([column(published=True)], curves=None, shows_curves=False), None),
    ],
    ids=["all shown", "no panel yet", "rates have come", "rates have not come yet"],
)
def test_a_panel_is_published_for_the_first_time_and_for_rates_that_came_late(there, news):
    assert there.news(EDITION) == news

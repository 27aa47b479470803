"""Runs, items and sessions, by their rules."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ServiceError
from common.events.scheduler import RequestedItem
from scheduler.domain import (
    EVERYTHING,
    Coverage,
    Item,
    Portfolio,
    Progress,
    Run,
    Tally,
    in_chunks,
    item_for,
    owner_of,
    scope_of,
    session_for,
)

ONE, TWO = UUID(int=1), UUID(int=2)
OPENED = datetime(2026, 7, 6, 21, tzinfo=UTC)
RUN = Run(uuid4(), "calculate", date(2026, 7, 6), str(ONE), OPENED, requested_by="ada@example.com")


def progress(**fields) -> Progress:
    nothing = {
        "revision": 1,
        "outcome": None,
        "reason": None,
        "ended_at": None,
        "coverage": None,
    }
    return Progress(run=RUN, **{**nothing, **fields})


@pytest.mark.parametrize(
    ("now", "session"),
    [
        (datetime(2026, 7, 6, 19, 59, tzinfo=UTC), date(2026, 7, 2)),  # before Monday's close
        (datetime(2026, 7, 6, 20, 0, tzinfo=UTC), date(2026, 7, 6)),
        (datetime(2026, 7, 4, 12, 0, tzinfo=UTC), date(2026, 7, 2)),  # the 3rd was a holiday
        (datetime(2026, 11, 27, 18, 0, tzinfo=UTC), date(2026, 11, 27)),  # an early close
    ],
)
def test_a_run_is_for_the_last_session_that_has_closed(now, session):
    assert session_for(None, now) == session


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (date(2026, 7, 4), "not an NYSE session"),
        (date(2026, 7, 6), "has not closed"),
        (date(2031, 1, 2), "has not closed"),
        (date(1999, 1, 4), "the calendar knows"),
        (date(2300, 1, 4), "the calendar knows"),
    ],
)
def test_a_day_without_a_close_is_refused_with_the_reason(asked, said):
    with pytest.raises(ServiceError, match=said) as refusal:
        session_for(asked, datetime(2026, 7, 6, 19, tzinfo=UTC))
    assert refusal.value.code.name == "ERR_BATCH_003"


def test_an_older_session_may_be_asked_for():
    assert session_for(date(2026, 7, 2), OPENED) == date(2026, 7, 2)


@given(st.lists(st.uuids(), min_size=1, max_size=6), st.randoms())
def test_a_scope_is_the_same_whatever_the_order_and_the_repeats(ids, random):
    again = [*ids, random.choice(ids)]
    random.shuffle(again)
    assert scope_of(again) == scope_of(ids)
    assert scope_of([*ids, uuid4()]) != scope_of(ids)


def test_a_scope_names_everything_one_or_several():
    assert scope_of(None) == EVERYTHING
    assert scope_of([ONE, ONE]) == str(ONE)
    assert scope_of([ONE, TWO]).startswith("sha256:")


@pytest.mark.parametrize(
    ("revision", "known", "item"),
    [
        (None, Portfolio(ONE, TWO, 3), Item(ONE, 3)),
        (2, Portfolio(ONE, TWO, 3), Item(ONE, 2)),
        (2, None, Item(ONE, 2)),
        (None, None, Item(ONE, None, "failed", "unknown_portfolio")),
        (None, Portfolio(ONE, TWO, 3, deleted=True), Item(ONE, 3, "deleted", "portfolio_deleted")),
        (2, Portfolio(ONE, TWO, 3, deleted=True), Item(ONE, 2, "deleted", "portfolio_deleted")),
        (4, Portfolio(ONE, TWO, 3, deleted=True), Item(ONE, 4)),
    ],
)
def test_an_item_begins_at_the_revision_named_or_known(revision, known, item):
    assert item_for(ONE, revision, known) == item


@given(
    *[st.integers(min_value=0, max_value=50)] * 3,
)
def test_a_run_has_failed_only_when_all_of_it_has(calculated, failed, superseded):
    tally = Tally(calculated + failed + superseded, calculated, failed, superseded)
    assert tally.pending == 0
    assert tally.percent_done == 100.0
    if failed == 0:
        assert tally.end_status == "completed"
    elif calculated or superseded:
        assert tally.end_status == "completed_with_failures"
    else:
        assert tally.end_status == "failed"


def test_what_has_no_outcome_is_pending():
    tally = Tally(total=8, calculated=1, failed=1, superseded=0)
    assert (tally.pending, tally.percent_done) == (6, 25.0)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("calculated", "completed"),
        ("superseded", "completed"),
        ("deleted", "completed"),
        ("failed", "failed"),
        ("expired", "failed"),
    ],
)
def test_an_outcome_ends_the_item_whatever_is_heard_of_its_prices(outcome, status):
    for coverage in (None, Coverage(1, 1.0, (), sufficient=True)):
        ended = progress(outcome=outcome, coverage=coverage)
        assert (ended.stage, ended.status) == ("ended", status)


def test_an_item_waits_for_prices_and_then_for_results():
    assert (progress().stage, progress().status) == ("pricing", "running")
    priced = progress(coverage=Coverage(0, None, (), sufficient=True))
    assert (priced.stage, priced.status) == ("calculating", "running")


def test_time_stands_still_for_what_has_ended():
    now = OPENED + timedelta(minutes=9)
    assert progress().elapsed_seconds(now) == 540
    ended = progress(outcome="failed", ended_at=OPENED + timedelta(seconds=3))
    assert ended.elapsed_seconds(now) == 3


def test_a_run_is_somebodys_only_when_all_of_it_is():
    mine, also_mine = Portfolio(ONE, TWO, 1), Portfolio(TWO, TWO, 1)
    assert owner_of([mine, also_mine]) == TWO
    assert owner_of([mine, Portfolio(TWO, ONE, 1)]) is None
    assert owner_of([]) is None


@given(st.integers(min_value=0, max_value=650))
def test_chunks_hold_everything_once_and_never_more_than_two_hundred(count):
    items = [RequestedItem(portfolio_id=UUID(int=n), revision=n) for n in range(count)]
    chunks = list(in_chunks(items))
    assert [item for chunk in chunks for item in chunk] == items
    assert all(0 < len(chunk) <= 200 for chunk in chunks)

"""An account's history has no hole, and the past is what was calculated then, to the last bit."""

import json
from dataclasses import asdict, fields, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from risk_engine.domain import History, Market, Prices, Rates, Snapshots
from risk_engine.engine.frame import lay_out_chunk
from risk_engine.engine.options import PriceSource
from risk_engine.engine.past import ROWS_AT_ONCE
from risk_engine.engine.snapshots import SnapshotRow, snapshots_of
from risk_engine.engine.statement import valuations
from risk_engine.engine.valuation import value
from tests.unit.risk_engine.books import (
    AS_OF,
    NAN,
    OPENING,
    SESSIONS,
    book,
    market,
    option,
    position,
    private,
)
from tests.unit.risk_engine.test_engine_properties import books, markets

SINCE = SESSIONS[SESSIONS.index(OPENING) :]
QUOTES = dict(zip(SINCE, (5.0, 5.5, NAN, 6.5, 7.25), strict=True))
CLOSES = {
    "AAA": (58.0, 59.0, 59.5, 60.0, 61.0, NAN, 64.0, 66.0),
    "BBB": (69.0, 69.5, 70.5, 70.0, 71.0, 73.0, 72.0, 72.5),
    "SPY": (690.0, 695.0, 698.0, 700.0, 705.0, 710.0, 705.0, 715.0),
}
BOOK = book(
    (
        position(1, "AAA", "100", "50"),
        position(2, "BBB", "-50", "80"),
        position(3, "BBB", "10", "70.5", entry_date=SINCE[1], exit_date=SINCE[3]),
        option(4, "2", "4.50"),
        option(5, "-1", "9", expiration=SINCE[2]),
        private(6, "FUND", "900"),
    )
)
BOOK = replace(
    BOOK,
    positions=tuple(
        replace(one, exit_price=Decimal(72)) if one.exit_date else one for one in BOOK.positions
    ),
)
MARKET = market(CLOSES, dividends={("BBB", SINCE[2]): 1.0}, splits={("AAA", SINCE[4]): 1.5})


def until(prices: Prices, as_of: date) -> Prices:
    """The panel as it was announced that night."""
    end = prices.rows[as_of] + 1
    return replace(
        prices,
        as_of=as_of,
        sessions=prices.sessions[:end],
        close=prices.close[:end],
        split_ratio=prices.split_ratio[:end],
        dividend=prices.dividend[:end],
    )


def night(a_book, prices, history, as_of, quote=NAN):
    """Calculate a book on a session; return the rows to be stored."""
    panel = until(prices, as_of)
    everything = Market(panel, panel, Snapshots.silent(), {}, Rates.unknown(), None)
    frame = lay_out_chunk([a_book], everything, {}, [history])
    source: PriceSource = "quote"
    contracts = replace(
        frame.contracts,
        price=np.full(len(frame.contracts), quote),
        price_source=(source,) * len(frame.contracts),
    )
    valued = value([a_book], panel, as_of, {}, contracts=contracts, histories=[history])
    said = tuple(valuations(valued, [a_book], panel, as_of))
    (rows,) = snapshots_of(replace(frame, valued=valued, valuations=said))
    return rows


def stored(rows):
    """What is read back of rows on a later night."""
    prices = {one.session: json.loads(one.option_prices) for one in rows if one.option_prices}
    returns = [NAN if one.daily_return is None else one.daily_return for one in rows]
    return History(
        tuple(one.session for one in rows),
        np.array([one.net_asset_value for one in rows]),
        np.array(returns),
        prices,
    )


def every_night(a_book, prices, quotes):
    rows: list[SnapshotRow] = []
    for session in SINCE:
        rows += night(a_book, prices, stored(rows), session, quotes.get(session, NAN))
    return rows


def test_each_night_adds_its_session():
    rows = every_night(BOOK, MARKET, QUOTES)
    assert [one.session for one in rows] == list(SINCE)
    assert (rows[0].net_asset_value, rows[0].daily_pnl) == (100_000.0, None)
    for before, after in pairwise(rows):
        change = after.net_asset_value - before.net_asset_value
        assert after.daily_pnl == pytest.approx(change, abs=1e-9)
        assert after.daily_return == pytest.approx(change / before.net_asset_value)


def test_the_past_is_filled_in_as_it_would_have_been():
    rows = every_night(BOOK, MARKET, QUOTES)
    prices_alone = replace(stored(rows[:-1]), sessions=())
    filled = night(BOOK, MARKET, prices_alone, AS_OF, QUOTES[AS_OF])
    assert [asdict(one) for one in filled] == [asdict(one) for one in rows]


def test_a_night_that_did_not_run_leaves_no_hole():
    rows = every_night(BOOK, MARKET, QUOTES)
    known = [rows[0], rows[1], rows[3]]
    filled = night(BOOK, MARKET, stored(known), AS_OF, QUOTES[AS_OF])
    assert [one.session for one in filled] == [SINCE[2], AS_OF]
    assert filled[-1] == rows[-1]
    # Nobody asked for quotes that night, as nobody had any: the option was carried either way.
    assert filled[0] == rows[2]


def test_a_missed_night_carries_options_at_the_last_price_before_it():
    rows = every_night(BOOK, MARKET, QUOTES)
    filled = night(BOOK, MARKET, stored(rows[:3]), AS_OF, QUOTES[AS_OF])
    assert [one.session for one in filled] == [SINCE[3], AS_OF]
    assert filled[0].net_asset_value == rows[3].net_asset_value - 200 * (6.5 - 5.5)
    assert filled[0].status == "partial"
    assert filled[0].option_prices is None
    assert filled[1].net_asset_value == rows[4].net_asset_value


def test_a_quote_of_a_night_is_kept_with_it():
    rows = every_night(BOOK, MARKET, QUOTES)
    assert rows[0].option_prices == ('{"SPY 2026-01-07 C 700": 5.0, "SPY 2029-01-19 C 700": 5.0}')
    assert rows[3].option_prices == '{"SPY 2029-01-19 C 700": 6.5}'


@settings(deadline=None, max_examples=25)
@given(books(), markets())
def test_any_book_is_filled_in_as_it_would_have_been(a_book, prices):
    rows = every_night(a_book, prices, {})
    filled = night(a_book, prices, History.none(), AS_OF)
    assert [asdict(one) for one in filled] == [asdict(one) for one in rows]


@settings(deadline=None, max_examples=40)
@given(books(), markets())
def test_what_a_session_changed_adds_up(a_book, prices):
    rows = night(a_book, prices, History.none(), AS_OF)
    panel = until(prices, AS_OF)
    found = value([a_book], panel, AS_OF, {})
    changes = found.past.changes
    for one in fields(found.accounts):
        today = getattr(found.past.values, one.name)[-1:]
        np.testing.assert_array_equal(today, getattr(found.accounts, one.name), err_msg=one.name)
    scale = 1e-12 * max(1.0, *(abs(one.net_asset_value) for one in rows), 5_000 * 900 * 100)
    for place, (before, after) in enumerate(pairwise(rows), start=1):
        change = after.net_asset_value - before.net_asset_value
        explained = changes.pnl[place] + changes.repricing[place]
        assert explained == pytest.approx(change, rel=1e-9, abs=scale)
    parts = changes.unrealized_change + changes.realized + changes.income - changes.restated
    np.testing.assert_allclose(changes.pnl, parts, rtol=1e-9, atol=scale)


def test_a_bad_exit_is_no_fault_before_it():
    # No exit price: known until the sale, not afterwards.
    bad = replace(position(1, "AAA", "100", "50"), exit_date=SINCE[3])
    a_book = book((bad, position(2, "BBB", "-50", "80")))
    rows = every_night(a_book, MARKET, {})
    assert [one.status for one in rows] == ["ok", "ok", "stale", "partial", "partial"]
    filled = night(a_book, MARKET, History.none(), AS_OF)
    assert [asdict(one) for one in filled] == [asdict(one) for one in rows]


def test_a_long_past_of_many_accounts_is_done_in_parts():
    count = 40
    sessions = tuple(date.fromordinal(738_000 + day) for day in range(700))
    chance = np.random.default_rng(1)
    names = [f"S{number}" for number in range(20)]
    prices = market({name: chance.uniform(10, 20, 700) for name in names}, sessions=sessions)
    accounts = [
        book(
            [position(number, name, "10", "12") for number, name in enumerate(names)],
            number=number,
            opening_session=sessions[0],
            equity=str(10_000 * number),
        )
        for number in range(1, count + 1)
    ]
    assert count * len(names) * len(sessions) > ROWS_AT_ONCE
    together = value(accounts, prices, sessions[-1], {}).past
    alone = value(accounts[-1:], prices, sessions[-1], {}).past
    mine = together.account == count - 1
    for one in fields(alone.changes):
        found = getattr(together.changes, one.name)[mine]
        np.testing.assert_array_equal(found, getattr(alone.changes, one.name))

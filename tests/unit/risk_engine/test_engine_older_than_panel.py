"""Accounts that opened before the panel keep what acted on their shares since."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from common import calendar
from risk_engine.domain import History, Market, Prices, Rates, Snapshots
from risk_engine.engine.fingerprint import input_hash
from risk_engine.engine.frame import Frame, lay_out_chunk
from risk_engine.engine.performance import performance_of
from risk_engine.engine.snapshots import snapshots_of
from tests.unit.risk_engine.books import NAN, book, market, option, position

SESSIONS = tuple(calendar.sessions(date(2025, 9, 2), date(2025, 12, 31)))
OPENED, SPLIT, PAID, EXPIRY = (SESSIONS[row] for row in (3, 10, 14, 20))
FIRST = 30
"""Of the shorter panel, in which nothing of all this is."""
CHANCE = np.random.default_rng(11)
CLOSE = 100 * np.exp(np.cumsum(CHANCE.normal(0, 0.02, len(SESSIONS))))
CLOSE[10:] /= 4
SPY = 690 + np.arange(len(SESSIONS)) * 1.0
WHOLE = market(
    {"AAA": CLOSE, "SPY": SPY},
    splits={("AAA", SPLIT): 4.0},
    dividends={("AAA", PAID): 0.5, ("AAA", SESSIONS[40]): 0.25},
    sessions=SESSIONS,
)
SHARES = position(1, "AAA", "100", "50")
EXPIRED = option(2, "-1", "5", expiration=EXPIRY)
BOOK = book((SHARES, EXPIRED), opening_session=OPENED)


def earlier(loaded_from=SESSIONS[0]):
    """What marketdata tells of before the shorter panel."""
    rows = [10, 14, 17, 18, 19, 20]
    close = np.full((6, 2), NAN)
    close[2:] = WHOLE.close[17:21]
    return replace(
        WHOLE,
        sessions=tuple(SESSIONS[row] for row in rows),
        close=close,
        split_ratio=WHOLE.split_ratio[rows],
        dividend=WHOLE.dividend[rows],
        loaded_from=dict.fromkeys(WHOLE.symbols, loaded_from),
    )


def short(before: Prices | None) -> Market:
    """The market of the shorter panel."""
    prices = replace(
        WHOLE,
        sessions=SESSIONS[FIRST:],
        close=WHOLE.close[FIRST:],
        split_ratio=WHOLE.split_ratio[FIRST:],
        dividend=WHOLE.dividend[FIRST:],
    )
    return Market(prices, prices, Snapshots.silent(), {}, Rates.unknown(), None, earlier=before)


def framed(a_market: Market, *books, history: History | None = None, cash=None) -> Frame:
    found = {one.portfolio_id: cash for one in books if cash is not None}
    return lay_out_chunk(books, a_market, found, [history or History.none()] * len(books))


@pytest.fixture(scope="module")
def young() -> Frame:
    quoted = {OPENED: {f"SPY {EXPIRY} C 700": 5.0}}
    stored = History((), np.empty(0), option_prices=quoted)
    whole = Market(WHOLE, WHOLE, Snapshots.silent(), {}, Rates.unknown(), None)
    return framed(whole, BOOK, history=stored)


@pytest.fixture(scope="module")
def old(young: Frame) -> Frame:
    cash = Decimal(repr(young.valuations[0].totals.opening_cash))
    return framed(short(earlier()), BOOK, cash=cash)


def test_nothing_changes_when_opening_split_dividend_and_expiry_leave_the_panel(young, old):
    before, after = young.valuations[0], old.valuations[0]
    # 100 shares are 400 now, and got 0.50 and 0.25 each; the call paid max(710 - 700, 0).
    assert after.positions[0].quantity == 400.0
    assert after.totals.dividend_income == 300.0
    assert after.totals.realized_pnl == -100 * (10 - 5)
    assert after.positions == before.positions
    for name in ("net_asset_value", "cash", "unrealized_pnl", "dividend_income"):
        found = getattr(after.totals, name)
        assert found == pytest.approx(getattr(before.totals, name), rel=1e-14), name
    assert after.daily.pnl == pytest.approx(before.daily.pnl, rel=1e-12)
    assert (before.status, after.status, after.notes) == ("ok", "ok", before.notes)


def test_the_sessions_of_the_panel_are_valued_as_they_were(young, old):
    before = {row.session: row for row in snapshots_of(young)[0]}
    after = snapshots_of(old)[0]
    assert [row.session for row in after] == list(SESSIONS[FIRST:])
    for row in after:
        was = before[row.session]
        assert row.net_asset_value == pytest.approx(was.net_asset_value, rel=1e-14)
        assert row.status == was.status
        if row.session > SESSIONS[FIRST]:
            assert row.daily_return == pytest.approx(was.daily_return, abs=1e-12)


@pytest.mark.parametrize(
    "before", [None, earlier(loaded_from=SESSIONS[4])], ids=("not served", "not loaded")
)
def test_what_is_not_known_of_before_the_panel_makes_it_partial(old, before):
    cash = Decimal(repr(old.valuations[0].totals.opening_cash))
    found = framed(short(before), BOOK, cash=cash).valuations[0]
    assert found.status == "partial"
    assert "opening_before_panel" in [note.code for note in found.notes]


def test_what_came_later_than_the_loaded_bars_is_known(old):
    # The shares were bought after the day from which bars are loaded.
    bought = replace(SHARES, entry_date=SESSIONS[5])
    account = replace(BOOK, positions=(bought,))
    frame = framed(short(earlier(loaded_from=SESSIONS[4])), account, cash=Decimal(1))
    assert frame.valuations[0].status == "ok"
    assert frame.valuations[0].positions[0].split_factor == 4.0


def test_return_and_rate_are_of_the_same_sessions(old):
    (found,) = performance_of(old)
    nav = [row.net_asset_value for row in snapshots_of(old)[0]]
    assert found["cumulative_return"] == pytest.approx(nav[-1] / nav[0] - 1, rel=1e-9)
    assert found["first_session"] == SESSIONS[FIRST + 1].isoformat()


def test_no_book_is_valued_by_what_was_asked_for_another(old):
    # Not traded since before the shorter panel; only another book asked for what came before.
    halted = earlier()
    halted.close[:, 0] = 33.0
    prices = short(halted)
    prices.prices.close[:, 0] = NAN
    young_book = book((SHARES,), number=2, opening_session=SESSIONS[FIRST])
    together = framed(prices, BOOK, young_book, cash=Decimal(1)).valuations[1]
    alone = framed(replace(prices, earlier=None), young_book).valuations[0]
    assert together == alone
    assert together.positions[0].carried_at == "entry_price"


def test_the_hash_covers_what_came_before_the_panel():
    def hashed(before):
        return input_hash(BOOK, short(before).ledger, SESSIONS[-1], Decimal(1))

    other = earlier()
    other.split_ratio[0, 0] = 5.0
    assert hashed(earlier()) != hashed(other)
    assert hashed(earlier()) == hashed(earlier())

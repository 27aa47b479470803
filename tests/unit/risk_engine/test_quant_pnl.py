"""Daily profit, of all sessions at once: as a clerk with a ledger would, holding by holding."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.quant.panel import NO_COLUMN, NO_SERIES, Marks, Panel
from risk_engine.quant.pnl import daily_pnl
from risk_engine.quant.sessions import on_days
from risk_engine.quant.valuation import (
    Accounts,
    Holdings,
    HoldingValues,
    value_accounts,
    value_holdings,
)

NAN = float("nan")
NEVER = 10_000
DAYS = np.arange(10, 18)
OPENING = 11


@st.composite
def panels(draw, gaps=False):
    """Three symbols over eight sessions, with splits, dividends and perhaps gaps."""
    shape = (DAYS.size, 3)

    def table(cell):
        return np.array(draw(st.lists(cell, min_size=24, max_size=24))).reshape(shape)

    price = st.floats(1.0, 900.0)
    rare = st.integers(0, 9)
    return Panel(
        day=DAYS,
        close=table(st.one_of(price, price, st.just(NAN)) if gaps else price),
        split_ratio=table(st.sampled_from([1.0] * 9 + [2.0, 0.1, 1.5])),
        dividend=table(st.floats(0.01, 5.0)) * (table(rare) < 2),
    )


@st.composite
def ledgers(draw):
    """Up to nine holdings of two accounts; some are bought or sold while we look, some options."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 1),
                st.integers(-1, 2),
                st.integers(-500, 500).filter(bool),
                st.sampled_from([1.0, 100.0]),
                st.floats(1.0, 900.0),
                st.one_of(st.just(1), st.sampled_from(DAYS.tolist())),
                st.one_of(st.just(NEVER), st.integers(0, 8)),
                st.floats(0.0, 900.0),
                st.booleans(),
            ),
            min_size=1,
            max_size=9,
        )
    )
    account, column, quantity, multiplier, entry, entry_day, stay, exit_price, marked = map(
        np.array, zip(*rows, strict=True)
    )
    order = np.argsort(account, kind="stable")
    table = Holdings(
        account=account,
        column=np.where(marked, NO_COLUMN, column),
        split_column=column,
        series=np.where(marked, column, NO_SERIES),
        expects_price=np.ones(len(rows), dtype=np.bool_),
        quantity=quantity.astype(float),
        multiplier=multiplier,
        entry_price=entry,
        exit_price=exit_price,
        entry_day=entry_day,
        exit_day=np.where(stay == NEVER, NEVER, np.maximum(entry_day, 10) + stay),
        expiry_day=np.full(len(rows), NEVER),
    )
    return Holdings(*(getattr(table, one.name)[order] for one in fields(table)))


def marks_of(panel):
    """Take the closes for the marks of options on the same symbols."""
    column, row = np.nonzero(~np.isnan(panel.close).T)
    return Marks(column * panel.day.size + row, panel.close[row, column], panel.day.size)


def accounts(*equity):
    count = len(equity)
    return Accounts(np.array(equity), np.full(count, OPENING), np.full(count, NAN))


def over_days(panel, holdings, owners, days=DAYS):
    """Value all sessions in one pass: values (sessions, holdings), NAV (sessions, accounts)."""
    count = owners.equity.size
    repeated = on_days(
        holdings, owners, np.repeat(np.arange(count), days.size), np.tile(days, count)
    )
    values = value_holdings(
        panel, marks_of(panel), repeated.holdings, repeated.accounts, repeated.day
    )
    nav = value_accounts(repeated.holdings, values, repeated.accounts).net_asset_value
    return repeated, values, nav.reshape(count, days.size).T


def by_session(amount, repeated, rows, days=DAYS):
    """Put amounts of rows into a table, (sessions, holdings)."""
    session = np.searchsorted(days, repeated.day[repeated.holdings.account[rows]])
    table = np.full((days.size, repeated.holding.max() + 1), NAN)
    table[session, repeated.holding[rows]] = amount
    return table


def attributed(panel, holdings, owners):
    repeated, values, nav = over_days(panel, holdings, owners)
    known = np.ones(repeated.holding.size, dtype=np.bool_)
    expects = repeated.holdings.expects_price
    found = daily_pnl(values, expects, known, repeated.before, repeated.after)
    tables = {
        one.name: by_session(getattr(found, one.name), repeated, repeated.after)
        for one in fields(found)
    }
    return replace(found, **tables), nav


def by_account(amount, holdings, count=2):
    return np.array([amount[:, holdings.account == one].sum(axis=1) for one in range(count)]).T


def by_hand(panel, holdings, row):
    """Return what a holding earns on each session after the opening, by C1's formula."""
    column, m = holdings.split_column[row], holdings.multiplier[row]
    bought, sold = holdings.entry_day[row], holdings.exit_day[row]
    held = holdings.quantity[row] if bought <= OPENING < sold else 0.0
    earned = []
    for session in range(DAYS.tolist().index(OPENING) + 1, DAYS.size):
        day = DAYS[session]
        before, now = panel.close[session - 1, column], panel.close[session, column]
        k, dividend = panel.split_ratio[session, column], panel.dividend[session, column]
        if holdings.column[row] == NO_COLUMN:
            dividend = 0.0  # an option is paid none
        pnl = m * held * (k * now - before) + m * held * dividend
        held *= k
        if day == bought:
            pnl += m * holdings.quantity[row] * (now - holdings.entry_price[row])
            held = holdings.quantity[row]
        if day == sold:
            pnl += -m * held * (now - holdings.exit_price[row])
            held = 0.0
        earned.append(pnl)
    return earned


@settings(deadline=None, max_examples=50)
@given(panels(), ledgers())
def test_every_session_earns_what_the_ledger_says(panel, holdings):
    # Every session has a price, so that nothing is carried.
    is_option, column = holdings.series >= 0, np.maximum(holdings.split_column, 0)
    holdings = replace(
        holdings,
        column=np.where(is_option, NO_COLUMN, column),
        split_column=column,
        series=np.where(is_option, column, NO_SERIES),
    )
    found, _ = attributed(panel, holdings, accounts(1e6, -5e4))
    scale = np.abs(holdings.quantity * holdings.multiplier).max() * 1e5
    for row in range(holdings.account.size):
        expected = by_hand(panel, holdings, row)
        np.testing.assert_allclose(found.pnl[2:, row], expected, rtol=1e-9, atol=1e-13 * scale)


@settings(deadline=None, max_examples=50)
@given(panels(gaps=True), ledgers())
def test_profit_is_the_change_of_nav_and_of_what_is_realised_and_not(panel, holdings):
    found, nav = attributed(panel, holdings, accounts(1e6, -5e4))
    scale = np.abs(holdings.quantity * holdings.multiplier).max() * 1e5
    exact = {"rtol": 1e-9, "atol": 1e-13 * scale}
    pnl, repricing = (by_account(one, holdings)[2:] for one in (found.pnl, found.repricing))
    np.testing.assert_allclose(pnl + repricing, np.diff(nav, axis=0)[1:], **exact)
    parts = found.unrealized_change + found.realized + found.income - found.restated
    np.testing.assert_allclose(found.pnl[2:], parts[2:], **exact)


@settings(deadline=None, max_examples=50)
@given(panels(gaps=True), ledgers(), st.integers(1, DAYS.size - 1))
def test_the_past_is_to_the_last_bit_what_was_calculated_then(panel, holdings, session):
    owners = accounts(1e6, -5e4)
    repeated, values, nav = over_days(panel, holdings, owners)
    until = replace(
        panel,
        day=panel.day[: session + 1],
        close=panel.close[: session + 1],
        split_ratio=panel.split_ratio[: session + 1],
        dividend=panel.dividend[: session + 1],
    )
    days = DAYS[session - 1 : session + 1]
    again, then, nav_then = over_days(until, holdings, owners, days)
    here = np.isin(repeated.day[repeated.holdings.account], days)
    assert again.holding.tolist() == repeated.holding[here].tolist()
    for one in fields(HoldingValues):
        found, expected = getattr(then, one.name), getattr(values, one.name)[here]
        np.testing.assert_array_equal(found, expected, err_msg=one.name)
    np.testing.assert_array_equal(nav_then, nav[session - 1 : session + 1])


@settings(deadline=None, max_examples=50)
@given(panels(gaps=True), ledgers())
def test_flipping_every_quantity_flips_every_profit(panel, holdings):
    there, _ = attributed(panel, holdings, accounts(1e6, -5e4))
    flipped = replace(holdings, quantity=-holdings.quantity)
    back, _ = attributed(panel, flipped, accounts(1e6, -5e4))
    for one in fields(there):
        np.testing.assert_array_equal(getattr(back, one.name), -getattr(there, one.name))


def one_holding(closes, *, option=False, private=False, exit_day=NEVER, exit_price=NAN):
    """Ten of something bought at 4 before the account opened; closes from day 10."""
    close = np.array([closes], dtype=float).T
    days = np.arange(10, 10 + len(closes))
    panel = Panel(days, close, np.ones(close.shape), np.zeros(close.shape))
    holdings = Holdings(
        account=np.array([0]),
        column=np.array([NO_COLUMN if option or private else 0]),
        split_column=np.array([NO_COLUMN if private else 0]),
        series=np.array([0 if option else NO_SERIES]),
        expects_price=np.array([not private]),
        quantity=np.array([10.0]),
        multiplier=np.array([1.0]),
        entry_price=np.array([4.0]),
        exit_price=np.array([exit_price]),
        entry_day=np.array([1]),
        exit_day=np.array([exit_day]),
        expiry_day=np.array([NEVER]),
    )
    return panel, holdings, days


OWNER = Accounts(np.array([100.0]), np.array([10]), np.array([NAN]))


def earned(*closes, known=None, **more):
    """Return the pairs' profits and the NAV of each session."""
    panel, holdings, days = one_holding(closes, **more)
    repeated, values, nav = over_days(panel, holdings, OWNER, days)
    is_known = np.ones(days.size, dtype=np.bool_) if known is None else np.array(known)
    expects = repeated.holdings.expects_price
    found = daily_pnl(values, expects, is_known, repeated.before, repeated.after)
    return found, nav[:, 0].tolist()


def test_a_first_price_is_no_gain_of_its_day():
    # Carried at 40 for want of a price; worth 60 when there is one, then 70.
    found, nav = earned(NAN, NAN, 6.0, 7.0)
    assert nav == [100.0, 100.0, 120.0, 130.0]
    assert found.pnl.tolist() == [0.0, 0.0, 10.0]
    assert found.repricing.tolist() == [0.0, 20.0, 0.0]


def test_an_options_first_price_is_what_it_was_worth_at_the_opening():
    found, nav = earned(NAN, NAN, 6.0, 7.0, option=True)
    assert nav == [100.0, 100.0, 100.0, 110.0]
    assert found.pnl.tolist() == [0.0, 0.0, 10.0]
    assert found.repricing.tolist() == [0.0, 0.0, 0.0]
    assert found.restated.tolist() == [0.0, 20.0, 0.0]


def test_an_option_without_a_price_is_carried_at_its_last_and_nav_does_not_jump():
    _, nav = earned(5.0, 6.0, NAN, NAN, NAN, NAN, NAN, 7.0, option=True)
    assert nav == [100.0, 110.0, 110.0, 110.0, 110.0, 110.0, 110.0, 120.0]
    panel, holdings, _ = one_holding([5.0, 6.0, NAN, NAN], option=True)
    values = value_holdings(panel, marks_of(panel), holdings, OWNER, 12)
    assert (values.carried[0], values.at_cost[0], values.price_row[0]) == (True, False, 1)
    assert np.isnan(values.market_value[0])
    assert value_accounts(holdings, values, OWNER).carried_value.tolist() == [60.0]


def test_an_expired_option_does_not_live_on_at_its_last_price():
    panel, holdings, _ = one_holding([5.0, 6.0, NAN, NAN], option=True)
    expiring = replace(holdings, expiry_day=np.array([12]))
    values = value_holdings(panel, marks_of(panel), expiring, OWNER, 12)
    assert (values.at_cost[0], values.value[0]) == (True, 40.0)


def test_a_sale_without_a_price_that_day_earns_what_it_fetched():
    found, _ = earned(5.0, 6.0, NAN, exit_day=12, exit_price=9.0)
    assert found.pnl.tolist() == [10.0, 30.0]
    assert found.realized.tolist() == [0.0, 50.0]


def test_the_sale_of_a_private_asset_is_a_gain_of_its_day():
    found, _ = earned(NAN, NAN, NAN, private=True, exit_day=12, exit_price=9.0)
    assert found.pnl.tolist() == [0.0, 50.0]


def test_what_can_no_longer_be_valued_was_repriced():
    found, _ = earned(5.0, 6.0, 7.0, known=[True, True, False])
    assert found.pnl.tolist() == [10.0, 0.0]
    assert found.repricing.tolist() == [0.0, -10.0]


def test_days_are_of_each_account_and_follow_each_other():
    _, holdings, _ = one_holding([1.0, 2.0])
    two = Holdings(*(np.repeat(getattr(holdings, one.name), 3) for one in fields(holdings)))
    two = replace(two, account=np.array([0, 0, 2]))
    owners = Accounts(np.array([7.0, 8.0, 9.0]), np.full(3, 10), np.full(3, NAN))
    account, day = np.array([0, 0, 1, 1, 2]), np.array([10, 11, 10, 11, 11])
    repeated = on_days(two, owners, account, day)
    assert repeated.holdings.account.tolist() == [0, 0, 1, 1, 4]
    assert repeated.holding.tolist() == [0, 1, 0, 1, 2]
    assert repeated.accounts.equity.tolist() == [7.0, 7.0, 8.0, 8.0, 9.0]
    assert (repeated.before.tolist(), repeated.after.tolist()) == ([0, 1], [2, 3])
    assert repeated.step.tolist() == [1, 1]
    nobody = on_days(two, owners, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    assert (nobody.holding.size, nobody.after.size) == (0, 0)


@pytest.mark.parametrize("factor", [2.0, 0.5, 10.0])
def test_an_options_mark_before_a_split_is_restated(factor):
    # 10 contracts at 6 before the split are 10 k contracts at 6 / k.
    panel, holdings, _ = one_holding([5.0, 6.0, NAN, NAN], option=True)
    ratio = np.ones((4, 1))
    ratio[2] = factor
    panel = replace(panel, split_ratio=ratio)
    values = value_holdings(panel, marks_of(panel), holdings, OWNER, 12)
    assert values.split_factor.tolist() == [factor]
    assert value_accounts(holdings, values, OWNER).net_asset_value[0] == pytest.approx(110)

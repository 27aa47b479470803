"""Daily profit, of all sessions at once: as a clerk with a ledger would, holding by holding."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.quant.panel import NO_COLUMN, Panel
from risk_engine.quant.pnl import daily_pnl
from risk_engine.quant.valuation import (
    Accounts,
    Holdings,
    HoldingValues,
    at_days,
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
    """Up to nine holdings of two accounts; some are bought or sold while we look, some marked."""
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
    return Holdings(
        account=account,
        column=column,
        expects_price=np.ones(len(rows), dtype=np.bool_),
        is_marked=marked,
        quantity=quantity.astype(float),
        multiplier=multiplier,
        entry_price=entry,
        exit_price=exit_price,
        entry_day=entry_day,
        exit_day=np.where(stay == NEVER, NEVER, np.maximum(entry_day, 10) + stay),
    )


def accounts(*equity):
    count = len(equity)
    return Accounts(np.array(equity), np.full(count, OPENING), np.full(count, NAN))


def over_days(panel, holdings, owners, days=DAYS):
    """Value all sessions in one pass: values (sessions, holdings), NAV (sessions, accounts)."""
    repeated, of = at_days(holdings, owners, days)
    values = value_holdings(panel, repeated, of, np.repeat(days, owners.equity.size))
    nav = value_accounts(repeated, values, of).net_asset_value.reshape(days.size, -1)
    return shaped(values, days.size), nav


def shaped(values, sessions):
    return HoldingValues(
        **{one.name: getattr(values, one.name).reshape(sessions, -1) for one in fields(values)}
    )


def attributed(panel, holdings, owners):
    values, nav = over_days(panel, holdings, owners)
    opened = np.broadcast_to((DAYS >= OPENING)[:, None], values.value.shape)
    return daily_pnl(values, holdings.expects_price, opened, opened), nav


def by_account(amount, holdings, count=2):
    return np.array([amount[:, holdings.account == one].sum(axis=1) for one in range(count)]).T


def by_hand(panel, holdings, row):
    """Return what a holding earns on each session after the opening, by C1's formula."""
    column, m = holdings.column[row], holdings.multiplier[row]
    bought, sold = holdings.entry_day[row], holdings.exit_day[row]
    held = holdings.quantity[row] if bought <= OPENING < sold else 0.0
    earned = []
    for session in range(DAYS.tolist().index(OPENING) + 1, DAYS.size):
        day = DAYS[session]
        before, now = panel.close[session - 1, column], panel.close[session, column]
        k, dividend = panel.split_ratio[session, column], panel.dividend[session, column]
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
    holdings = replace(holdings, column=np.maximum(holdings.column, 0))
    found, _ = attributed(panel, holdings, accounts(1e6, -5e4))
    scale = np.abs(holdings.quantity * holdings.multiplier).max() * 1e5
    for row in range(holdings.account.size):
        expected = by_hand(panel, holdings, row)
        np.testing.assert_allclose(found.pnl[1:, row], expected, rtol=1e-9, atol=1e-13 * scale)
    assert np.isnan(found.pnl[0]).all()


@settings(deadline=None, max_examples=50)
@given(panels(gaps=True), ledgers())
def test_profit_is_the_change_of_nav_and_of_what_is_realised_and_not(panel, holdings):
    found, nav = attributed(panel, holdings, accounts(1e6, -5e4))
    scale = np.abs(holdings.quantity * holdings.multiplier).max() * 1e5
    exact = {"rtol": 1e-9, "atol": 1e-13 * scale}
    pnl, repricing = (by_account(one, holdings)[1:] for one in (found.pnl, found.repricing))
    np.testing.assert_allclose(pnl + repricing, np.diff(nav, axis=0)[1:], **exact)
    parts = found.unrealized_change + found.realized + found.income - found.restated
    np.testing.assert_allclose(found.pnl, parts, **exact)


@settings(deadline=None, max_examples=50)
@given(panels(gaps=True), ledgers(), st.integers(1, DAYS.size - 1))
def test_the_past_is_to_the_last_bit_what_was_calculated_then(panel, holdings, session):
    owners = accounts(1e6, -5e4)
    values, nav = over_days(panel, holdings, owners)
    until = Panel(*(getattr(panel, one.name)[: session + 1] for one in fields(panel)))
    then, nav_then = over_days(until, holdings, owners, DAYS[session - 1 : session + 1])
    for one in fields(HoldingValues):
        here = getattr(values, one.name)[session - 1 : session + 1]
        np.testing.assert_array_equal(getattr(then, one.name), here, err_msg=one.name)
    np.testing.assert_array_equal(nav_then, nav[session - 1 : session + 1])


@settings(deadline=None, max_examples=50)
@given(panels(gaps=True), ledgers())
def test_flipping_every_quantity_flips_every_profit(panel, holdings):
    there, _ = attributed(panel, holdings, accounts(1e6, -5e4))
    flipped = replace(holdings, quantity=-holdings.quantity)
    back, _ = attributed(panel, flipped, accounts(1e6, -5e4))
    for one in fields(there):
        np.testing.assert_array_equal(getattr(back, one.name), -getattr(there, one.name))


def one_holding(closes, *, marked=False, column=0, exit_day=NEVER, exit_price=NAN, bought=1):
    """Ten of something bought at 4; closes from day 10."""
    close = np.array([closes], dtype=float).T
    days = np.arange(10, 10 + len(closes))
    panel = Panel(days, close, np.ones(close.shape), np.zeros(close.shape))
    holdings = Holdings(
        *(np.array([value]) for value in (0, column, True, marked, 10.0, 1.0, 4.0, exit_price)),
        np.array([bought]),
        np.array([exit_day]),
    )
    return panel, holdings, days


def earned(*arguments, **more):
    panel, holdings, days = one_holding(*arguments, **more)
    owners = Accounts(np.array([100.0]), np.array([10]), np.array([NAN]))
    values, nav = over_days(panel, holdings, owners, days)
    everywhere = np.ones(values.value.shape, dtype=np.bool_)
    found = daily_pnl(values, holdings.expects_price, everywhere, everywhere)
    return found, nav[:, 0].tolist()


def test_a_first_price_is_no_gain_of_its_day():
    # Carried at 40 for want of a price; worth 60 when there is one, then 70.
    found, nav = earned([NAN, NAN, 6.0, 7.0])
    assert nav == [100.0, 100.0, 120.0, 130.0]
    assert found.pnl[:, 0].tolist() == [0.0, 0.0, 10.0]
    assert found.repricing[:, 0].tolist() == [0.0, 20.0, 0.0]


def test_an_options_first_price_is_what_it_was_worth_at_the_opening():
    found, nav = earned([NAN, NAN, 6.0, 7.0], marked=True)
    assert nav == [100.0, 100.0, 100.0, 110.0]
    assert found.pnl[:, 0].tolist() == [0.0, 0.0, 10.0]
    assert found.repricing[:, 0].tolist() == [0.0, 0.0, 0.0]
    assert found.restated[:, 0].tolist() == [0.0, 20.0, 0.0]


def test_an_option_without_a_price_is_carried_at_its_last_and_nav_does_not_jump():
    # Three sessions a price serves as one; then the option is carried at it.
    _, nav = earned([5.0, 6.0, NAN, NAN, NAN, NAN, NAN, 7.0], marked=True)
    assert nav == [100.0, 110.0, 110.0, 110.0, 110.0, 110.0, 110.0, 120.0]
    panel, holdings, _ = one_holding([5.0, 6.0, NAN, NAN, NAN, NAN], marked=True)
    owners = Accounts(np.array([100.0]), np.array([10]), np.array([NAN]))
    values = value_holdings(panel, holdings, owners, 15)
    assert (values.carried[0], values.at_cost[0], values.price_row[0]) == (True, False, 1)
    assert value_accounts(holdings, values, owners).carried_value.tolist() == [60.0]


def test_a_sale_without_a_price_that_day_earns_what_it_fetched():
    found, _ = earned([5.0, 6.0, NAN], exit_day=12, exit_price=9.0)
    assert found.pnl[:, 0].tolist() == [10.0, 30.0]
    assert found.realized[:, 0].tolist() == [0.0, 50.0]


def test_the_sale_of_a_private_asset_is_a_gain_of_its_day():
    panel, holdings, days = one_holding([NAN] * 3, column=NO_COLUMN, exit_day=12, exit_price=9.0)
    holdings = replace(holdings, expects_price=np.array([False]))
    owners = Accounts(np.array([100.0]), np.array([10]), np.array([NAN]))
    values, _ = over_days(panel, holdings, owners, days)
    everywhere = np.ones(values.value.shape, dtype=np.bool_)
    found = daily_pnl(values, holdings.expects_price, everywhere, everywhere)
    assert found.pnl[:, 0].tolist() == [0.0, 50.0]


def test_what_can_no_longer_be_valued_was_repriced():
    panel, holdings, days = one_holding([5.0, 6.0, 7.0])
    owners = Accounts(np.array([100.0]), np.array([10]), np.array([NAN]))
    values, _ = over_days(panel, holdings, owners, days)
    known = np.array([[True], [True], [False]])
    found = daily_pnl(values, holdings.expects_price, np.ones_like(known), known)
    assert found.pnl[:, 0].tolist() == [10.0, 0.0]
    assert found.repricing[:, 0].tolist() == [0.0, -10.0]


def test_a_day_is_an_account_of_its_own():
    _, holdings, days = one_holding([1.0, 2.0])
    owners = Accounts(np.array([7.0, 8.0]), np.array([10, 10]), np.array([NAN, NAN]))
    repeated, of = at_days(holdings, owners, days)
    assert repeated.account.tolist() == [0, 2]
    assert of.equity.tolist() == [7.0, 8.0, 7.0, 8.0]


@pytest.mark.parametrize("factor", [2.0, 0.5, 10.0])
def test_an_options_mark_before_a_split_is_restated(factor):
    # 10 contracts at 6 before the split are 10 k contracts at 6 / k.
    panel, holdings, _ = one_holding([5.0, 6.0, NAN, NAN, NAN, NAN], marked=True)
    ratio = np.ones((6, 1))
    ratio[2] = factor
    panel = replace(panel, split_ratio=ratio)
    owners = Accounts(np.array([100.0]), np.array([10]), np.array([NAN]))
    for day in (12, 15):
        values = value_holdings(panel, holdings, owners, day)
        assert value_accounts(holdings, values, owners).net_asset_value[0] == pytest.approx(110)

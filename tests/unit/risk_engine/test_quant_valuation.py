"""Holdings and accounts are valued as arrays: every account of the chunk in one pass."""

import numpy as np
import pytest

from risk_engine.quant.panel import NO_COLUMN, NO_SERIES, Marks, Panel
from risk_engine.quant.valuation import Accounts, Holdings, value_accounts, value_holdings

NAN = float("nan")
NEVER = 10_000
NO_MARKS = Marks(np.empty(0, dtype=np.int64), np.empty(0), 3)
# Day 10 opens the accounts; prices of two symbols on days 10, 11 and 12.
CLOSE = np.array([[20.0, 5.0], [21.0, NAN], [22.0, 6.0]])


def panel(close=CLOSE, split_ratio=None, dividend=None):
    return Panel(
        day=np.array([10, 11, 12]),
        close=close,
        split_ratio=np.ones(close.shape) if split_ratio is None else split_ratio,
        dividend=np.zeros(close.shape) if dividend is None else dividend,
    )


def holdings(*rows):
    """Rows of (account, column, quantity, multiplier, entry price, entry day, exit day, exit)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 8)
    account, column, entry_day, exit_day = table[:, [0, 1, 5, 6]].astype(np.int64).T
    return Holdings(
        account=account,
        column=column,
        split_column=column,
        series=np.full(len(table), NO_SERIES),
        expects_price=np.ones(len(table), dtype=np.bool_),
        quantity=table[:, 2],
        multiplier=table[:, 3],
        entry_price=table[:, 4],
        exit_price=table[:, 7],
        entry_day=entry_day,
        exit_day=exit_day,
        expiry_day=np.full(len(table), NEVER),
    )


def accounts(*equity, opening_day=10, stored=NAN):
    count = len(equity)
    return Accounts(
        equity=np.array(equity),
        opening_day=np.full(count, opening_day),
        stored_opening_cash=np.full(count, stored),
    )


def valued(some_holdings, some_accounts, as_of_day=12, a_panel=None):
    values = value_holdings(a_panel or panel(), NO_MARKS, some_holdings, some_accounts, as_of_day)
    return values, value_accounts(some_holdings, values, some_accounts)


def test_quantity_multiplier_and_sign_make_value_and_profit():
    values, _ = valued(
        holdings((0, 0, 3, 100, 18.0, 1, NEVER, NAN), (0, 0, -3, 100, 18.0, 1, NEVER, NAN)),
        accounts(1e6),
    )
    assert values.market_value.tolist() == [6_600.0, -6_600.0]
    assert values.cost_basis.tolist() == [5_400.0, -5_400.0]
    assert values.unrealized_pnl.tolist() == [1_200.0, -1_200.0]


def test_accounts_do_not_mix():
    _, totals = valued(
        holdings(
            (1, 0, 10, 1, 18.0, 1, NEVER, NAN),
            (0, 1, -10, 1, 4.0, 1, NEVER, NAN),
            (1, 1, 10, 1, 4.0, 1, NEVER, NAN),
        ),
        accounts(100.0, 1_000.0, 7.0),
    )
    assert totals.opening_cash.tolist() == [150.0, 750.0, 7.0]
    assert totals.net_asset_value.tolist() == [90.0, 1_030.0, 7.0]
    assert totals.long_market_value.tolist() == [0.0, 280.0, 0.0]
    assert totals.short_market_value.tolist() == [-60.0, 0.0, 0.0]


def test_a_holding_without_price_is_carried_at_cost_and_has_no_profit():
    values, totals = valued(holdings((0, NO_COLUMN, 2, 100, 4.5, 1, NEVER, NAN)), accounts(50.0))
    assert np.isnan(values.market_value).all()
    assert np.isnan(values.unrealized_pnl).all()
    assert (values.carried.tolist(), values.value.tolist()) == ([True], [900.0])
    assert (totals.carried_value.tolist(), totals.net_asset_value.tolist()) == ([900.0], [50.0])


def test_a_holding_whose_price_is_too_old_is_carried_at_it_in_shares_of_today():
    day = np.arange(10, 18)
    close = np.array([[20.0], [21.0], *[[NAN]] * 6])
    ratio = np.ones((8, 1))
    ratio[5] = 4.0
    a_panel = Panel(day, close, ratio, np.zeros((8, 1)))
    held = holdings((0, 0, 10, 1, 18.0, 1, NEVER, NAN), (1, 0, -10, 1, 18.0, 12, NEVER, NAN))
    some = accounts(1_000.0, 0.0)
    for as_of, price, row in ((14, 21.0, 1), (15, NAN, 1), (17, NAN, 1)):
        values, totals = valued(held, some, as_of, a_panel)
        np.testing.assert_array_equal(values.price, [price / values.split_factor[0]] * 2)
        assert values.price_row.tolist() == [row, row]
        assert values.value.tolist() == [210.0, -210.0]
        assert values.carried.tolist() == [np.isnan(price)] * 2
        assert values.at_cost.tolist() == [False, False]
        assert totals.net_asset_value.tolist() == [1_010.0, -30.0]


def test_a_sum_over_nothing_priced_is_unknown_but_a_sum_over_nothing_is_zero():
    _, totals = valued(
        holdings((0, NO_COLUMN, -2, 100, 4.5, 1, NEVER, NAN), (0, 0, 1, 1, 20.0, 1, NEVER, NAN)),
        accounts(50.0, 60.0),
    )
    np.testing.assert_array_equal(totals.short_market_value, [NAN, 0.0])
    np.testing.assert_array_equal(totals.long_market_value, [22.0, 0.0])
    np.testing.assert_array_equal(totals.net_market_value, [22.0, 0.0])
    np.testing.assert_array_equal(totals.priced_share, [22.0 / 922.0, NAN])


@pytest.mark.parametrize(
    ("exit_day", "cash", "realized"),
    [
        (10, 1_000.0, 30.0),  # sold on the opening day: the proceeds are in the equity already
        (11, 1_000.0 - 200.0 + 210.0, 30.0),
        (12, 1_000.0 - 200.0 + 210.0, 30.0),
        (13, 800.0, NAN),  # not yet
    ],
)
def test_proceeds_after_the_opening_go_to_cash(exit_day, cash, realized):
    values, totals = valued(holdings((0, 0, 10, 1, 18.0, 1, exit_day, 21.0)), accounts(1_000.0))
    assert totals.cash.tolist() == [cash]
    np.testing.assert_array_equal(values.realized_pnl, [realized])


@pytest.mark.parametrize(
    ("entry_day", "cash", "nav"), [(11, 790.0, 1_010.0), (13, 1_000.0, 1_000.0)]
)
def test_purchases_after_the_opening_come_out_of_cash(entry_day, cash, nav):
    _, totals = valued(holdings((0, 0, 10, 1, 21.0, entry_day, NEVER, NAN)), accounts(1_000.0))
    assert (totals.cash.tolist(), totals.net_asset_value.tolist()) == ([cash], [nav])


def test_a_split_multiplies_shares_and_leaves_cost_and_value():
    ratio = np.array([[1.0, 1.0], [2.0, 1.0], [1.0, 1.0]])
    halved = np.array([[20.0, 5.0], [10.5, NAN], [11.0, 6.0]])
    held = holdings((0, 0, 10, 1, 18.0, 1, NEVER, NAN))
    values, totals = valued(held, accounts(1_000.0), a_panel=panel(halved, ratio))
    assert values.split_factor.tolist() == [2.0]
    assert (values.market_value.tolist(), values.cost_basis.tolist()) == ([220.0], [180.0])
    assert totals.net_asset_value.tolist() == [1_020.0]


def test_a_split_on_the_opening_day_is_in_the_quantity_already():
    ratio = np.array([[2.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    held = holdings((0, 0, 10, 1, 18.0, 1, NEVER, NAN))
    values, _ = valued(held, accounts(1_000.0), a_panel=panel(split_ratio=ratio))
    assert values.split_factor.tolist() == [1.0]


def test_a_short_pays_the_dividend_a_long_receives():
    dividend = np.array([[9.0, 0.0], [0.5, 0.0], [0.0, 0.0]])
    held = holdings((0, 0, 10, 1, 18.0, 1, NEVER, NAN), (1, 0, -10, 1, 18.0, 1, NEVER, NAN))
    values, totals = valued(held, accounts(0.0, 0.0), a_panel=panel(dividend=dividend))
    assert values.dividend_income.tolist() == [5.0, -5.0]
    assert totals.cash.tolist() == [-195.0, 195.0]
    assert totals.net_asset_value.tolist() == [25.0, -25.0]


def test_a_dividend_is_paid_on_the_shares_of_the_evening_before():
    ratio = np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    dividend = np.array([[0.0, 0.0], [0.0, 0.0], [0.5, 0.0]])
    held = holdings((0, 0, 10, 1, 18.0, 1, NEVER, NAN))
    values, _ = valued(held, accounts(1_000.0), a_panel=panel(CLOSE, ratio, dividend))
    assert (values.split_factor.tolist(), values.dividend_income.tolist()) == ([2.0], [5.0])


def test_what_happens_to_a_share_after_its_sale_is_not_the_sellers():
    # Sold on day 11; on day 12 the share splits and pays.
    ratio = np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    dividend = np.array([[0.0, 0.0], [0.0, 0.0], [0.5, 0.0]])
    held = holdings((0, 0, 10, 1, 18.0, 1, 11, 21.0))
    values, totals = valued(held, accounts(0.0), a_panel=panel(CLOSE, ratio, dividend))
    assert (values.realized_pnl.tolist(), values.dividend_income.tolist()) == ([30.0], [0.0])
    assert totals.net_asset_value.tolist() == [10.0]


def test_on_the_opening_day_nav_is_the_equity_to_the_last_bit():
    generator = np.random.default_rng(1)
    close = generator.uniform(1, 1_000, (1, 500))
    rows = [
        (0, column, generator.normal(0, 1e4), 1, generator.uniform(1, 1e3), 1, NEVER, NAN)
        for column in range(500)
    ]
    only = Panel(np.array([10]), close, np.ones(close.shape), np.zeros(close.shape))
    _, totals = valued(holdings(*rows), accounts(123_456_789.01), 10, only)
    assert totals.net_asset_value.tolist() == [123_456_789.01]


def test_what_is_bought_on_the_opening_day_is_part_of_the_equity():
    held = holdings((0, 0, 10, 1, 18.0, 10, NEVER, NAN))
    for day, worth in ((10, 1_000.0), (12, 1_020.0)):
        _, totals = valued(held, accounts(1_000.0), day)
        assert totals.opening_cash.tolist() == [800.0]
        assert totals.net_asset_value.tolist() == [worth]


def test_stored_opening_cash_stands_in_for_an_opening_before_the_panel():
    held = holdings((0, 0, 10, 1, 18.0, 1, NEVER, NAN))
    _, totals = valued(held, accounts(1_000.0, opening_day=5, stored=300.0))
    assert (totals.opening_cash.tolist(), totals.cash.tolist()) == ([300.0], [300.0])
    assert totals.net_asset_value.tolist() == [520.0]


def test_no_holdings_and_no_accounts_are_fine():
    _, totals = valued(holdings(), accounts())
    assert totals.net_asset_value.tolist() == []
    _, totals = valued(holdings(), accounts(5.0))
    assert totals.net_asset_value.tolist() == [5.0]

"""Closes, splits and dividends are read off the panel without looking ahead."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.quant.panel import (
    NO_COLUMN,
    Panel,
    actions,
    dividends_per_share,
    last_close,
    last_row,
    restated_close,
    sound_columns,
    split_factor,
)

NAN = float("nan")


def ints(*values):
    return np.array(values, dtype=np.int64)


def test_the_last_row_of_a_day_without_session_is_the_session_before():
    assert last_row(ints(10, 11, 14), ints(9, 10, 12, 14, 99)).tolist() == [-1, 0, 1, 2, 2]


def test_a_close_is_looked_for_three_sessions_back_and_no_further():
    close = np.array([[5.0], [NAN], [NAN], [NAN], [NAN], [7.0]])
    price, row = last_close(close, ints(0, 0, 0, 0, NO_COLUMN), ints(0, 3, 4, 5, 5))
    np.testing.assert_array_equal(price, [5.0, 5.0, NAN, 7.0, NAN])
    assert row.tolist() == [0, 0, -1, 5, -1]


def test_no_close_is_found_before_the_first_session():
    price, row = last_close(np.array([[5.0]]), ints(0), ints(-1))
    assert (np.isnan(price).tolist(), row.tolist()) == ([True], [-1])


def test_what_cannot_be_a_price_is_skipped():
    close = np.array([[5.0], [0.0], [-2.0], [np.inf]])
    assert last_close(close, ints(0), ints(3))[0].tolist() == [5.0]


def test_splits_count_after_the_first_session_up_to_and_including_the_last():
    splits = actions(np.array([[1.0, 2.0], [3.0, 1.0], [1.0, 5.0], [2.0, 7.0]]), idle=1.0)
    column, after, until = (
        ints(0, 0, 0, 1, 1, NO_COLUMN),
        ints(0, 1, 0, -1, 0, 0),
        ints(3, 3, 0, 2, 3, 3),
    )
    assert split_factor(splits, column, after, until).tolist() == [6.0, 2.0, 1.0, 10.0, 35.0, 1.0]


def test_a_dividend_is_paid_on_the_shares_held_the_session_before():
    # One share splits 2:1 on row 1, which also pays 1.00 per old share; row 2 pays 0.30 per new.
    splits = actions(np.array([[1.0], [2.0], [1.0]]), idle=1.0)
    paid = actions(np.array([[0.0], [1.0], [0.3]]), idle=0.0)
    cash = dividends_per_share(paid, splits, ints(0, 0, 0), ints(0, 1, 2), ints(2, 2, 2))
    np.testing.assert_allclose(cash, [1.6, 0.3, 0.0])


def test_a_close_from_before_a_split_is_divided_by_its_ratio():
    panel = Panel(ints(1, 2), np.array([[90.0], [NAN]]), np.array([[1.0], [3.0]]), np.zeros((2, 1)))
    price, row = restated_close(panel, actions(panel.split_ratio, idle=1.0), ints(0), ints(1))
    assert (price.tolist(), row.tolist()) == ([30.0], [0])


def test_a_symbol_with_an_impossible_corporate_action_is_not_sound():
    ratio = np.array([[1.0, 0.0, NAN, 1.0, 1.0, 1e5], [2.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
    dividend = np.array([[0.0, 0.0, 0.0, -1.0, NAN, 0.0], [0.5, 0.0, 0.0, 0.0, 0.0, 0.0]])
    assert sound_columns(ratio, dividend).tolist() == [True, False, False, False, False, False]


@st.composite
def histories(draw):
    sessions, symbols = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    cells = st.lists(
        st.sampled_from([1.0, 1.0, 2.0, 0.5]),
        min_size=sessions * symbols,
        max_size=sessions * symbols,
    )
    ratio = np.array(draw(cells)).reshape(sessions, symbols)
    dividend = np.array(draw(cells)).reshape(sessions, symbols) - 0.5
    rows = st.integers(-1, sessions - 1)
    holdings = st.tuples(st.integers(-1, symbols - 1), rows, rows)
    return ratio, dividend, draw(st.lists(holdings, max_size=8))


@settings(deadline=None, max_examples=200)
@given(histories())
def test_shares_and_dividends_equal_a_walk_through_the_sessions(history):
    ratio, dividend, holdings = history
    column, after, until = (
        (ints(*axis) for axis in zip(*holdings, strict=True))
        if holdings
        else (
            ints(),
            ints(),
            ints(),
        )
    )
    shares, cash = [], []
    for symbol, first, last in holdings:
        held, paid = 1.0, 0.0
        for row in range(first + 1, last + 1) if symbol >= 0 else ():
            paid += held * dividend[row, symbol]
            held *= ratio[row, symbol]
        shares.append(held)
        cash.append(paid)
    splits, payouts = actions(ratio, idle=1.0), actions(dividend, idle=0.0)
    np.testing.assert_allclose(split_factor(splits, column, after, until), shares)
    np.testing.assert_allclose(
        dividends_per_share(payouts, splits, column, after, until), cash, atol=1e-12
    )

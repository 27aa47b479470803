"""Lots are matched as a clerk would: by hand, and whatever the method, no money is made or lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.quant.lots import match_lots

METHODS = ("fifo", "lifo", "hifo", "average")


def matched(method, *trades, instrument=None):
    """Match (quantity, price) of one instrument, or of those given."""
    quantity, price = np.array(trades, dtype=np.float64).reshape(-1, 2).T
    names = np.zeros(len(quantity), dtype=np.int64) if instrument is None else instrument
    return match_lots(names, quantity, price, method)


@pytest.mark.parametrize(
    ("method", "realized", "left"),
    [
        # Bought 100 @ 10, 100 @ 14, 100 @ 12; sold 150 @ 15.
        ("fifo", 100 * 5 + 50 * 1, [(50, 14), (100, 12)]),
        ("lifo", 100 * 3 + 50 * 1, [(100, 10), (50, 14)]),
        ("hifo", 100 * 1 + 50 * 3, [(100, 10), (50, 12)]),
        ("average", 150 * 3, [(150, 12)]),
    ],
)
def test_a_sale_closes_the_lots_its_method_says(method, realized, left):
    profit, lots = matched(method, (100, 10), (100, 14), (100, 12), (-150, 15))
    assert profit.tolist() == [0, 0, 0, realized]
    assert list(zip(lots.quantity.tolist(), lots.price.tolist(), strict=True)) == left


@pytest.mark.parametrize(
    ("method", "realized", "left"),
    [
        # Sold short 10 @ 50 and 10 @ 40; 10 bought back at 45.
        ("fifo", 50, [(-10, 40)]),
        ("lifo", -50, [(-10, 50)]),
        ("hifo", -50, [(-10, 50)]),
        ("average", 0, [(-10, 45)]),
    ],
)
def test_a_short_earns_what_it_was_sold_above(method, realized, left):
    profit, lots = matched(method, (-10, 50), (-10, 40), (10, 45))
    assert profit.tolist() == [0, 0, realized]
    assert list(zip(lots.quantity.tolist(), lots.price.tolist(), strict=True)) == left


@pytest.mark.parametrize("method", METHODS)
def test_a_sale_of_more_than_is_held_turns_the_position(method):
    profit, lots = matched(method, (10, 100), (-15, 110))
    assert profit.tolist() == [0, 100]
    assert (lots.quantity.tolist(), lots.price.tolist(), lots.trade.tolist()) == ([-5], [110], [1])


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(METHODS),
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(-50, 50), st.integers(1, 99)),
        max_size=30,
    ),
)
def test_profit_is_money_received_and_what_is_held_less_what_it_cost(method, trades):
    name, quantity, price = np.array(trades, dtype=np.int64).reshape(-1, 3).T
    profit, lots = match_lots(name, quantity.astype(float), price.astype(float), method)
    for one in range(3):
        here, left = name == one, lots.instrument == one
        held = lots.quantity[left]
        assert held.sum() == pytest.approx(quantity[here].sum())
        assert (held > 0).all() or (held < 0).all()
        cost = (held * lots.price[left]).sum()
        paid = (quantity[here] * price[here]).sum()
        assert profit[here].sum() == pytest.approx(cost - paid, abs=1e-6)
        alone, _ = match_lots(name[here], quantity[here] * 1.0, price[here] * 1.0, method)
        assert alone.tolist() == profit[here].tolist()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 99)), max_size=20))
def test_flipping_every_trade_flips_every_profit(trades):
    for method in ("fifo", "lifo", "average"):
        there, _ = matched(method, *trades)
        back, _ = matched(method, *((-quantity, price) for quantity, price in trades))
        np.testing.assert_allclose(back, -there, atol=1e-9)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 99), min_size=2, max_size=12), st.integers(1, 99))
def test_highest_cost_first_never_realises_more_than_the_others(paid, sold_at):
    buys = [(10, price) for price in paid]
    profit = {
        method: matched(method, *buys, (-10 * (len(paid) // 2), sold_at))[0][-1]
        for method in METHODS
    }
    assert profit["hifo"] <= min(profit.values()) + 1e-9


def test_a_trade_without_a_number_is_refused():
    with pytest.raises(ValueError, match="quantity and a price"):
        matched("fifo", (float("nan"), 10.0))

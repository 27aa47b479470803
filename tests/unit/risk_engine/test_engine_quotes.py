"""Which quotes options are priced from, and what stands in for a contract that has none."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from common.options import Contract
from risk_engine.domain import History
from risk_engine.engine.option_inputs import BORROW_COST
from tests.unit.risk_engine.books import NAN, SESSIONS, book
from tests.unit.risk_engine.contracts import (
    CALL,
    EXPIRY,
    NAMES,
    PUT,
    RETURNS,
    holding,
    long_market,
    one,
    priced,
    quoted,
    small,
)


def test_what_is_given_is_used_and_named():
    said = quoted({CALL: (6.0, 6.2)}, {"XYZ": 0.012})
    found = one(small(snapshots=said), holding(1, CALL))
    assert found.price[0] == pytest.approx(6.1)
    assert found.terms.rate[0] == pytest.approx(0.05, rel=1e-12)
    assert found.terms.dividend_yield[0] == pytest.approx(0.012 + BORROW_COST)
    sources = (found.price_source, found.volatility_source, found.dividend_source)
    assert sources == (("quote",), ("quote",), ("vendor",))
    assert found.flags == (("default_borrow_cost",),)
    assert found.reason == (None,)


def test_without_a_quote_volatility_is_estimated_and_said_to_be():
    """A hundredth up, a hundredth down: 1.1 x .01 x root of 252 a year, by any weights."""
    found = one(long_market(RETURNS), holding(1, CALL))
    assert found.terms.volatility[0] == pytest.approx(1.1 * 0.01 * np.sqrt(252), rel=1e-3)
    assert found.volatility_source == ("estimated",)
    assert found.price_source == ("model",)
    assert found.price[0] == found.greeks.price[0]
    assert "estimated_volatility" in found.flags[0]


def test_an_unquoted_contract_is_read_off_its_own_book_s_and_no_other_s():
    near = Contract("XYZ", EXPIRY, "call", Decimal(105))
    said = quoted({CALL: (6.0, 6.2), PUT: (2.0, 2.1)})
    everything = long_market(RETURNS, snapshots=said)
    mine = book([holding(1, CALL), holding(2, PUT), holding(3, near)], number=1)
    other = book([holding(1, near)], number=2)
    found = priced(everything, mine, other)
    rows = [found.rows[owner.portfolio_id, owner.positions[-1].id] for owner in (mine, other)]
    assert [found.volatility_source[row] for row in rows] == ["surface", "estimated"]
    quotes = [found.terms.volatility[found.rows[mine.portfolio_id, p.id]] for p in mine.positions]
    assert min(quotes[:2]) < quotes[2] < max(quotes[:2])
    # The call at 105 is nearer to the call at 100 than to the put at 90.
    assert abs(quotes[2] - quotes[0]) < abs(quotes[2] - quotes[1])
    for owner, row in zip((mine, other), rows, strict=True):
        alone = priced(everything, owner)
        same = alone.rows[owner.portfolio_id, owner.positions[-1].id]
        for name in NAMES:
            assert getattr(alone.greeks, name)[same] == getattr(found.greeks, name)[row]


def remembering(owner, sessions_ago, volatility=0.31, contract=CALL):
    """Return the history of a book whose contract's quote implied something once."""
    session = SESSIONS[-1 - sessions_ago]
    stored = {session: {contract.symbol: volatility}}
    return {owner.portfolio_id: replace(History.none(), option_volatilities=stored)}


def test_without_a_quote_the_contract_s_own_last_one_tells_for_three_sessions():
    """Before what its neighbours say, and of its own book's history alone."""
    said = quoted({PUT: (2.0, 2.1)})
    lines = [holding(1, CALL), holding(2, PUT)]
    mine, other = book(lines, number=1), book(lines, number=2)
    everything = small(snapshots=said)
    for ago in (1, 2, 3):
        found = priced(everything, mine, other, histories=remembering(mine, ago))
        of_mine, of_other = (
            found.rows[owner.portfolio_id, owner.positions[0].id] for owner in (mine, other)
        )
        assert (found.terms.volatility[of_mine], found.volatility_source[of_mine]) == (
            0.31,
            "last_quote",
        )
        assert found.price[of_mine] == found.greeks.price[of_mine]
        assert "estimated_volatility" not in found.flags[of_mine]
        assert found.volatility_source[of_other] == "surface"
    for ago in (0, 4):
        found = priced(everything, mine, histories=remembering(mine, ago))
        assert set(found.volatility_source) == {"surface", "quote"}


def test_the_latest_of_several_quotes_tells_and_today_s_tells_before_all():
    owner = book([holding(1, CALL)])
    stored = {SESSIONS[-2]: {CALL.symbol: 0.32}, SESSIONS[-3]: {CALL.symbol: 0.28}}
    known = {owner.portfolio_id: replace(History.none(), option_volatilities=stored)}
    found = priced(small(), owner, histories=known)
    assert (found.terms.volatility[0], found.volatility_source) == (0.32, ("last_quote",))
    wide = priced(small(snapshots=quoted({CALL: (0.0, 26.7)})), owner, histories=known)
    assert (wide.terms.volatility[0], wide.quote_use) == (0.32, ("too_wide",))
    today = priced(small(snapshots=quoted({CALL: (6.0, 6.2)})), owner, histories=known)
    assert today.volatility_source == ("quote",)
    assert today.greeks.price[0] == pytest.approx(6.1)


@pytest.mark.parametrize("quote", [(NAN, 6.0), (6.0, NAN), (6.2, 6.0), (-1.0, 6.0), (0.0, 0.0)])
def test_what_is_no_quote_is_not_used(quote):
    found = one(long_market(RETURNS, snapshots=quoted({CALL: quote})), holding(1, CALL))
    assert (found.price_source, found.volatility_source) == (("model",), ("estimated",))
    assert found.quote_use == ("none",)


@pytest.mark.parametrize(
    ("quote", "used"),
    [
        pytest.param((0.0, 26.7), False, id="nobody bids for what is asked dearly"),
        pytest.param((0.0, 0.10), True, id="ten cents are two ticks"),
        pytest.param((0.0, 0.11), False, id="eleven are not"),
        pytest.param((0.05, 0.15), True, id="ten cents between"),
        pytest.param((2.0, 6.0), True, id="the bid is a third of the ask"),
        pytest.param((1.99, 6.0), False, id="the bid is less than that"),
    ],
)
def test_a_quote_whose_sides_are_too_far_apart_is_not_used(quote, used):
    far = Contract("XYZ", EXPIRY, "call", Decimal(125))
    found = one(long_market(RETURNS, snapshots=quoted({far: quote})), holding(1, far))
    if used:
        assert found.price[0] == pytest.approx(sum(quote) / 2)
        assert (found.price_source, found.volatility_source) == (("quote",), ("quote",))
        assert found.quote_use == ("price_and_volatility",)
    else:
        # Next to it are the estimate of the test above and the model's price at it.
        assert found.terms.volatility[0] == pytest.approx(1.1 * 0.01 * np.sqrt(252), rel=1e-3)
        assert (found.price_source, found.volatility_source) == (("model",), ("estimated",))
        assert found.price[0] == found.greeks.price[0]
        assert found.quote_use == ("too_wide",)


def test_a_contract_with_a_wide_quote_is_read_off_its_neighbours_and_tells_none():
    near = Contract("XYZ", EXPIRY, "call", Decimal(105))
    said = quoted({CALL: (6.0, 6.2), near: (0.0, 26.7)})
    lines = [holding(1, CALL), holding(2, near)]
    found = priced(long_market(RETURNS, snapshots=said), book(lines))
    assert found.volatility_source == ("quote", "surface")
    assert found.quote_use == ("price_and_volatility", "too_wide")


def test_a_quote_below_exercise_is_a_price_and_no_volatility():
    deep = Contract("XYZ", EXPIRY, "call", Decimal(50))
    found = one(long_market(RETURNS, snapshots=quoted({deep: (49.0, 49.5)})), holding(1, deep))
    assert (found.price[0], found.price_source) == (49.25, ("quote",))
    assert found.volatility_source == ("estimated",)
    assert found.flags == (("quote_at_exercise", "default_borrow_cost"),)
    assert found.quote_use == ("price",)
    assert found.greeks.delta[0] == pytest.approx(1.0, abs=0.01)

"""What options are priced with and where each number is from; the simulated market as the truth."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import pytest

from common.options import Contract
from risk_engine.domain import Rates
from risk_engine.engine.option_inputs import BORROW_COST
from simulator.desk import Desk
from simulator.options import Contract as Truth
from tests.support.simulated import AS_OF as TODAY
from tests.support.simulated import simulated_market, true_market
from tests.unit.risk_engine.books import AS_OF, NAN, SESSIONS, book
from tests.unit.risk_engine.contracts import (
    CALL,
    EXPIRY,
    NAMES,
    PUT,
    RETURNS,
    flat,
    holding,
    long_market,
    one,
    priced,
    quoted,
    small,
)

# --- The simulated market -------------------------------------------------------------------------


@cache
def drawn(symbol, count=12):
    """Return contracts on one underlying, and what the simulator knows of them."""
    desk = Desk(true_market())
    chain = desk.chain(symbol, TODAY)
    places = np.random.default_rng(1).choice(len(chain), count, replace=False)
    contracts = [
        Contract(symbol, chain[one].expiry, chain[one].right, Decimal(str(chain[one].strike)))
        for one in places.tolist()
    ]
    contracts.sort(key=lambda one: one.symbol)
    truths = [Truth(symbol, one.expiry, float(one.strike), one.right) for one in contracts]
    return contracts, desk.value(truths, TODAY)


@cache
def everything():
    held = [one for name in ("AAPL", "SPY", "RUT", "VIX") for one in drawn(name)[0]]
    return simulated_market([one.symbol for one in held] + ["AAPL", "SPY", "RUT", "VIX"])


@pytest.mark.parametrize(
    ("symbol", "american", "on_future", "borrow"),
    [
        ("AAPL", True, False, BORROW_COST),
        ("SPY", True, False, BORROW_COST),
        ("RUT", False, False, 0.0),
        ("VIX", False, True, 0.0),
    ],
)
def test_each_contract_is_priced_in_its_style_from_its_quote(symbol, american, on_future, borrow):
    contracts, truth = drawn(symbol)
    lines = [holding(number, one) for number, one in enumerate(contracts)]
    found = priced(everything(), book(lines))
    assert [one.symbol for one in found.contracts] == [one.symbol for one in contracts]
    assert set(found.american.tolist()) == {american}
    assert set(found.on_future.tolist()) == {on_future}
    assert set(found.borrow_cost.tolist()) == {borrow}
    np.testing.assert_allclose(found.terms.years, truth.years, rtol=1e-12)
    np.testing.assert_allclose(found.terms.spot, truth.underlying_price)
    said = everything().snapshots
    rows = [said.rows[one.symbol] for one in contracts]
    assert (found.price >= said.bid[rows]).all()
    assert (found.price <= said.ask[rows]).all()
    assert set(found.price_source) == {"quote"}
    assert set(found.rate_source) == {"curve"}
    # The model at the implied volatility is the quote.
    from_quote = np.array([one == "quote" for one in found.volatility_source])
    assert from_quote.sum() >= 10
    np.testing.assert_allclose(found.greeks.price[from_quote], found.price[from_quote], rtol=1e-6)


@pytest.mark.parametrize("symbol", ["RUT", "VIX"])
def test_implied_volatilities_are_the_simulator_s(symbol):
    """European ones, where no borrowing is assumed, to what half a tick of the price is worth."""
    contracts, truth = drawn(symbol)
    found = priced(everything(), book([holding(n, one) for n, one in enumerate(contracts)]))
    half_tick = 0.03 / (100 * found.greeks.vega) + 0.002
    error = np.abs(found.terms.volatility - truth.implied_volatility)
    known = np.array([one == "quote" for one in found.volatility_source])
    assert (error < half_tick)[known].all()


def test_an_option_on_the_volatility_index_is_on_its_future():
    found = priced(everything(), book([holding(n, one) for n, one in enumerate(drawn("VIX")[0])]))
    np.testing.assert_array_equal(found.terms.rate, found.terms.dividend_yield)
    np.testing.assert_allclose(
        found.greeks.rho, -found.terms.years * found.greeks.price / 100, rtol=1e-12
    )
    assert len(set(found.terms.spot.tolist())) > 1
    assert set(found.dividend_source) == {None}


# --- By hand --------------------------------------------------------------------------------------


def test_nothing_is_made_up_where_nothing_is_known():
    found = one(small(), holding(1, CALL))
    assert found.reason == ("no_volatility",)
    for name in NAMES:
        assert np.isnan(getattr(found.greeks, name)).all()
    gone = small(closes={"ABC": [1.0] * 8}, snapshots=quoted({CALL: (6.0, 6.2)}))
    found = one(gone, holding(1, CALL))
    assert found.reason == ("no_underlying_price",)
    # The quote is known all the same.
    assert found.price[0] == pytest.approx(6.1)
    assert np.isnan(found.greeks.delta[0])
    on_index = Contract("VIX", EXPIRY, "call", Decimal(20))
    no_future = small(closes={"VIX": [18.0] * 8}, snapshots=quoted({on_index: (1.0, 1.1)}))
    assert one(no_future, holding(1, on_index)).reason == ("no_future_price",)


def test_what_the_volatility_index_did_says_nothing_about_its_future():
    on_index = Contract("VIX", EXPIRY, "call", Decimal(20))
    said = quoted({on_index: (NAN, NAN)})
    everything = long_market(RETURNS, snapshots=replace(said, underlying_price=np.array([19.0])))
    prices = replace(everything.prices, symbols=("VIX",))
    found = one(replace(everything, prices=prices), holding(1, on_index))
    assert found.terms.spot[0] == 19
    assert found.reason == ("no_volatility",)


def test_without_a_curve_the_rate_is_four_percent_and_flagged():
    month_ago = AS_OF - timedelta(days=30)
    for rates in (Rates.unknown(), flat(0.05, month_ago), flat(NAN, AS_OF)):
        found = one(small(rates=rates), holding(1, CALL))
        assert found.terms.rate[0] == pytest.approx(0.04, rel=1e-12)
        assert found.rate_source == ("default",)
        assert "default_rate" in found.flags[0]
    yesterday = one(small(rates=flat(0.05, SESSIONS[-2])), holding(1, CALL))
    assert (yesterday.terms.rate[0], yesterday.rate_source) == (pytest.approx(0.05), ("curve",))


def test_dividends_are_the_last_year_s_where_nobody_expects_any():
    paid = small(dividends={("XYZ", SESSIONS[2]): 0.4, ("XYZ", SESSIONS[5]): 0.6})
    found = one(paid, holding(1, CALL))
    assert found.terms.dividend_yield[0] == pytest.approx(0.01 + BORROW_COST)
    assert found.dividend_source == ("trailing",)
    unknown = one(small(closes={"ABC": [1.0] * 8}), holding(1, CALL))
    assert unknown.dividend_source == ("none",)
    assert "no_dividend_yield" in unknown.flags[0]


@pytest.mark.parametrize(("expiry", "hours"), [(date(2026, 1, 10), 0), (date(2026, 1, 12), 72)])
def test_time_is_from_close_to_close(expiry, hours):
    """A Saturday's expiry is Friday's: AS_OF is a Friday."""
    contract = Contract("XYZ", expiry, "call", Decimal(90))
    found = one(long_market(RETURNS), holding(1, contract))
    assert found.terms.years[0] == pytest.approx(hours / 24 / 365)


def test_on_the_day_it_expires_an_option_is_its_exercise():
    contracts = [
        replace(one, expiry=AS_OF, strike=Decimal(strike))
        for one in (CALL, PUT)
        for strike in (90, 110)
    ]
    found = priced(small(), book([holding(n, c) for n, c in enumerate(contracts)]))
    # By symbol: the calls at 110 and 90, the puts at 110 and 90.
    assert found.price.tolist() == [0, 10, 10, 0]
    assert found.greeks.delta.tolist() == [0, 1, -1, 0]
    assert found.reason == (None,) * 4


def test_what_has_expired_moves_with_nothing():
    gone = Contract("XYZ", SESSIONS[2], "call", Decimal(90))
    found = one(small(snapshots=quoted({gone: (9.0, 11.0)})), holding(1, gone))
    assert found.reason == ("expired",)
    assert np.isnan(found.price[0])
    for name in NAMES[1:]:
        assert getattr(found.greeks, name)[0] == 0


def test_a_split_moves_the_strike():
    """Two for one since the book was stated: a call on two shares at 50 for each at 100."""
    returns = RETURNS.copy()
    before = one(long_market(returns), holding(1, CALL))
    whole = long_market(returns)
    halved = whole.prices.close.copy()
    halved[-1] /= 2
    ratio = whole.prices.split_ratio.copy()
    ratio[-1] = 2.0
    after = one(
        replace(whole, prices=replace(whole.prices, close=halved, split_ratio=ratio)),
        holding(1, CALL),
    )
    assert after.split_factor[0] == 2
    assert after.terms.strike[0] == 50
    for name, power in zip(NAMES, (1, 0, -1, 1, 1, 1), strict=True):
        expected = getattr(before.greeks, name)[0] / 2.0**power
        assert getattr(after.greeks, name)[0] == pytest.approx(expected, rel=1e-6), name


def test_a_quote_of_terms_before_a_split_is_not_used_and_one_of_terms_after_is():
    """The call at 100 was stated before two for one; the put at 45 since."""
    put = Contract("XYZ", EXPIRY, "put", Decimal(45))
    said = quoted({CALL: (0.01, 0.02), put: (1.4, 1.5)})
    whole = long_market(RETURNS, snapshots=said)
    close, ratio = whole.prices.close / 2, whole.prices.split_ratio.copy()
    close[:-3] *= 2
    ratio[-3] = 2.0
    everything = replace(whole, prices=replace(whole.prices, close=close, split_ratio=ratio))
    since = replace(holding(2, put), entry_date=AS_OF)
    owner = book([holding(1, CALL), since])
    found = priced(everything, owner)
    old, new = (found.rows[owner.portfolio_id, position.id] for position in owner.positions)
    assert [found.price_source[row] for row in (old, new)] == ["model", "quote"]
    assert [found.volatility_source[row] for row in (old, new)] == ["surface", "quote"]
    assert found.terms.volatility[old] == pytest.approx(found.terms.volatility[new])
    assert found.terms.strike.tolist() == [50, 45]


def test_incomplete_terms_are_no_contract():
    lines = [
        replace(holding(1, CALL), strike_price=None),
        replace(holding(2, CALL), expiration_date=None),
        replace(holding(3, CALL), strike_price=Decimal(-5)),
        replace(holding(4, CALL), position_type="LONG"),
    ]
    assert len(priced(small(), book(lines))) == 0

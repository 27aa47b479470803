"""What options are priced with and where each number is from; the simulated market as the truth."""

from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import pytest

from common import calendar
from common.options import Contract
from risk_engine.domain import Dividend, History, Market, Rates, Security, Snapshots
from risk_engine.engine.digests import digests_of
from risk_engine.engine.listing import contracts_of
from risk_engine.engine.option_inputs import BORROW_COST
from risk_engine.engine.options import price_contracts
from risk_engine.engine.underlyings import underlyings_of
from risk_engine.quant.pricing import Greeks, dividend_value
from simulator.desk import Desk
from simulator.options import Contract as Truth
from tests.support.simulated import AS_OF as TODAY
from tests.support.simulated import simulated_market, true_market
from tests.unit.risk_engine.books import AS_OF, NAN, SESSIONS, book, market, option

EXPIRY = date(2026, 6, 18)
NAMES = [field.name for field in fields(Greeks)]
POSITIONS = {"call": ("LC", "SC"), "put": ("LP", "SP")}


def holding(number, contract, quantity="1"):
    """Return a position in a contract."""
    return replace(
        option(number, quantity, "5", contract.expiry),
        position_type=POSITIONS[contract.right][Decimal(quantity) < 0],
        underlying_symbol=contract.underlying,
        strike_price=contract.strike,
    )


def priced(everything, *books, histories=None):
    """Return the contracts of some books, priced."""
    underlyings = underlyings_of(books, everything)
    listing = contracts_of(books, underlyings, everything, histories)
    return price_contracts(listing, underlyings, everything)


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

CALL = Contract("XYZ", EXPIRY, "call", Decimal(100))
PUT = Contract("XYZ", EXPIRY, "put", Decimal(90))
STOCK = {"XYZ": Security("XYZ", "stock", None, None)}


def quoted(quotes, dividend_yields=()):
    """Return snapshots of bids and asks by contract, and of yields by symbol."""
    by_symbol = {contract.symbol: pair for contract, pair in quotes.items()}
    symbols = tuple(sorted({*by_symbol, *dict(dividend_yields)}))
    pairs = np.array([by_symbol.get(one, (NAN, NAN)) for one in symbols]).reshape(-1, 2)
    yields = np.array([dict(dividend_yields).get(one, NAN) for one in symbols])
    unknown = np.full(len(symbols), NAN)
    return Snapshots(
        symbols,
        bid=pairs[:, 0],
        ask=pairs[:, 1],
        market_cap=unknown,
        dividend_yield=yields,
        beta=unknown,
        volume=unknown,
        open_interest=unknown,
        underlying_price=unknown,
    )


def flat(rate, *days):
    """Return curves at one rate, on some days."""
    return Rates(tuple(days), np.array([0.25, 1.0, 5.0]), np.full((len(days), 3), rate))


def small(closes=None, snapshots=None, rates=None, securities=None, **more):
    """Return a market of one share at 100 over the eight sessions."""
    prices = market(closes or {"XYZ": [100.0] * 8}, **more)
    said = snapshots or Snapshots.silent()
    known = STOCK if securities is None else securities
    return Market(prices, prices, said, known, rates or flat(0.05, AS_OF), None)


def long_market(returns, **more):
    """Return a market whose share has had these returns."""
    sessions = calendar.sessions(AS_OF - timedelta(days=200), AS_OF)[-len(returns) - 1 :]
    closes = 100 * np.cumprod([1.0, *(1 + np.asarray(returns))])
    prices = market({"XYZ": (closes / closes[-1] * 100).tolist()}, sessions=tuple(sessions))
    return replace(small(**more), prices=prices)


RETURNS = np.tile([0.01, -0.01], 40)


def one(everything, *lines, **more):
    found = priced(everything, book(lines, **more))
    assert len(found) == 1
    return found


def declared(*dividends, yields=None, quotes=None):
    """Return snapshots that tell of dividends on XYZ, each by ex-date and amount."""
    said = quoted({CALL: (6.0, 6.2)} if quotes is None else quotes, yields or {})
    return replace(said, dividends={"XYZ": tuple(Dividend(*one) for one in dividends)})


def test_a_declared_dividend_leaves_the_spot_and_the_yield_begins_after_it():
    """By hand: the opening of the ex-date is 6.5 hours before its close."""
    ex_date = AS_OF + timedelta(days=14)
    assert calendar.is_session(ex_date)
    said = declared((ex_date, 1.5), yields={"XYZ": 0.012})
    found = one(small(snapshots=said), holding(1, CALL))
    ahead = (calendar.close_of(ex_date) - calendar.close_of(AS_OF)) / timedelta(days=365)
    ahead -= 6.5 / 24 / 365
    assert found.terms.ex_years[0] == pytest.approx(ahead)
    assert found.terms.dividend[0] == pytest.approx(1.5)
    left = found.terms.years[0] - ahead
    assert found.terms.dividend_yield[0] == pytest.approx(
        0.012 * left / found.terms.years[0] + BORROW_COST
    )
    assert found.terms.spot[0] == 100  # what exposures are of
    assert found.dividend_source == ("scheduled",)
    assert "no_dividend_yield" not in found.flags[0]
    # The quote is met by the model with the dividend, and not without: its volatility is higher.
    assert found.greeks.price[0] == pytest.approx(6.1)
    plain = one(small(snapshots=declared(yields={"XYZ": 0.012})), holding(1, CALL))
    assert plain.dividend_source == ("vendor",)
    assert found.terms.volatility[0] > plain.terms.volatility[0] + 0.01


def test_several_declared_dividends_are_worth_what_each_is():
    """Hull, ch. 15.12: the sum of what each is worth now, at 5 %; beyond the expiry none is."""
    days = (14, 105, 700)
    dates = [calendar.sessions(AS_OF, AS_OF + timedelta(days=one))[-1] for one in days]
    found = one(
        small(snapshots=declared(*((day, 0.5) for day in dates), yields={"XYZ": 0.012})),
        holding(1, CALL),
    )
    assert dates[1] < EXPIRY < dates[2]
    moments = [
        (calendar.close_of(day) - calendar.close_of(AS_OF)) / timedelta(days=365) - 6.5 / 24 / 365
        for day in dates[:2]
    ]
    worth = sum(0.5 * np.exp(-0.05 * moment) for moment in moments)
    assert dividend_value(found.terms)[0] == pytest.approx(worth, rel=1e-10)
    # One is declared beyond the expiry: until then all is said, and no yield is added.
    assert found.terms.dividend_yield[0] == pytest.approx(BORROW_COST)


def test_a_dividend_of_today_is_in_the_price_and_one_after_the_expiry_in_none():
    today = one(small(snapshots=declared((AS_OF, 1.0), yields={"XYZ": 0.012})), holding(1, CALL))
    nothing = one(small(snapshots=declared(yields={"XYZ": 0.012})), holding(1, CALL))
    assert today.dividend_source == nothing.dividend_source == ("vendor",)
    assert today.terms.volatility[0] == nothing.terms.volatility[0]
    late = [
        one(small(snapshots=declared((EXPIRY + timedelta(days=1), size))), holding(1, CALL))
        for size in (0.5, 5.0)
    ]
    assert late[0].terms.volatility[0] == late[1].terms.volatility[0]
    assert dividend_value(late[0].terms)[0] == 0
    assert late[0].dividend_source == ("scheduled",)
    assert late[0].flags == (("default_borrow_cost",),)


def test_after_a_dividend_of_something_without_a_yield_it_says_so():
    said = declared((AS_OF + timedelta(days=14), 0.5))
    known = one(small(snapshots=said), holding(1, CALL))
    unknown = one(small(closes={"ABC": [1.0] * 8}, snapshots=said), holding(1, CALL))
    assert known.dividend_source == unknown.dividend_source == ("scheduled",)
    assert "no_dividend_yield" not in known.flags[0]
    assert "no_dividend_yield" in unknown.flags[0]


def test_a_declared_dividend_changes_the_input_hash():
    def named(*dividends):
        everything = small(snapshots=declared(*dividends, yields={"XYZ": 0.01}))
        return digests_of(everything, underlyings_of([book([holding(1, CALL)])], everything))

    ex_date = AS_OF + timedelta(days=14)
    first, second = named((ex_date, 0.5)), named((ex_date, 0.6))
    assert first.underlyings != second.underlyings
    assert first.underlyings == named((ex_date, 0.5)).underlyings


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

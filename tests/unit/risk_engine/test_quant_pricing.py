"""European and American prices: worked examples, QuantLib, and what holds whatever the numbers."""

import numpy as np
import pytest
import QuantLib

from risk_engine.quant.american import american_price
from risk_engine.quant.pricing import (
    Options,
    european_greeks,
    european_price,
    on_futures,
    vanna_and_volga,
)

CALL, PUT = True, False


def options(is_call, spot, strike, years, volatility, rate, dividend_yield=0.0):
    """Return options of numbers and arrays, as long as the longest."""
    numbers = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(n, float)) for n in (spot, strike, years, volatility, rate)),
        np.atleast_1d(np.asarray(dividend_yield, float)),
    )
    return Options(np.broadcast_to(np.asarray(is_call), numbers[0].shape), *numbers)


def drawn(size, seed=1):
    """Return a random grid of contracts: deep in and out, days to three years."""
    chance = np.random.default_rng(seed)
    spot = chance.uniform(5, 500, size)
    return Options(
        is_call=chance.random(size) < 0.5,
        spot=spot,
        strike=spot * np.exp(chance.normal(0, 0.25, size)),
        years=np.exp(chance.uniform(np.log(3 / 365), np.log(3), size)),
        volatility=chance.uniform(0.05, 1.2, size),
        rate=chance.uniform(-0.01, 0.10, size),
        dividend_yield=chance.uniform(0, 0.08, size),
    )


@pytest.mark.parametrize(
    ("contract", "price", "within"),
    [
        pytest.param(options(CALL, 42, 40, 0.5, 0.2, 0.1), 4.76, 0.005, id="C14 1, Hull 15, call"),
        pytest.param(options(PUT, 42, 40, 0.5, 0.2, 0.1), 0.81, 0.005, id="C14 1, Hull 15, put"),
        pytest.param(
            # Two dividends of 50 cents, in 2 and 5 months, are taken out of the spot.
            options(
                CALL, 40 - 0.5 * np.exp(-0.09 * np.array([2, 5]) / 12).sum(), 40, 0.5, 0.3, 0.09
            ),
            3.67,
            0.005,
            id="C14 2, Hull 15, dividends",
        ),
        pytest.param(
            options(CALL, 930, 900, 2 / 12, 0.2, 0.08, 0.03), 51.83, 0.005, id="C14 6, Hull 17"
        ),
        pytest.param(
            options(CALL, 1.6, 1.6, 4 / 12, 0.2, 0.08, 0.11), 0.0639, 5e-5, id="C14 7, Hull 17, FX"
        ),
        pytest.param(options(CALL, 60, 65, 0.25, 0.3, 0.08), 2.1334, 5e-5, id="C14 28, Haug"),
        pytest.param(
            options(PUT, 100, 95, 0.5, 0.2, 0.1, 0.05), 2.4648, 5e-5, id="C14 29, Haug, Merton"
        ),
        pytest.param(
            options(CALL, 1.56, 1.6, 0.5, 0.12, 0.06, 0.08), 0.0291, 5e-5, id="C14 30, Haug, FX"
        ),
    ],
)
def test_european_prices_are_the_textbooks(contract, price, within):
    assert european_price(contract)[0] == pytest.approx(price, abs=within)


@pytest.mark.parametrize(
    ("terms", "price", "within"),
    [
        pytest.param((PUT, 20, 20, 4 / 12, 0.25, 0.09), 1.12, 0.005, id="C14 8, Hull 18"),
        pytest.param((CALL, 19, 19, 0.75, 0.28, 0.10), 1.7011, 5e-5, id="C14 30, Haug, Black-76"),
    ],
)
def test_options_on_futures_are_black_s(terms, price, within):
    is_call, *numbers = terms
    names = ("future", "strike", "years", "volatility", "rate")
    fields = {name: np.array([float(n)]) for name, n in zip(names, numbers, strict=True)}
    contract = on_futures(is_call=np.array([is_call]), **fields)
    greeks = european_greeks(contract)
    assert greeks.price[0] == pytest.approx(price, abs=within)


def test_greeks_are_the_textbook_s():
    """C14 9: Hull 19, a call on 49 at 50, 20 weeks to go."""
    greeks = european_greeks(options(CALL, 49, 50, 0.3846, 0.2, 0.05))
    assert greeks.price[0] == pytest.approx(2.40, abs=0.005)
    assert greeks.delta[0] == pytest.approx(0.522, abs=5e-4)
    assert greeks.gamma[0] == pytest.approx(0.066, abs=5e-4)
    assert greeks.vega[0] == pytest.approx(0.121, abs=5e-4)
    assert greeks.theta[0] == pytest.approx(-0.0118, abs=5e-5)
    assert greeks.rho[0] == pytest.approx(0.0891, abs=5e-5)


@pytest.mark.parametrize(
    ("contract", "price"),
    [
        pytest.param(options(PUT, 50, 50, 5 / 12, 0.4, 0.1), 4.284, id="C14 13, Hull 21"),
        pytest.param(options(CALL, 42, 40, 0.75, 0.35, 0.04, 0.08), 5.3091, id="C14 31, Haug"),
        *(
            pytest.param(
                options(CALL, future, 100, 0.1, 0.15, 0.1, 0.1), exact, id=f"C14 32, Haug, {future}"
            )
            for future, exact in ((90, 0.0205), (100, 1.8765), (110, 10.0105))
        ),
    ],
)
def test_american_prices_are_within_two_mills_of_the_exact_ones(contract, price):
    assert american_price(contract)[0] == pytest.approx(price, abs=0.002)


def quantlib(contracts, place, *, american):
    """Return QuantLib's option on one of the contracts, and the day count it used, in years."""
    today = QuantLib.Date(1, 1, 2024)
    QuantLib.Settings.instance().evaluationDate = today
    days = max(round(contracts.years[place] * 365), 1)
    count = QuantLib.Actual365Fixed()

    def flat(rate):
        return QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, float(rate), count))

    process = QuantLib.BlackScholesMertonProcess(
        QuantLib.QuoteHandle(QuantLib.SimpleQuote(float(contracts.spot[place]))),
        flat(contracts.dividend_yield[place]),
        flat(contracts.rate[place]),
        QuantLib.BlackVolTermStructureHandle(
            QuantLib.BlackConstantVol(
                today, QuantLib.NullCalendar(), float(contracts.volatility[place]), count
            )
        ),
    )
    kind = QuantLib.Option.Call if contracts.is_call[place] else QuantLib.Option.Put
    payoff = QuantLib.PlainVanillaPayoff(kind, float(contracts.strike[place]))
    end = today + days
    if american:
        option = QuantLib.VanillaOption(payoff, QuantLib.AmericanExercise(today, end))
        option.setPricingEngine(QuantLib.QdFpAmericanEngine(process))
    else:
        option = QuantLib.VanillaOption(payoff, QuantLib.EuropeanExercise(end))
        option.setPricingEngine(QuantLib.AnalyticEuropeanEngine(process))
    return option, days / 365


def test_european_prices_and_greeks_are_quantlib_s():
    contracts = drawn(500)
    theirs = []
    for place in range(len(contracts)):
        option, contracts.years[place] = quantlib(contracts, place, american=False)
        theirs.append(
            (
                option.NPV(),
                option.delta(),
                option.gamma(),
                option.vega() / 100,
                option.theta() / 365,
                option.rho() / 100,
            )
        )
    ours = european_greeks(contracts)
    names = ("price", "delta", "gamma", "vega", "theta", "rho")
    for name, column in zip(names, np.array(theirs).T, strict=True):
        np.testing.assert_allclose(getattr(ours, name), column, rtol=1e-9, atol=1e-10, err_msg=name)


def test_american_prices_are_near_quantlib_s():
    contracts = drawn(300, seed=2)
    exact = np.empty(len(contracts))
    for place in range(len(contracts)):
        option, contracts.years[place] = quantlib(contracts, place, american=True)
        exact[place] = option.NPV()
    error = np.abs(american_price(contracts) - exact) / np.maximum(exact, contracts.strike / 100)
    assert error.max() < 2.5e-3
    assert np.quantile(error, 0.95) < 1e-3


def other(contracts, **changes):
    """Return the contracts with some fields replaced."""
    names = Options.__dataclass_fields__
    return Options(**{name: changes.get(name, getattr(contracts, name)) for name in names})


def test_calls_less_puts_are_the_forward():
    contracts = drawn(5_000)
    calls = european_greeks(other(contracts, is_call=np.ones(5_000, bool)))
    puts = european_greeks(other(contracts, is_call=np.zeros(5_000, bool)))
    years = contracts.years
    grown = contracts.spot * np.exp(-contracts.dividend_yield * years)
    owed = contracts.strike * np.exp(-contracts.rate * years)
    np.testing.assert_allclose(calls.price - puts.price, grown - owed, atol=1e-10)
    np.testing.assert_allclose(calls.delta - puts.delta, grown / contracts.spot, atol=1e-12)
    np.testing.assert_allclose(calls.gamma, puts.gamma, rtol=1e-12)
    np.testing.assert_allclose(calls.vega, puts.vega, rtol=1e-12)


def test_the_greeks_are_the_slopes_of_the_price():
    contracts = drawn(2_000)
    greeks = european_greeks(contracts)
    vanna, volga = vanna_and_volga(contracts)

    def slope(name, size):
        up, down = (
            european_greeks(other(contracts, **{name: getattr(contracts, name) + step}))
            for step in (size, -size)
        )
        return (up.price - down.price) / (2 * size), (up.vega - down.vega) / (2 * size)

    by_spot, vega_by_spot = slope("spot", 1e-4 * contracts.spot)
    by_volatility, vega_by_volatility = slope("volatility", 1e-5)
    np.testing.assert_allclose(by_spot, greeks.delta, atol=1e-5)
    np.testing.assert_allclose(by_volatility / 100, greeks.vega, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(slope("rate", 1e-6)[0] / 100, greeks.rho, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(-slope("years", 1e-6)[0] / 365, greeks.theta, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(vega_by_spot, vanna, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(vega_by_volatility / 100, volga, rtol=1e-3, atol=1e-5)


def test_a_dollar_of_another_size_changes_the_price_and_no_delta():
    contracts = drawn(1_000)
    scaled = other(contracts, spot=7 * contracts.spot, strike=7 * contracts.strike)
    for price in (european_price, american_price):
        np.testing.assert_allclose(price(scaled), 7 * price(contracts), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        european_greeks(scaled).delta, european_greeks(contracts).delta, rtol=1e-12
    )


def test_early_exercise_is_worth_something_or_nothing_and_never_less():
    contracts = drawn(2_000)
    american, european = american_price(contracts), european_price(contracts)
    sign = np.where(contracts.is_call, 1, -1)
    intrinsic = np.maximum(sign * (contracts.spot - contracts.strike), 0)
    assert (american >= intrinsic - 1e-12 * contracts.spot).all()
    assert (american >= european - 2e-4 * contracts.strike).all()
    calls = other(
        contracts,
        is_call=np.ones(2_000, bool),
        dividend_yield=np.zeros(2_000),
        rate=np.abs(contracts.rate),
    )
    np.testing.assert_allclose(
        american_price(calls), european_price(calls), atol=2e-4 * contracts.strike.max()
    )


def test_an_option_without_time_is_worth_what_its_exercise_brings():
    contracts = options([CALL, CALL, PUT, PUT], [110, 90, 110, 90], 100, [0, -1, 0, 0], 0.2, 0.05)
    greeks = european_greeks(contracts)
    assert greeks.price.tolist() == american_price(contracts).tolist() == [10, 0, 0, 10]
    assert greeks.delta.tolist() == [1, 0, 0, -1]
    for nothing in (greeks.gamma, greeks.vega, greeks.theta, greeks.rho):
        assert nothing.tolist() == [0, 0, 0, 0]
    assert [values.tolist() for values in vanna_and_volga(contracts)] == [[0.0] * 4] * 2


def test_without_volatility_the_price_is_that_of_certainty():
    contracts = options([CALL, PUT], 100, [90, 120], 1.0, 0.0, 0.05, 0.01)
    grown, owed = 100 * np.exp(-0.01), np.array([90, 120]) * np.exp(-0.05)
    np.testing.assert_allclose(european_price(contracts), np.abs(grown - owed), rtol=1e-12)
    assert american_price(contracts) == pytest.approx([grown - owed[0], 20])


@pytest.mark.parametrize("name", ["spot", "strike", "years", "volatility", "rate"])
def test_what_is_not_known_makes_no_number_up(name):
    contracts = drawn(3)
    getattr(contracts, name)[1] = np.nan
    greeks = european_greeks(contracts)
    for values in (greeks.price, greeks.delta, greeks.vega, american_price(contracts)):
        assert np.isnan(values).tolist() == [False, True, False]


def test_blocks_change_nothing():
    contracts = drawn(20_000)
    whole, alone = european_greeks(contracts), european_greeks(contracts.part(slice(9_000, 9_001)))
    assert whole.theta[9_000] == alone.theta[0]
    few = contracts.part(slice(0, 600))
    assert american_price(few)[599] == american_price(contracts.part(slice(599, 600)))[0]


def test_a_tree_has_an_odd_number_of_steps():
    with pytest.raises(ValueError, match="not 100"):
        american_price(drawn(1), steps=100)

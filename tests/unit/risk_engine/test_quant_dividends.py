"""Options on shares with a scheduled dividend: QuantLib's escrowed model, by hand, properties."""

from dataclasses import fields, replace

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from risk_engine.quant.american import american_bounds, american_price
from risk_engine.quant.greeks import price_and_greeks
from risk_engine.quant.implied_volatility import implied_volatility
from risk_engine.quant.pricing import Greeks, Options, european_price, net_spot
from risk_engine.quant.revaluation import profit_and_loss, revaluation_grid, revalue
from risk_engine.quant.stressed_prices import stressed_prices

SIZE = 120


def drawn(seed, size=SIZE, carry=0.003):
    """Return contracts on whole days with a dividend of up to 2 % within two months."""
    chance = np.random.default_rng(seed)
    spot = chance.uniform(20, 200, size)
    return Options(
        is_call=chance.random(size) < 0.6,
        spot=spot,
        strike=spot * np.exp(chance.normal(0, 0.1, size)),
        years=chance.integers(10, 500, size) / 365,
        volatility=chance.uniform(0.1, 0.6, size),
        rate=chance.uniform(0.0, 0.06, size),
        dividend_yield=np.full(size, carry),
        dividend=spot * chance.uniform(0.001, 0.02, size),
        ex_years=chance.integers(2, 60, size) / 365,
    )


def quantlib_prices(options, *, american):
    """Return QuantLib's prices: closed form, or finite differences on the escrowed model."""
    today = QuantLib.Date(1, 1, 2024)
    QuantLib.Settings.instance().evaluationDate = today
    count = QuantLib.Actual365Fixed()

    def flat(rate):
        return QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, float(rate), count))

    prices = []
    for row in range(len(options)):
        process = QuantLib.BlackScholesMertonProcess(
            QuantLib.QuoteHandle(QuantLib.SimpleQuote(float(options.spot[row]))),
            flat(options.dividend_yield[row]),
            flat(options.rate[row]),
            QuantLib.BlackVolTermStructureHandle(
                QuantLib.BlackConstantVol(
                    today, QuantLib.NullCalendar(), float(options.volatility[row]), count
                )
            ),
        )
        end = today + round(options.years[row] * 365)
        ex_date = today + round(options.ex_years[row] * 365)
        paid = QuantLib.DividendSchedule(
            [QuantLib.FixedDividend(float(options.dividend[row]), ex_date)]
        )
        kind = QuantLib.Option.Call if options.is_call[row] else QuantLib.Option.Put
        exercise = (
            QuantLib.AmericanExercise(today, end) if american else QuantLib.EuropeanExercise(end)
        )
        option = QuantLib.VanillaOption(
            QuantLib.PlainVanillaPayoff(kind, float(options.strike[row])), exercise
        )
        finite = QuantLib.FdBlackScholesVanillaEngine
        option.setPricingEngine(
            finite(
                process,
                paid,
                300,
                300,
                0,
                QuantLib.FdmSchemeDesc.Douglas(),
                False,
                -1.0,
                finite.Escrowed,
            )
            if american
            else QuantLib.AnalyticDividendEuropeanEngine(process, paid)
        )
        prices.append(option.NPV())
    return np.array(prices)


def test_european_prices_are_quantlib_s():
    """Without a yield beside the dividend: QuantLib discounts it by that as well."""
    options = drawn(1, carry=0.0)
    np.testing.assert_allclose(
        european_price(options), quantlib_prices(options, american=False), rtol=1e-10, atol=1e-10
    )


def test_american_prices_are_quantlib_s_escrowed_ones_within_the_tree_s_error():
    options = drawn(2)
    exact = quantlib_prices(options, american=True)
    error = np.abs(american_price(options) - exact) / np.maximum(exact, options.strike / 100)
    assert error.max() < 0.0025
    assert np.percentile(error, 95) < 0.001
    # And the dividend matters: an ordinary tree is off by far more.
    without = american_price(replace(options, dividend=0 * options.dividend))
    missed = np.abs(without - exact) / np.maximum(exact, options.strike / 100)
    assert np.median(missed) > 0.03


def test_c14_2_a_call_with_two_dividends_counted_as_one_at_their_mean_time():
    """Hull, ch. 15: 50 cents in 2 and in 5 months are worth 0.9742; the call 3.67."""
    months, rate = np.array([2.0, 5.0]) / 12, 0.09
    worth = 0.5 * np.exp(-rate * months)
    mean = (worth * months).sum() / worth.sum()
    call = Options(
        is_call=np.array([True]),
        spot=np.array([40.0]),
        strike=np.array([40.0]),
        years=np.array([0.5]),
        volatility=np.array([0.3]),
        rate=np.array([rate]),
        dividend_yield=np.array([0.0]),
        dividend=np.array([worth.sum() * np.exp(rate * mean)]),
        ex_years=np.array([mean]),
    )
    assert net_spot(call)[0] == pytest.approx(40 - 0.9742, abs=5e-5)
    assert european_price(call)[0] == pytest.approx(3.67, abs=5e-3)
    # C14 3: exercise before the dividend of 5 months is worth 3.52; the better one at least.
    assert american_price(call)[0] >= european_price(call)[0]


def test_a_call_deep_in_the_money_is_exercised_just_before_the_dividend():
    """By hand: certain, no rate, no yield: S - K = 20 now and until the ex-date, 15 afterwards."""
    call = Options(
        is_call=np.array([True]),
        spot=np.array([100.0]),
        strike=np.array([80.0]),
        years=np.array([0.5]),
        volatility=np.array([1e-6]),
        rate=np.array([0.0]),
        dividend_yield=np.array([0.0]),
        dividend=np.array([5.0]),
        ex_years=np.array([0.25]),
    )
    assert european_price(call)[0] == pytest.approx(15.0)
    assert american_price(call)[0] == pytest.approx(20.0)
    # With a rate it waits until then: 100 - 80 e^(-0.05 / 4) = 20.9938.
    waits = replace(call, rate=np.array([0.05]))
    assert american_bounds(waits)[0][0] == pytest.approx(100 - 80 * np.exp(-0.05 / 4))
    assert american_price(waits)[0] == pytest.approx(20.9938, abs=1e-3)


@given(st.integers(0, 10_000))
def test_a_dividend_at_expiry_or_later_changes_nothing(seed):
    options = drawn(seed, 8)
    late = replace(options, ex_years=options.years * (1 + np.arange(8) / 8))
    none = replace(options, dividend=0 * options.dividend)
    for price in (european_price, american_price):
        np.testing.assert_array_equal(price(late), price(none))


@given(st.integers(0, 10_000))
def test_puts_and_calls_are_at_parity_with_what_is_left_of_the_share(seed):
    options = drawn(seed, 8)
    call = replace(options, is_call=np.ones(8, dtype=bool))
    put = replace(options, is_call=np.zeros(8, dtype=bool))
    left = net_spot(options) * np.exp(-options.dividend_yield * options.years)
    forward = left - options.strike * np.exp(-options.rate * options.years)
    np.testing.assert_allclose(european_price(call) - european_price(put), forward, atol=1e-10)
    # American ones are worth no less than European ones or than exercise now.
    sign = np.where(options.is_call, 1.0, -1.0)
    least = np.maximum(sign * (options.spot - options.strike), european_price(options) * 0.9975)
    assert (american_price(options) >= least - options.strike * 2.5e-5).all()


def test_greeks_are_slopes_of_the_price_with_the_dividend():
    options, bump = drawn(5), 1e-4
    european = price_and_greeks(options, np.zeros(SIZE, dtype=bool))

    def slope(**moves):
        up, down = (
            replace(
                options, **{name: getattr(options, name) + by * sign for name, by in moves.items()}
            )
            for sign in (1, -1)
        )
        return (european_price(up) - european_price(down)) / 2

    np.testing.assert_allclose(european.delta, slope(spot=bump) / bump, atol=1e-7)
    np.testing.assert_allclose(european.vega, slope(volatility=bump) / bump / 100, atol=1e-6)
    np.testing.assert_allclose(european.rho, slope(rate=bump) / bump / 100, atol=1e-6)
    day = slope(years=-bump, ex_years=-bump) / bump / 365
    np.testing.assert_allclose(european.theta, day, atol=1e-5)


def test_an_american_implied_volatility_is_the_one_of_the_price():
    options = drawn(6)
    american = np.arange(SIZE) % 2 == 0
    price = price_and_greeks(options, american).price
    found = implied_volatility(options, price, american).volatility
    known = np.isfinite(found)
    assert known.mean() > 0.85  # the others are worth exercising at once
    vega = price_and_greeks(options, american).vega
    error = np.abs(found - options.volatility)
    assert (error < 1e-6 + 1e-8 * options.strike / np.maximum(vega, 1e-12))[known].all()


def test_revaluation_tables_hold_the_dividend():
    """Against a tree for every scenario, also over an ex-date that is tomorrow."""
    options = drawn(7)
    options = replace(options, ex_years=np.where(np.arange(SIZE) < 12, 0.5 / 365, options.ex_years))
    american = np.ones(SIZE, dtype=bool)
    returns = np.tile(np.linspace(-0.2, 0.2, 9), (SIZE, 1))
    found = profit_and_loss(revaluation_grid(options, american), returns)
    day = 1 / 365
    later = replace(options, years=options.years - day, ex_years=options.ex_years - day)
    exact = np.empty_like(found)
    for place in range(9):
        moved = replace(later, spot=options.spot * (1 + returns[:, place]))
        gone = later.ex_years <= 0
        moved = replace(
            moved,
            spot=np.where(gone, moved.spot - options.dividend, moved.spot),
            dividend=np.where(gone, 0.0, later.dividend),
        )
        exact[:, place] = american_price(moved) - american_price(options)
    off = np.abs(found - exact)
    # A dividend of tomorrow leaves the spot before the move instead of after it: D r of the spot.
    missed = options.dividend[:, None] * np.abs(returns) + 1e-4 * options.strike[:, None]
    assert (off[:12] < missed[:12]).all()
    error = (off / np.maximum(american_price(options), options.strike / 100)[:, None])[12:]
    assert np.percentile(error, 95) < 0.002
    assert error.max() < 0.04


def test_stressed_prices_hold_the_dividend():
    options = drawn(8, 40)
    american, on_future = np.arange(40) % 2 == 0, np.zeros(40, dtype=bool)
    prices = stressed_prices(options, american, on_future)
    shape = (40, 3)
    spot = options.spot[:, None] * np.array([0.7, 1.0, 1.2])
    volatility = options.volatility[:, None] * np.array([1.8, 1.0, 0.8])
    shift = np.broadcast_to(np.array([-0.01, 0.0, 0.01]), shape)
    found = prices(np.arange(40), spot, volatility, shift)
    exact = revalue(
        options,
        american,
        spot=spot,
        volatility=volatility,
        rate=options.rate[:, None] + shift,
    )
    error = np.abs(found - exact) / np.maximum(exact, options.strike[:, None] / 100)
    assert np.percentile(error, 95) < 0.004
    assert error.max() < 0.02


def test_without_a_dividend_nothing_is_other_than_before():
    options = drawn(9)
    terms = {one.name: getattr(options, one.name) for one in fields(Options)[:7]}
    plain, zero = Options(**terms), replace(options, dividend=0 * options.dividend)
    american = np.arange(SIZE) % 2 == 0
    for one in fields(Greeks):
        np.testing.assert_array_equal(
            getattr(price_and_greeks(plain, american), one.name),
            getattr(price_and_greeks(zero, american), one.name),
        )

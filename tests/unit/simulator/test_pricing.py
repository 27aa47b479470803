"""Option prices against QuantLib's and Hull's."""

import numpy as np
import pytest
import QuantLib

from simulator import pricing
from simulator.pricing import Terms


def priced(model, call, *numbers):
    terms = Terms(np.array([call]), *(np.array([float(number)]) for number in numbers))
    return float(model(terms)[0])


@pytest.mark.parametrize(
    ("terms", "price"),
    [
        # Call or put, spot, strike, years, volatility, rate, dividend yield.
        ((True, 42, 40, 0.5, 0.2, 0.10, 0.0), 4.76),  # Hull, ch. 15
        ((False, 42, 40, 0.5, 0.2, 0.10, 0.0), 0.81),
        ((True, 930, 900, 2 / 12, 0.2, 0.08, 0.03), 51.83),  # ch. 17, an index
        ((False, 20, 20, 4 / 12, 0.25, 0.09, 0.09), 1.12),  # ch. 18, a future
        ((True, 60, 65, 0.25, 0.3, 0.08, 0.0), 2.1334),  # Haug
        ((False, 100, 95, 0.5, 0.2, 0.10, 0.05), 2.4648),
    ],
)
def test_european_prices_are_the_textbooks(terms, price):
    assert priced(pricing.european, *terms) == pytest.approx(price, abs=0.006)


@pytest.mark.parametrize(
    ("terms", "price"),
    [
        ((False, 50, 50, 5 / 12, 0.4, 0.10, 0.0), 4.284),  # Hull, ch. 21
        ((True, 42, 40, 0.75, 0.35, 0.04, 0.08), 5.3091),  # Haug's, exact
        ((True, 100, 100, 0.1, 0.15, 0.10, 0.10), 1.8765),  # on a future
        ((True, 110, 100, 0.1, 0.15, 0.10, 0.10), 10.0105),
    ],
)
def test_american_prices_are_the_textbooks(terms, price):
    assert priced(pricing.american, *terms) == pytest.approx(price, abs=0.003)


def grid(count=4_000, seed=3):
    chance = np.random.default_rng(seed)
    spot = np.full(count, 100.0)
    return Terms(
        chance.random(count) < 0.5,
        spot,
        spot * np.exp(chance.normal(0, 0.25, count)),
        chance.uniform(0.02, 2.0, count),
        chance.uniform(0.08, 0.9, count),
        chance.uniform(-0.01, 0.08, count),
        chance.uniform(0.0, 0.06, count),
    )


def test_european_prices_obey_put_call_parity():
    terms = grid()
    _, spot, strike, years, _, rate, dividend_yield = terms
    calls, puts = (
        pricing.european(terms._replace(is_call=np.full(len(spot), call))) for call in (True, False)
    )
    forward = spot * np.exp(-dividend_yield * years) - strike * np.exp(-rate * years)
    assert np.allclose(calls - puts, forward, atol=1e-9)


def test_an_american_option_is_worth_no_less_than_a_european_one_or_its_exercise():
    arguments = grid()
    american, european = pricing.american(arguments), pricing.european(arguments)
    intrinsic = np.where(arguments[0], arguments[1] - arguments[2], arguments[2] - arguments[1])
    assert np.all(american >= european - 1e-12)
    assert np.all(american >= intrinsic - 1e-12)


def test_american_calls_without_dividends_are_european():
    _, spot, strike, years, volatility, rate, _ = grid()
    calls, none = np.ones(len(spot), bool), np.zeros(len(spot))
    arguments = Terms(calls, spot, strike, years, volatility, np.abs(rate), none)
    assert np.array_equal(pricing.american(arguments), pricing.european(arguments))


def test_american_prices_agree_with_quantlib():
    today = QuantLib.Date(1, 1, 2024)
    QuantLib.Settings.instance().evaluationDate = today
    arguments = grid(300)
    for place, (call, spot, strike, years, volatility, rate, dividend) in enumerate(
        zip(*arguments, strict=True)
    ):
        days = max(round(years * 365), 7)
        model = QuantLib.BlackScholesMertonProcess(
            QuantLib.QuoteHandle(QuantLib.SimpleQuote(spot)),
            flat(today, dividend),
            flat(today, rate),
            QuantLib.BlackVolTermStructureHandle(
                QuantLib.BlackConstantVol(
                    today, QuantLib.NullCalendar(), volatility, QuantLib.Actual365Fixed()
                )
            ),
        )
        option = QuantLib.VanillaOption(
            QuantLib.PlainVanillaPayoff(
                QuantLib.Option.Call if call else QuantLib.Option.Put, strike
            ),
            QuantLib.AmericanExercise(today, today + days),
        )
        option.setPricingEngine(QuantLib.QdFpAmericanEngine(model))
        exact = option.NPV()
        arguments_now = [np.array([a[place]]) for a in arguments]
        arguments_now[3] = np.array([days / 365])
        ours = pricing.american(Terms(*arguments_now))[0]
        assert ours == pytest.approx(exact, abs=0.02, rel=2e-3)


def flat(today, rate):
    curve = QuantLib.FlatForward(today, rate, QuantLib.Actual365Fixed())
    return QuantLib.YieldTermStructureHandle(curve)

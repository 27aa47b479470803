"""Deep, far and very volatile options in scenarios: profits against trees and against QuantLib.

A profit is right that is within half a percent, or a cent on a share at 100.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import QuantLib

from risk_engine.quant.american import american_price
from risk_engine.quant.pricing import DAYS, Options
from risk_engine.quant.revaluation import profit_and_loss, revaluation_grid, revalue
from risk_engine.quant.stressed_prices import stressed_prices
from risk_engine.quant.volatility_surface import damping

MOVES = (
    # of the spot, of 30-day volatility, of the rate
    (0.0, 0.005, 0.0),
    (0.0, 0.1, 0.0),
    (0.0, 1.4, 0.0),
    (0.0, -0.2, 0.0),
    (0.0, 0.0, -0.01),
    (0.0, 0.0, -0.005),
    (0.0, 0.0, -0.0025),
    (0.0, 0.0, 0.0025),
    (0.0, 0.0, 0.005),
    (0.0, 0.0, 0.01),
    (-0.05, 0.2, -0.0017),
    (-0.35, 1.4, -0.01),
    (0.25, -0.3, 0.003),
)


def wings(size, seed=11):
    """Return contracts on a share at 100, to 1.2 in the log of moneyness and volatilities to 5."""
    chance = np.random.default_rng(seed)
    volatility = np.exp(chance.uniform(math.log(0.1), math.log(5), size))
    years = np.exp(chance.uniform(math.log(8 / 365), math.log(2.5), size))
    reach = np.minimum(1.5 * volatility * np.sqrt(years) + 0.05, 1.2)
    return Options(
        is_call=chance.random(size) < 0.5,
        spot=np.full(size, 100.0),
        strike=100 * np.exp(chance.normal(0, 1, size) * reach),
        years=years,
        volatility=volatility,
        rate=chance.uniform(0.0, 0.06, size),
        dividend_yield=chance.uniform(0.0, 0.04, size),
    )


def one(spot, strike, years, rate, dividend_yield, volatility, *, is_call):
    """Return a single contract."""
    numbers = (spot, strike, years, volatility, rate, dividend_yield)
    return Options(np.array([is_call]), *(np.array([number]) for number in numbers))


def markets(options):
    """Return spots, volatilities and shifts of the rate, (contracts, MOVES)."""
    returns, shock, shift = np.array(MOVES).T
    old = options.volatility[:, None]
    added = np.minimum(old * shock, 0.6) * damping(options.years)[:, None]
    spot = options.spot[:, None] * (1 + returns)
    return spot, old + added, np.broadcast_to(shift, spot.shape)


def stressed_profits(options):
    """Return what stress says each move is worth, (contracts, MOVES)."""
    american = np.ones(len(options), bool)
    rows = np.arange(len(options))
    price = stressed_prices(options, american, ~american)
    now = (options.spot[:, None], options.volatility[:, None], np.zeros((len(options), 1)))
    return price(rows, *markets(options)) - price(rows, *now)


def on_trees(options):
    """Return the same with a tree for every price."""
    spot, volatility, shift = markets(options)
    rate = options.rate[:, None] + shift
    american = np.ones(len(options), bool)
    then = revalue(options, american, spot=spot, volatility=volatility, rate=rate)
    return then - american_price(options)[:, None]


def exact(spot, strike, days, rate, dividend_yield, volatility, *, is_call):
    """Return the price by QuantLib's QdFp, whole days from now."""
    today = QuantLib.Date(1, 1, 2025)
    QuantLib.Settings.instance().evaluationDate = today
    count = QuantLib.Actual365Fixed()

    def flat(number):
        return QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, float(number), count))

    process = QuantLib.BlackScholesMertonProcess(
        QuantLib.QuoteHandle(QuantLib.SimpleQuote(float(spot))),
        flat(dividend_yield),
        flat(rate),
        QuantLib.BlackVolTermStructureHandle(
            QuantLib.BlackConstantVol(today, QuantLib.NullCalendar(), float(volatility), count)
        ),
    )
    kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
    option = QuantLib.VanillaOption(
        QuantLib.PlainVanillaPayoff(kind, strike), QuantLib.AmericanExercise(today, today + days)
    )
    option.setPricingEngine(QuantLib.QdFpAmericanEngine(process))
    return option.NPV()


def wrong(found, expected):
    """Tell which profits on a share at 100 are not right."""
    return np.abs(found - expected) > np.maximum(0.01, 0.005 * np.abs(expected))


def test_scenario_profits_are_the_tree_s():
    """All but one in two hundred, and those by less than three cents."""
    options = wings(150)
    found, expected = stressed_profits(options), on_trees(options)
    assert wrong(found, expected).mean() < 0.005
    assert np.where(wrong(found, expected), np.abs(found - expected), 0.0).max() < 0.03


@pytest.mark.parametrize(
    ("terms", "days", "is_call"),
    [
        # A quote's own volatility: the base was 2.48 too dear, and only the base.
        ((632.67, 20.0, 0.0345, 0.008, 3.2936), 52, True),
        ((632.67, 100.0, 0.0345, 0.008, 1.6), 52, True),
        # Exercise begins at a rate 100 to 150 basis points lower, and ends at a little higher.
        ((809.0, 500.0, 0.0355, 0.017, 0.192), 205, True),
        ((809.0, 1000.0, 0.0355, 0.017, 0.192), 205, False),
    ],
)
def test_deep_american_options_gain_what_quantlib_says(terms, days, is_call):
    spot, strike, rate, dividend_yield, volatility = terms
    options = one(spot, strike, days / DAYS, rate, dividend_yield, volatility, is_call=is_call)
    found = stressed_profits(options)[0]
    base = exact(spot, strike, days, rate, dividend_yield, volatility, is_call=is_call)
    for profit, moved, to, shift in zip(
        found, *(values[0] for values in markets(options)), strict=True
    ):
        then = exact(moved, strike, days, rate + shift, dividend_yield, to, is_call=is_call)
        # A cent on a share at 100.
        tolerance = max(spot / 1e4, 0.005 * abs(then - base))
        assert profit == pytest.approx(then - base, abs=tolerance)


def test_a_night_s_gains_of_deep_and_volatile_options_are_the_tree_s():
    """A day of fat tails, volatility against the spot: all but one in two hundred."""
    options = wings(120, seed=12)
    american = np.ones(len(options), bool)
    chance = np.random.default_rng(13)
    common = chance.standard_t(5, 40) * np.sqrt(0.6 / 252)
    returns = np.expm1(np.clip(options.volatility[:, None] * common, -0.9, 1.1))
    change = np.clip(-common, -0.6, 0.8) * damping(options.years)[:, None]
    found = profit_and_loss(revaluation_grid(options, american), returns, change)
    later = revalue(
        replace(options, years=options.years - 1 / DAYS),
        american,
        spot=options.spot[:, None] * (1 + returns),
        volatility=options.volatility[:, None] * np.exp(change),
        rate=options.rate[:, None],
    )
    expected = later - american_price(options)[:, None]
    assert wrong(found, expected).mean() < 0.005

"""The volatility a price implies: worked examples, vollib, and the way there and back."""

from dataclasses import replace

import numpy as np
import pytest
import vollib.black_scholes_merton.implied_volatility
from hypothesis import given
from hypothesis import strategies as st

from risk_engine.quant.american import american_bounds, american_price
from risk_engine.quant.implied_volatility import (
    EXPIRED,
    LEAST,
    MOST,
    OUTSIDE,
    SOLVED,
    TOO_CHEAP,
    TOO_DEAR,
    UNKNOWN,
    american_volatility,
    european_volatility,
    implied_volatility,
)
from risk_engine.quant.pricing import Options, european_greeks, european_price

CALL, PUT = True, False


def options(is_call, spot, strike, years, rate, dividend_yield=0.0, volatility=np.nan):
    """Return options of numbers and arrays, as long as the longest."""
    columns = (is_call, spot, strike, years, volatility, rate, dividend_yield)
    kind, *numbers = np.broadcast_arrays(*map(np.atleast_1d, columns))
    return Options(kind.copy(), *(np.array(number, float) for number in numbers))


def drawn(size, seed=1, deviations=6.0):
    """Return a random grid of contracts, their strikes many standard deviations away."""
    chance = np.random.default_rng(seed)
    spot = chance.uniform(5, 500, size)
    years = np.exp(chance.uniform(np.log(1 / 365), np.log(5), size))
    volatility = np.exp(chance.uniform(np.log(0.01), np.log(4), size))
    away = chance.uniform(-deviations, deviations, size) * volatility * np.sqrt(years)
    return options(
        chance.random(size) < 0.5,
        spot,
        spot * np.exp(np.clip(away, -8, 8)),
        years,
        chance.uniform(-0.01, 0.10, size),
        chance.uniform(0, 0.08, size),
        volatility,
    )


def digits_lost(contracts, price):
    """Return how far volatility moves, relatively, with the last digit of a price or a spot."""
    vega = 100 * european_greeks(contracts).vega
    with np.errstate(divide="ignore"):
        return np.finfo(float).eps * price / (vega * contracts.volatility)


@pytest.mark.parametrize(
    ("contract", "price", "volatility"),
    [
        pytest.param(options(CALL, 21, 20, 0.25, 0.1), 1.875, 0.235, id="C14 4, Hull 15"),
        pytest.param(
            options(CALL, 1.6, 1.6, 4 / 12, 0.08, 0.11), 0.043, 0.141, id="C14 7, Hull 17, FX"
        ),
    ],
)
def test_c14_4_and_7_implied_volatilities_are_the_textbooks(contract, price, volatility):
    found = european_volatility(contract, np.array([price]))
    assert found.volatility[0] == pytest.approx(volatility, abs=5e-4)
    assert found.reason[0] == SOLVED


def test_c2_the_european_formula_reads_too_much_from_an_american_put():
    """A put at 120 on 100, nine months, priced at 25 % on the tree: the formula reads 29.1 %."""
    contract = options(PUT, 100, 120, 0.75, 0.04, volatility=0.25)
    price = american_price(contract)
    assert european_volatility(contract, price).volatility[0] == pytest.approx(0.291, abs=5e-4)
    assert american_volatility(contract, price).volatility[0] == pytest.approx(0.25, abs=1e-8)


def test_the_way_to_the_price_and_back_loses_only_what_the_price_has_lost():
    """Six standard deviations either side: within a few last digits of what a price is made of."""
    contracts = drawn(50_000)
    price = european_price(contracts)
    found = european_volatility(contracts, price)
    solved = found.reason == SOLVED
    assert solved.mean() > 0.9
    error = np.abs(found.volatility / contracts.volatility - 1)
    lost = digits_lost(contracts, contracts.spot + contracts.strike)
    assert (error[solved] <= 1e-13 + 4 * lost[solved]).all()
    again = european_price(replace(contracts, volatility=found.volatility))
    scale = np.maximum(contracts.spot, contracts.strike)
    assert np.nanmax(np.abs(again - price) / scale) < 1e-14


def test_a_deep_wing_keeps_its_digits():
    """Out of the money a price has all its digits, however small: 1e-100 of the spot will do."""
    deviations = np.array([5.0, 10, 15, 20])
    for volatility, years in ((0.05, 1 / 365), (0.2, 0.25), (0.8, 2.0)):
        strike = 100 * np.exp(deviations * volatility * np.sqrt(years))
        contracts = options(CALL, 100, strike, years, 0.0, 0.0, volatility)
        found = european_volatility(contracts, european_price(contracts))
        np.testing.assert_allclose(found.volatility, volatility, rtol=1e-11)


def test_volatilities_are_vollib_s():
    contracts = drawn(2_000, seed=3, deviations=3)
    price = european_price(contracts)
    usable = digits_lost(contracts, contracts.spot + contracts.strike) < 1e-12
    assert usable.sum() > 800
    contracts, price = contracts.part(usable), price[usable]
    theirs = [
        vollib.black_scholes_merton.implied_volatility.implied_volatility(
            price[place],
            contracts.spot[place],
            contracts.strike[place],
            contracts.years[place],
            contracts.rate[place],
            contracts.dividend_yield[place],
            "c" if contracts.is_call[place] else "p",
        )
        for place in range(len(contracts))
    ]
    np.testing.assert_allclose(
        european_volatility(contracts, price).volatility, theirs, rtol=1e-9, atol=0
    )


def test_american_prices_give_their_volatility_back():
    """Where a cent's millionth changes it by less than a basis point of volatility."""
    contracts = drawn(400, seed=5, deviations=2)
    contracts = replace(contracts, volatility=np.clip(contracts.volatility, 0.05, 1.5))
    price = american_price(contracts)
    bumped = american_price(replace(contracts, volatility=contracts.volatility * 1.01))
    sensitive = (bumped - price) / contracts.strike > 1e-7
    assert sensitive.sum() > 250
    found = american_volatility(contracts.part(sensitive), price[sensitive])
    assert (found.reason == SOLVED).all()
    np.testing.assert_allclose(found.volatility, contracts.volatility[sensitive], rtol=1e-4)
    again = american_price(replace(contracts.part(sensitive), volatility=found.volatility))
    np.testing.assert_allclose(again, price[sensitive], rtol=1e-8)


def test_each_option_is_inverted_with_its_own_model():
    contracts = options([PUT, PUT], 100, 120, 0.75, 0.04, volatility=0.25)
    price = american_price(contracts)
    found = implied_volatility(contracts, price, np.array([True, False]))
    assert found.volatility == pytest.approx([0.25, 0.291], abs=5e-4)
    assert found.reason.tolist() == [SOLVED, SOLVED]


@pytest.mark.parametrize("invert", [european_volatility, american_volatility])
def test_a_price_that_says_nothing_has_no_volatility_and_a_reason(invert):
    years, rate = 0.5, 0.05
    contracts = options(
        [CALL, CALL, CALL, PUT, CALL, CALL, CALL],
        100,
        [80, 80, 80, 120, 80, 80, 80],
        [years, years, years, years, 0.0, years, np.nan],
        rate,
    )
    least = american_bounds(contracts)[0]
    price = np.array([least[0], least[1] - 1, 100.0, 120.0, 21.0, np.nan, 25.0])
    found = invert(contracts, price)
    assert np.isnan(found.volatility).all()
    expected = [TOO_CHEAP, TOO_CHEAP, TOO_DEAR, TOO_DEAR, EXPIRED, UNKNOWN, UNKNOWN]
    assert found.reason.tolist() == expected


@pytest.mark.parametrize(
    ("invert", "price_of"),
    [(european_volatility, european_price), (american_volatility, american_price)],
)
def test_a_volatility_beyond_belief_is_none(invert, price_of):
    inside = options(CALL, 100, 101, 0.25, 0.0, 0.0, [MOST * 0.99, 0.01])
    outside = replace(inside, volatility=np.array([MOST * 1.01, LEAST / 2]))
    assert (invert(inside, price_of(inside)).reason == SOLVED).all()
    found = invert(outside, price_of(outside))
    assert found.reason[0] == OUTSIDE
    assert np.isnan(found.volatility).all()


@given(
    spot=st.floats(1, 1_000),
    away=st.floats(-2.5, 2.5),
    years=st.floats(0.01, 5),
    volatility=st.floats(0.03, 3),
    rate=st.floats(-0.02, 0.15),
    dividend_yield=st.floats(0, 0.1),
)
def test_calls_and_puts_of_one_volatility_give_it_back(
    spot, away, years, volatility, rate, dividend_yield
):
    scale = volatility * np.sqrt(years)
    forward = spot * np.exp((rate - dividend_yield) * years)
    strike = forward * np.exp(away * min(scale, 1.0))
    contracts = options([CALL, PUT], spot, strike, years, rate, dividend_yield, volatility)
    found = european_volatility(contracts, european_price(contracts))
    np.testing.assert_allclose(found.volatility, volatility, rtol=1e-7)


def test_order_and_company_change_nothing():
    contracts = drawn(20_000)
    price = european_price(contracts)
    whole = european_volatility(contracts, price)
    alone = european_volatility(contracts.part(slice(9_000, 9_001)), price[9_000:9_001])
    np.testing.assert_equal(whole.volatility[9_000:9_001], alone.volatility)
    few, prices = contracts.part(slice(0, 300)), american_price(contracts.part(slice(0, 300)))
    backwards = american_volatility(few.part(slice(None, None, -1)), prices[::-1])
    np.testing.assert_array_equal(american_volatility(few, prices).reason, backwards.reason[::-1])
    np.testing.assert_array_equal(
        american_volatility(few, prices).volatility, backwards.volatility[::-1]
    )

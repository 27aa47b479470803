"""Options in the market risk engine: revalued in every scenario, by whatever moves them."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from common.options import Contract
from risk_engine.engine import risk_scenarios
from risk_engine.quant.american import american_price
from risk_engine.quant.pricing import Options, european_price
from risk_engine.quant.volatility import ewma_volatility
from tests.support.simulated import simulated_market
from tests.unit.risk_engine.at_risk import (
    CALL,
    HISTORICAL,
    MONTE_CARLO,
    SHARES,
    SYMBOLS,
    book,
    calculate,
    closes_of,
    codes,
    frame_of,
    losses_of,
    result,
    results,
    shortfall,
    value_at_risk,
)
from tests.unit.risk_engine.books import option


@pytest.fixture(scope="module")
def market():
    """A market of six symbols."""
    return simulated_market(SYMBOLS)


def test_an_option_is_revalued_in_full_with_the_volatility_index(market):
    """The book is one call: each scenario priced anew on the tree, less today's price."""
    frame = frame_of(market, book([CALL]))
    answer = calculate(frame)[0]
    terms = frame.contracts.terms
    returns, _ = closes_of(market, "SPY")
    index = market.reference.close[-len(market.prices.sessions) :, market.reference.columns["VIX"]]
    damped = min(1.0, (30 / 365 / terms.years[0]) ** 0.5)
    volatility = terms.volatility[0] * np.exp(damped * np.diff(np.log(index)))[-504:]

    def priced(spot, volatility, years):
        count = len(spot)
        return american_price(
            Options(
                np.ones(count, np.bool_),
                spot,
                np.full(count, terms.strike[0]),
                np.full(count, years),
                volatility,
                np.full(count, terms.rate[0]),
                np.full(count, terms.dividend_yield[0]),
            )
        )

    now = priced(terms.spot[:1], terms.volatility[:1], terms.years[0])
    then = priced(terms.spot[0] * (1 + returns[-504:]), volatility, terms.years[0] - 1 / 365)
    worst, mean = losses_of(300 * (then - now))
    assert value_at_risk(answer, HISTORICAL)[2] == pytest.approx(worst, rel=2e-3)
    assert shortfall(answer, HISTORICAL)[2] == pytest.approx(mean, rel=2e-3)
    assert (shortfall(answer) <= 300 * now[0]).all()


def test_an_option_on_the_volatility_index_follows_its_future():
    """Each scenario priced by Black's formula, the future moved by the index's damped logarithm."""
    contract = Contract("VIX", date(2026, 3, 18), "call", Decimal(20))
    held = replace(
        option(7, "5", "2", expiration=contract.expiry),
        symbol=contract.symbol,
        underlying_symbol="VIX",
        strike_price=contract.strike,
    )
    frame = frame_of(simulated_market(["VIX", contract.symbol]), book([held]))
    answer = calculate(frame)[0]
    terms = frame.contracts.terms
    returns, _ = closes_of(frame.market, "VIX")
    future = terms.spot[0] * (1 + returns[-504:]) ** (30 / 365 / terms.years[0]) ** 0.5

    def priced(future, days):
        count = len(future)
        numbers = (terms.strike[0], terms.years[0] - days / 365, terms.volatility[0], terms.rate[0])
        strike, years, volatility, rate = (np.full(count, number) for number in numbers)
        return european_price(
            Options(np.ones(count, np.bool_), future, strike, years, volatility, rate, rate)
        )

    worst, mean = losses_of(500 * (priced(future, 1) - priced(terms.spot, 0)))
    assert value_at_risk(answer, HISTORICAL)[2] == pytest.approx(worst, rel=1e-9)
    assert shortfall(answer, HISTORICAL)[2] == pytest.approx(mean, rel=1e-9)
    # Filtered, the index moves by what moves the volatility of all other options.
    close = frame.market.prices.close[:, frame.market.prices.columns["VIX"]]
    change = np.diff(np.log(close))
    volatility = ewma_volatility(change[:, None])[:, 0]
    change = (np.clip(change / volatility[:-1], -15, 15) * volatility[-1])[-504:]
    moved = terms.spot[0] * np.exp(change * (30 / 365 / terms.years[0]) ** 0.5)
    worst, mean = losses_of(500 * (priced(moved, 1) - priced(terms.spot, 0)))
    assert value_at_risk(answer)[2] == pytest.approx(worst, rel=1e-9)
    assert shortfall(answer)[2] == pytest.approx(mean, rel=1e-9)


def test_without_the_volatility_index_volatility_stands_still(market):
    blind = replace(
        market, reference=replace(market.reference, close=market.reference.close.copy())
    )
    blind.reference.close[:, market.reference.columns["VIX"]] = np.nan
    assert "vol_static" not in codes(result(market, CALL))
    answer = result(blind, CALL)
    assert "vol_static" in codes(answer)
    assert not answer.payload["scenarios"]["volatility_moves"]


def test_a_missing_close_of_the_volatility_index_loses_no_jump(market):
    """The closes before its five largest moves gone, the index still goes as far in the end."""
    column = market.reference.columns["VIX"]
    close = market.reference.close.copy()
    level = np.log(close[-505:, column])
    jumps = np.argsort(np.abs(np.diff(level)))[-5:]
    close[len(close) - 505 + np.maximum(jumps, 1), column] = np.nan
    gappy = replace(market, reference=replace(market.reference, close=close))
    changes, _ = risk_scenarios._volatility_changes(frame_of(gappy, book([CALL])), 504)
    assert changes is not None
    assert changes.sum() == pytest.approx(level[-1] - level[0], rel=1e-12)


def test_monte_carlo_revalues_options(market):
    """A call loses at most its premium; sold, it loses more than it is worth."""
    frame = frame_of(market, book([CALL]), book([replace(CALL, quantity=-CALL.quantity)], 2))
    bought, sold = calculate(frame)
    premium = 300 * frame.contracts.price[0]
    assert 0 < shortfall(bought, MONTE_CARLO)[2] < premium
    assert shortfall(sold, MONTE_CARLO)[2] > shortfall(bought, MONTE_CARLO)[2]


def test_an_expired_option_has_no_risk_left(market):
    gone = option(7, "3", "20", expiration=date(2025, 12, 19))
    answer, without = results(market, [*SHARES, gone], SHARES)
    assert np.array_equal(value_at_risk(answer), value_at_risk(without))

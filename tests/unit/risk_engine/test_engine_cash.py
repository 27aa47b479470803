"""A fund of Treasury bills is cash in every engine, whatever its price does."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from risk_engine.domain import Security
from risk_engine.engine import correlation, exposure, factors, market_risk, stress, volatility
from risk_engine.engine.results import EngineResult
from risk_engine.engine.stress_inputs import stress_inputs
from tests.unit.risk_engine.books import option
from tests.unit.risk_engine.factored import account, frame_of, market, rows_of, shares

FUND = "SGOV"
UNKNOWN = ("BIL", "SGOV", "SHV")
"""Funds of bills of which the provider has neither prices nor a word."""


def with_bills():
    """The market of the others, with a bond fund under the name of one of bills."""
    everything = market()

    def renamed(prices):
        return replace(
            prices, symbols=tuple(FUND if one == "BND" else one for one in prices.symbols)
        )

    fund = Security("0-3 month Treasury bills", "etf", "etf", None)
    return replace(
        everything,
        prices=renamed(everything.prices),
        securities={**everything.securities, FUND: fund},
    )


@pytest.fixture(scope="module")
def frame():
    """Shares; the same with bills beside them; bills alone."""
    held = (shares(1, "AAPL", 100), shares(2, "JPM", 200))
    bills = shares(3, FUND, 500)
    return frame_of(
        account(*held, number=1),
        account(*held, bills, number=2),
        account(bills, number=3),
        of=with_bills(),
    )


def payloads(engine, frame):
    """Return what an engine says of each book."""
    answers = engine.calculate(frame)
    assert all(isinstance(one, EngineResult) for one in answers)
    return [one.payload for one in answers]


def worth(frame):
    return 500 * frame.market.prices.close[-1, frame.market.prices.columns[FUND]]


def test_bills_are_in_no_exposure_but_in_net_asset_value(frame):
    without, beside, alone = payloads(exposure, frame)
    assert beside["delta_adjusted"]["gross"] == without["delta_adjusted"]["gross"] > 0
    assert beside["notional"] == without["notional"]
    assert without["cash_equivalents"] == 0
    assert beside["cash_equivalents"] == pytest.approx(worth(frame))
    assert alone["delta_adjusted"]["gross"] == 0
    assert rows_of(beside["sectors"], "sector")["Cash"]["positions"] == 1


def test_bills_load_on_nothing_and_vary_by_nothing(frame):
    for engine, path in (
        (factors, ("risk", "volatility_dollar")),
        (factors, ("interest_rates", "dollar_duration")),
        (market_risk, ("measures", "value_at_risk")),
    ):
        without, beside, alone = payloads(engine, frame)
        for key in path:
            without, beside, alone = without[key], beside[key], alone[key]
        np.testing.assert_array_equal(without, beside)
        assert np.nanmax(np.abs(alone)) == 0
        assert np.nanmax(np.abs(without)) > 0
    own = payloads(volatility, frame)[2]["holdings"]
    assert own["ewma"] == own["ewma_slow"] == 0


def test_bills_are_correlated_with_nothing(frame):
    without, beside, _ = payloads(correlation, frame)
    assert FUND not in str(beside["symbols"])
    np.testing.assert_array_equal(without["sample"], beside["sample"])
    assert without["concentration"] == beside["concentration"]


def test_an_option_on_bills_is_no_cash():
    """Its premium is no cash, and what it would move is an exposure."""
    call = replace(option(4, "1", "2"), underlying_symbol=FUND, strike_price=Decimal(50))
    (found,) = payloads(exposure, frame_of(account(call), of=with_bills()))
    assert found["counts"]["option_positions"] == 1
    assert found["market_value"]["gross"] > 0
    assert found["cash_equivalents"] == 0
    assert found["notional"] > 0


@pytest.fixture(scope="module")
def unknown():
    """Shares; the same with bills that nobody knows beside them; such bills alone."""
    held = (shares(1, "AAPL", 100), shares(2, "JPM", 200))
    bills = tuple(shares(number, symbol, 50) for number, symbol in enumerate(UNKNOWN, start=3))
    frame = frame_of(
        account(*held, number=1),
        account(*held, *bills, number=2),
        account(*bills, number=3),
        account(replace(option(9, "1", "2"), underlying_symbol=UNKNOWN[0]), number=4),
    )
    assert not set(UNKNOWN) & {*frame.market.securities, *frame.market.prices.symbols}
    return frame


def test_bills_that_the_provider_does_not_know_are_cash_in_every_engine(unknown):
    without, beside, alone, _ = payloads(exposure, unknown)
    assert beside["delta_adjusted"]["gross"] == without["delta_adjusted"]["gross"] > 0
    assert alone["delta_adjusted"]["gross"] == 0
    assert alone["cash_equivalents"] == pytest.approx(3 * 50 * 100)
    assert rows_of(alone["sectors"], "sector")["Cash"]["positions"] == len(UNKNOWN)
    for engine in (factors, volatility, market_risk, correlation, stress):
        without, beside, alone, _ = payloads(engine, unknown)
        codes = [{one["code"] for one in found["notes"]} for found in (without, beside, alone)]
        assert codes[1] <= codes[0], engine
        assert not codes[2] & {"proxied", "positions_proxied", "prior_only", "short_history"}
        assert alone["quality"]["of_gross_value"] == {
            "modelled": 1.0,
            "proxied": 0.0,
            "stale": 0.0,
            "unmodelled": 0.0,
        }
    assert payloads(factors, unknown)[2]["market_beta"]["beta"] == 0
    assert np.nanmax(np.abs(payloads(market_risk, unknown)[2]["measures"]["value_at_risk"])) == 0


def test_a_broker_wants_nothing_of_bills_and_something_of_an_option_on_them(unknown):
    without, beside, alone, _ = (
        np.array(one["scenarios"]["table"]["maintenance_margin"])
        for one in payloads(stress, unknown)
    )
    assert (without > 0).all()
    np.testing.assert_array_equal(beside, without)
    np.testing.assert_array_equal(alone, 0)
    inputs = stress_inputs(unknown)
    assert inputs.is_cash.sum() == 2 * len(UNKNOWN)
    assert inputs.is_option.any()
    assert not inputs.is_cash[inputs.is_option].any()

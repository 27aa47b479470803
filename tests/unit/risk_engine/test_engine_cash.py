"""A fund of Treasury bills is cash in every engine, whatever its price does."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from risk_engine.domain import Security
from risk_engine.engine import correlation, exposure, factors, market_risk, volatility
from risk_engine.engine.results import EngineResult
from tests.unit.risk_engine.books import option
from tests.unit.risk_engine.factored import account, frame_of, market, rows_of, shares

FUND = "SGOV"


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

"""An option on the volatility index moves with its future, and by as much in every engine."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from statistics import NormalDist

import numpy as np
import pytest

from common.options import Contract
from risk_engine.engine import correlation, exposure, factors, market_risk, volatility
from risk_engine.engine.market_risk import METHODS
from risk_engine.engine.results import EngineResult
from tests.support.simulated import simulated_market
from tests.unit.risk_engine.at_risk import book, closes_of, frame_of, value_at_risk
from tests.unit.risk_engine.books import option, position

CONTRACT = Contract("VIX", date(2026, 6, 17), "call", Decimal(18))
HELD = replace(
    option(7, "100", "2", expiration=CONTRACT.expiry),
    symbol=CONTRACT.symbol,
    underlying_symbol="VIX",
    strike_price=CONTRACT.strike,
)


@pytest.fixture(scope="module")
def frame():
    """A call of half a year, alone and beside shares."""
    market = simulated_market(["VIX", "SPY", "KO", CONTRACT.symbol])
    return frame_of(market, book([HELD]), book([HELD, position(1, "KO", "100", "50")], 2))


@pytest.fixture(scope="module")
def moved(frame):
    """What the call gains for a return of the index of one: its dollar delta, damped by hand."""
    terms = frame.contracts.terms
    delta = float(100 * 100 * frame.contracts.greeks.delta[0] * terms.spot[0])
    damped = (30 / 365 / terms.years[0]) ** 0.5
    assert damped < 0.5
    return delta * damped


def results(engine, frame):
    found = [one for one in engine.calculate(frame) if isinstance(one, EngineResult)]
    assert len(found) == 2
    return [one.payload for one in found]


def test_the_engines_agree_on_a_day_s_risk(frame, moved):
    payload = results(factors, frame)[0]
    one_day = payload["risk"]["volatility_dollar"] / 252**0.5 * NormalDist().inv_cdf(0.99)
    normal = value_at_risk(market_risk.calculate(frame)[0], METHODS.index("parametric_normal"))[2]
    assert normal == pytest.approx(one_day, rel=1e-9)
    returns, _ = closes_of(frame.market, "VIX")
    windows = results(volatility, frame)[0]["holdings"]["windows"]["table"]
    assert windows["dollars_per_session"][2] == pytest.approx(
        abs(moved) * returns[-252:].std(ddof=1), rel=1e-9
    )


def test_betas_are_of_what_the_future_moves(frame, moved):
    (row,) = (row for row, key in enumerate(frame.underlyings.keys) if key.symbol == "VIX")
    beta = frame.factor_model.betas.shrunk[row]
    payload = results(exposure, frame)[0]
    assert payload["beta_adjusted_net"] == pytest.approx(moved * beta, rel=1e-9)
    assert payload["underlyings"]["table"]["sensitivity"] == pytest.approx([moved], rel=1e-9)
    assert payload["delta_adjusted"]["gross"] > 2 * moved
    assert results(factors, frame)[0]["market_beta"]["exposure_dollar"] == pytest.approx(
        moved * beta, rel=1e-9
    )


def test_weights_of_the_correlation_are_of_what_the_future_moves(frame, moved):
    symbols = results(correlation, frame)[1]["symbols"]["table"]
    place = symbols["symbol"].index("VIX")
    worth = frame.net_asset_value[1]
    assert symbols["weight"][place] == pytest.approx(moved / worth, rel=1e-9)
    assert np.abs(symbols["dollar_delta"][place]) > 2 * abs(moved)

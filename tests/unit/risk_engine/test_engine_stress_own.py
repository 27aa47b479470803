"""Scenarios of one's own over a frame: funds, factors nobody knows, specific losses."""

import math
from dataclasses import replace

import numpy as np
import pytest

from risk_engine.engine import stress
from risk_engine.engine.fingerprint import Fingerprints
from risk_engine.engine.stress_inputs import stress_inputs
from risk_engine.engine.stress_runs import stated_shocks
from risk_engine.quant.factors import FACTORS
from tests.unit.risk_engine.stress_books import (
    EVERYTHING,
    account,
    frame_of,
    read,
    replaced,
    scenario,
    share,
    stress_market,
    stressed,
)


def test_a_factor_nobody_knows_moves_nothing():
    """Without HYG there is no CREDIT: all else is still there, a scenario about it is not."""
    market = stress_market()
    gone = market.reference.close.copy()
    gone[:, market.reference.columns["HYG"]] = np.nan
    text = (
        '[[scenario]]\nid = "credit"\nname = "Credit"\nbasis = "relative"\nhorizon = 21\n'
        "shocks = { CREDIT = -0.1 }\n"
    )
    market = replaced(replace(market, reference=replace(market.reference, close=gone)), text)
    found = stressed(*EVERYTHING, market=market)
    assert found.status == "partial"
    assert all(one.correlated is not None for one in found.scenarios[:-1])
    assert "CREDIT" not in scenario(found, "market_down_10").by_cause or (
        scenario(found, "market_down_10").by_cause["CREDIT"] == 0
    )
    assert found.scenarios[-1].correlated is None
    assert found.scenarios[-1].direct is None


TOTAL = """
[[scenario]]
id = "funds"
name = "Funds"
basis = "total"
horizon = 21
shocks = { MKT = -0.10, VTV = -0.02, VUG = -0.15, RATES = -0.005 }
"""


def test_total_returns_of_funds_are_taken_apart_into_factors():
    """VALUE: what VTV does more than VUG, less the market's part over the last 252 sessions."""
    market = replaced(stress_market(), TOTAL)
    frame = frame_of(account(*EVERYTHING), market=market)
    inputs = stress_inputs(frame)
    shocks = stated_shocks(inputs, market.scenarios.active)[-1]
    panel, columns = frame.factor_model.panel, market.reference.columns
    spread = panel.funds[-252:, columns["VTV"]] - panel.funds[-252:, columns["VUG"]]
    slope = np.polyfit(panel.funds[-252:, columns["SPY"]], spread, 1)[0]
    expected = {"MKT": -0.10, "RATES": -0.005, "VALUE": 0.13 - slope * -0.10}
    for name, shock in zip(FACTORS, shocks, strict=True):
        assert shock == pytest.approx(expected.get(name, np.nan), nan_ok=True, abs=1e-12)


def test_a_session_without_the_market_costs_no_scenario_of_funds():
    """The slope is that of the sessions which are known."""
    whole = replaced(stress_market(), TOTAL)
    close = whole.reference.close.copy()
    close[-100, whole.reference.columns["SPY"]] = np.nan
    market = replace(whole, reference=replace(whole.reference, close=close))
    frame = frame_of(account(*EVERYTHING), market=market)
    shocks = stated_shocks(stress_inputs(frame), market.scenarios.active)[-1]
    panel, columns = frame.factor_model.panel, market.reference.columns
    spread, spy = (
        panel.funds[-252:, columns["VTV"]] - panel.funds[-252:, columns["VUG"]],
        panel.funds[-252:, columns["SPY"]],
    )
    known = np.isfinite(spy)
    assert known.sum() == 250
    slope = np.polyfit(spy[known], spread[known], 1)[0]
    value = shocks[FACTORS.index("VALUE")]
    assert value == pytest.approx(0.13 - slope * -0.10, abs=1e-12)


def test_specific_risk_is_lost_besides_where_a_scenario_asks_for_it():
    text = TOTAL + "residual_multiple = 1.645\n" + TOTAL.replace('"funds"', '"plain"')
    found = stressed(*EVERYTHING, market=replaced(stress_market(), text))
    with_it, without = found.scenarios[-2:]
    lost = 1.645 * without.specific_deviation
    assert lost > 100
    assert with_it.correlated == pytest.approx(without.correlated - lost, abs=0.02)
    assert with_it.direct == pytest.approx(without.direct - lost, abs=0.02)
    assert with_it.by_cause["SPECIFIC"] == pytest.approx(-lost, abs=0.02)
    assert sum(with_it.by_greek.values()) == pytest.approx(with_it.correlated, abs=0.04)


def test_an_inverse_fund_gains_its_multiple_of_a_crash_and_no_more():
    """XOM under the name of SQQQ, by its own loadings: at one blow -3 times its index's return."""
    market = stress_market()
    symbols = tuple("SQQQ" if one == "XOM" else one for one in market.prices.symbols)
    market = replace(market, prices=replace(market.prices, symbols=symbols))
    held = account(share(1, "SQQQ", "100"))
    frame = frame_of(held, market=market)
    (answer,) = stress.calculate(frame)
    beta = frame.factor_model.loadings[0, FACTORS.index("MKT")]
    worth = 100 * market.prices.close[-1, market.prices.columns["SQQQ"]]
    at_once = worth * -3 * (0.65 ** (beta / -3) - 1)
    crash = scenario(read(answer), "market_crash_35")
    assert crash.direct == pytest.approx(at_once, abs=0.02)
    assert abs(at_once - worth * (0.65**beta - 1)) > 100  # the path's is another number


def test_what_is_left_without_proxies_loses_its_own_specific_part_alone():
    """The private part's specific risk is no loss of the listed part, written out per underlying.

    Of listed names alone, both are the same.
    """
    text = TOTAL + "residual_multiple = 1.645\n" + TOTAL.replace('"funds"', '"plain"')
    own = replaced(stress_market(), text)
    found = stressed(*EVERYTHING, market=own)
    with_it, without = found.scenarios[-2:]
    frame = frame_of(account(*EVERYTHING))
    listed = np.array([key.subtype is None for key in frame.underlyings.keys])
    listed &= frame.return_histories.source == 0
    assert 0 < listed.sum() < len(listed)
    daily = (
        (frame.dollar_deltas[0] ** 2 * np.nan_to_num(frame.factor_model.specific_variance))[listed]
    ).sum()
    lost = 1.645 * math.sqrt(21 * daily)
    assert lost < 1.645 * with_it.specific_deviation - 1
    assert with_it.correlated_without_proxies == pytest.approx(
        without.correlated_without_proxies - lost, abs=0.02
    )
    assert with_it.direct_without_proxies == pytest.approx(
        without.direct_without_proxies - lost, abs=0.02
    )


def test_specific_deviation_is_of_net_exposures_per_underlying():
    frame = frame_of(account(*EVERYTHING))
    variance = frame.factor_model.specific_variance
    daily = (frame.sensitivities[0] ** 2 * np.nan_to_num(variance)).sum()
    (answer,) = stress.calculate(frame)
    for one in read(answer).scenarios:
        assert one.specific_deviation == pytest.approx(math.sqrt(21 * daily), abs=0.01)


def test_a_changed_file_of_scenarios_changes_the_input_hash():
    def input_hash(market):
        return Fingerprints(frame_of(account(*EVERYTHING), market=market), {}).of(0, "stress-1")

    own = replaced(stress_market(), TOTAL)
    assert input_hash(own) == input_hash(replaced(stress_market(), TOTAL))
    assert input_hash(own) != input_hash(stress_market())
    other = replaced(stress_market(), TOTAL.replace("-0.15", "-0.16"))
    assert input_hash(own) != input_hash(other)

"""Market risk of books that cancel, and of books without a history of their own."""

import numpy as np
import pytest

from risk_engine.engine.market_risk import METHODS
from tests.support.simulated import simulated_market
from tests.unit.risk_engine.at_risk import (
    CALL,
    SHARES,
    SYMBOLS,
    codes,
    read,
    result,
    results,
    shortfall,
    value_at_risk,
)
from tests.unit.risk_engine.books import position, private

LOTS = [
    position(number, "TSLA", quantity, "200")
    for number, quantity in enumerate(("33.3", "66.6", "0.1", "-99.9", "-0.1"), start=1)
]
CORNISH_FISHER = METHODS.index("cornish_fisher")


@pytest.fixture(scope="module")
def market():
    """A market of six symbols."""
    return simulated_market(SYMBOLS)


def test_lots_that_cancel_have_no_parts_of_a_risk_that_is_none(market):
    flat = result(market, *LOTS)
    assert abs(shortfall(flat)).max() < 1e-6
    rows = flat.payload["components"]["positions"]["table"]
    for name in ("value_at_risk", "expected_shortfall", "normal_value_at_risk"):
        assert np.isnan(rows[name]).all()
        assert np.isnan(flat.payload["components"]["factors"]["table"][name]).all()
    assert (np.abs(rows["incremental_value_at_risk"]) > 0).all()
    assert flat.payload["worst_days"] is None
    assert flat.payload["backtest"] is None
    assert {"nothing_at_risk", "backtest_of_nothing_at_risk"} <= codes(flat)
    read(flat)


def test_cornish_fisher_of_lots_that_cancel_is_none_and_not_the_fault_of_their_shape(market):
    flat = result(market, *LOTS)
    assert abs(value_at_risk(flat, CORNISH_FISHER)).max() < 1e-6
    assert "cornish_fisher_not_monotone" not in codes(flat)


def test_a_book_that_is_hedged_but_for_one_share_has_parts_and_a_backtest(market):
    answer = result(market, *LOTS, position(9, "TSLA", "1", "200"))
    rows = answer.payload["components"]["positions"]["table"]
    assert np.sum(rows["expected_shortfall"]) == pytest.approx(shortfall(answer)[2], rel=1e-6)
    assert answer.payload["backtest"] is not None
    assert "nothing_at_risk" not in codes(answer)


def test_what_the_model_says_is_not_tested_against_the_model(market):
    answer = result(market, private(9, "FUND", "80000"))
    assert np.isfinite(value_at_risk(answer)).all()
    assert answer.payload["backtest"] is None
    assert "backtest_of_nothing_observed" in codes(answer)


def test_a_backtest_is_of_what_has_a_history_and_says_so(market):
    mixed, observed = results(market, [*SHARES, CALL, private(9, "FUND", "80000")], [*SHARES, CALL])
    told, alone = mixed.payload["backtest"], observed.payload["backtest"]
    assert (told["scope"], alone["scope"]) == ("without_proxied", "all")
    assert told["basel_zone"] == alone["basel_zone"]
    for name, column in alone["worst_days"]["table"].items():
        if name == "session":
            assert told["worst_days"]["table"][name] == column
        else:
            np.testing.assert_array_equal(told["worst_days"]["table"][name], column)
    assert "backtest_without_proxied" in codes(mixed)
    assert "backtest_without_proxied" not in codes(observed)
    tested = read(mixed).backtest
    assert tested is not None
    assert tested.scope == "without_proxied"


def test_lots_that_cancel_beside_a_private_asset_leave_nothing_to_test(market):
    answer = result(market, *LOTS, private(9, "FUND", "80000"))
    assert answer.payload["backtest"] is None
    assert "backtest_of_nothing_at_risk" in codes(answer)
    assert "nothing_at_risk" not in codes(answer)

"""Maintenance margin: the rule's rates, by hand."""

import numpy as np

from risk_engine.quant.margin import maintenance_margin


def margin(value, notional=0.0, *, is_option=False, is_private=False, is_cash=False):
    """Return the margin of one position in one scenario."""
    one = maintenance_margin(
        np.zeros(1, int),
        np.array([[value]]),
        np.array([[notional]]),
        is_short=np.array([value < 0]),
        is_option=np.array([is_option]),
        is_private=np.array([is_private]),
        is_cash=np.array([is_cash]),
        portfolios=1,
    )
    return one[0, 0]


def test_the_rates_are_those_of_the_rule():
    assert margin(1_000.0) == 250
    assert margin(-1_000.0) == 300
    assert margin(1_000.0, 9_000.0, is_option=True) == 1_000
    assert margin(-1_000.0, 9_000.0, is_option=True) == 1_800
    assert margin(1_000.0, is_private=True) == 1_000
    assert margin(1_000.0, is_cash=True) == 0


def test_portfolios_and_scenarios_are_apart():
    found = maintenance_margin(
        np.array([0, 1, 1]),
        np.array([[100.0, 200.0], [-100.0, np.nan], [400.0, 400.0]]),
        np.zeros((3, 2)),
        is_short=np.array([False, True, False]),
        is_option=np.zeros(3, bool),
        is_private=np.zeros(3, bool),
        is_cash=np.zeros(3, bool),
        portfolios=3,
    )
    # What one of several wants is not known: neither is what all of them do.
    np.testing.assert_allclose(found, [[25, 50], [130, np.nan], [0, 0]])

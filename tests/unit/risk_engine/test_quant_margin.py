"""Maintenance margin: the rule's rates, by hand."""

import numpy as np
import pytest

from risk_engine.quant.margin import maintenance_margin


def margin(value, notional=0.0, strike=0.0, **marks):
    """Return the margin of one position in one scenario."""
    one = maintenance_margin(
        np.zeros(1, int),
        np.array([[value]]),
        np.array([[notional]]),
        np.array([strike]),
        is_short=np.array([value < 0]),
        **{
            name: np.array([marks.get(name, False)])
            for name in ("is_call", "is_option", "is_private", "is_cash")
        },
        portfolios=1,
    )
    return one[0, 0]


def test_the_rates_are_those_of_the_rule():
    assert margin(1_000.0) == 250
    assert margin(-1_000.0) == 300
    assert margin(1_000.0, 9_000.0, is_option=True) == 1_000
    assert margin(-1_000.0, 9_000.0, 9_000.0, is_option=True) == 1_800
    assert margin(1_000.0, is_private=True) == 1_000
    assert margin(1_000.0, is_cash=True) == 0


def test_a_short_option_out_of_the_money_wants_less_and_never_less_than_a_tenth():
    """One contract of 100 on a share at 100, whatever it is worth itself.

    Call at 105: 20 % of 10,000 less 500 = 1,500; at 130: a tenth of 10,000, as 2,000 - 3,000 is
    less. Put at 95: 2,000 - 500 = 1,500; at 60: a tenth of 6,000. In the money nothing is added.
    """
    wanted = [
        (True, 90, 2_000.0),
        (True, 105, 1_500.0),
        (True, 110, 1_000.0),
        (True, 130, 1_000.0),
        (False, 110, 2_000.0),
        (False, 95, 1_500.0),
        (False, 88, 880.0),
        (False, 60, 600.0),
    ]
    for is_call, strike, margin_of_it in wanted:
        told = margin(-50.0, 10_000.0, 100.0 * strike, is_option=True, is_call=is_call)
        assert told == pytest.approx(margin_of_it, rel=1e-12)


def test_portfolios_and_scenarios_are_apart():
    found = maintenance_margin(
        np.array([0, 1, 1]),
        np.array([[100.0, 200.0], [-100.0, np.nan], [400.0, 400.0]]),
        np.zeros((3, 2)),
        np.zeros(3),
        is_call=np.zeros(3, bool),
        is_short=np.array([False, True, False]),
        is_option=np.zeros(3, bool),
        is_private=np.zeros(3, bool),
        is_cash=np.zeros(3, bool),
        portfolios=3,
    )
    # What one of several wants is not known: neither is what all of them do.
    np.testing.assert_allclose(found, [[25, 50], [130, np.nan], [0, 0]])

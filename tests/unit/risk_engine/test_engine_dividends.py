"""Declared dividends in options: what they take out of the spot, and where the yield begins."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from common import calendar
from risk_engine.domain import Dividend
from risk_engine.engine.digests import digests_of
from risk_engine.engine.option_inputs import BORROW_COST
from risk_engine.engine.underlyings import underlyings_of
from risk_engine.quant.pricing import dividend_value
from tests.unit.risk_engine.books import AS_OF, book
from tests.unit.risk_engine.contracts import CALL, EXPIRY, holding, one, quoted, small


def declared(*dividends, yields=None, quotes=None):
    """Return snapshots that tell of dividends on XYZ, each by ex-date and amount."""
    said = quoted({CALL: (6.0, 6.2)} if quotes is None else quotes, yields or {})
    return replace(said, dividends={"XYZ": tuple(Dividend(*one) for one in dividends)})


def test_a_declared_dividend_leaves_the_spot_and_the_yield_begins_after_it():
    """By hand: the opening of the ex-date is 6.5 hours before its close."""
    ex_date = AS_OF + timedelta(days=14)
    assert calendar.is_session(ex_date)
    said = declared((ex_date, 1.5), yields={"XYZ": 0.012})
    found = one(small(snapshots=said), holding(1, CALL))
    ahead = (calendar.close_of(ex_date) - calendar.close_of(AS_OF)) / timedelta(days=365)
    ahead -= 6.5 / 24 / 365
    assert found.terms.ex_years[0] == pytest.approx(ahead)
    assert found.terms.dividend[0] == pytest.approx(1.5)
    left = found.terms.years[0] - ahead
    assert found.terms.dividend_yield[0] == pytest.approx(
        0.012 * left / found.terms.years[0] + BORROW_COST
    )
    assert found.terms.spot[0] == 100  # what exposures are of
    assert found.dividend_source == ("scheduled",)
    assert "no_dividend_yield" not in found.flags[0]
    # The quote is met by the model with the dividend, and not without: its volatility is higher.
    assert found.greeks.price[0] == pytest.approx(6.1)
    plain = one(small(snapshots=declared(yields={"XYZ": 0.012})), holding(1, CALL))
    assert plain.dividend_source == ("vendor",)
    assert found.terms.volatility[0] > plain.terms.volatility[0] + 0.01


def test_several_declared_dividends_are_worth_what_each_is():
    """Hull, ch. 15.12: the sum of what each is worth now, at 5 %; beyond the expiry none is."""
    days = (14, 105, 700)
    dates = [calendar.sessions(AS_OF, AS_OF + timedelta(days=one))[-1] for one in days]
    found = one(
        small(snapshots=declared(*((day, 0.5) for day in dates), yields={"XYZ": 0.012})),
        holding(1, CALL),
    )
    assert dates[1] < EXPIRY < dates[2]
    moments = [
        (calendar.close_of(day) - calendar.close_of(AS_OF)) / timedelta(days=365) - 6.5 / 24 / 365
        for day in dates[:2]
    ]
    worth = sum(0.5 * np.exp(-0.05 * moment) for moment in moments)
    assert dividend_value(found.terms)[0] == pytest.approx(worth, rel=1e-10)
    # One is declared beyond the expiry: until then all is said, and no yield is added.
    assert found.terms.dividend_yield[0] == pytest.approx(BORROW_COST)


def test_a_dividend_of_today_is_in_the_price_and_one_after_the_expiry_in_none():
    today = one(small(snapshots=declared((AS_OF, 1.0), yields={"XYZ": 0.012})), holding(1, CALL))
    nothing = one(small(snapshots=declared(yields={"XYZ": 0.012})), holding(1, CALL))
    assert today.dividend_source == nothing.dividend_source == ("vendor",)
    assert today.terms.volatility[0] == nothing.terms.volatility[0]
    late = [
        one(small(snapshots=declared((EXPIRY + timedelta(days=1), size))), holding(1, CALL))
        for size in (0.5, 5.0)
    ]
    assert late[0].terms.volatility[0] == late[1].terms.volatility[0]
    assert dividend_value(late[0].terms)[0] == 0
    assert late[0].dividend_source == ("scheduled",)
    assert late[0].flags == (("default_borrow_cost",),)


def test_after_a_dividend_of_something_without_a_yield_it_says_so():
    said = declared((AS_OF + timedelta(days=14), 0.5))
    known = one(small(snapshots=said), holding(1, CALL))
    unknown = one(small(closes={"ABC": [1.0] * 8}, snapshots=said), holding(1, CALL))
    assert known.dividend_source == unknown.dividend_source == ("scheduled",)
    assert "no_dividend_yield" not in known.flags[0]
    assert "no_dividend_yield" in unknown.flags[0]


def test_a_declared_dividend_changes_the_input_hash():
    def named(*dividends):
        everything = small(snapshots=declared(*dividends, yields={"XYZ": 0.01}))
        return digests_of(everything, underlyings_of([book([holding(1, CALL)])], everything))

    ex_date = AS_OF + timedelta(days=14)
    first, second = named((ex_date, 0.5)), named((ex_date, 0.6))
    assert first.underlyings != second.underlyings
    assert first.underlyings == named((ex_date, 0.5)).underlyings

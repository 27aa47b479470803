"""An account's returns, stored and calculated, are measured as a textbook would."""

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import empyrical
import numpy as np
import pandas as pd
import pytest

from common import calendar
from risk_engine.domain import History, Market, Rates, Snapshots
from risk_engine.engine.frame import lay_out_chunk
from risk_engine.engine.performance import performance_of, returns_of
from risk_engine.engine.registry import ENGINES_BY_NAME
from risk_engine.engine.results import EngineResult
from risk_engine.engine.snapshots import snapshots_of
from risk_engine.schemas.base import plain
from risk_engine.schemas.performance import PerformanceOut
from tests.unit.risk_engine.books import NAN, book, market, position

SESSIONS = tuple(calendar.sessions(date(2025, 6, 2), date(2025, 12, 31)))
CHANCE = np.random.default_rng(5)


def path(start, volatility):
    return start * np.exp(np.cumsum(CHANCE.normal(0.0003, volatility, len(SESSIONS))))


CLOSES = {"AAA": path(60, 0.02), "SPY": path(500, 0.01)}
PRICES = market(CLOSES, sessions=SESSIONS, dividends={("SPY", SESSIONS[60]): 2.0})
CURVE = Rates(SESSIONS, np.array([1 / 12, 1.0]), np.full((len(SESSIONS), 2), 0.045))
BOOK = book((position(1, "AAA", "1000", "50"),), opening_session=SESSIONS[0])


def framed(a_book=BOOK, history=None, rates=CURVE, prices=PRICES):
    everything = Market(prices, prices, Snapshots.silent(), {}, rates, None)
    return lay_out_chunk([a_book], everything, {}, [history or History.none()])


def measured(**more):
    (found,) = performance_of(framed(**more))
    return SimpleNamespace(**found)


def test_the_account_is_measured_on_its_daily_returns():
    # 100,000 at the opening, of which 1,000 shares; cash earns nothing.
    close = CLOSES["AAA"]
    nav = 100_000 + 1_000 * (close - close[0])
    returns = nav[1:] / nav[:-1] - 1
    found = measured()
    assert (found.status, found.sessions) == ("ok", len(SESSIONS) - 1)
    assert found.cumulative_return == pytest.approx(nav[-1] / nav[0] - 1, rel=1e-12)
    assert found.annual_return == pytest.approx(empyrical.annual_return(pd.Series(returns)))
    assert found.annual_volatility == pytest.approx(empyrical.annual_volatility(returns))
    assert found.max_drawdown == pytest.approx(empyrical.max_drawdown(pd.Series(returns)))
    days = np.diff([session.toordinal() for session in SESSIONS])
    rate = pd.Series(np.expm1(0.045 * days / 365))
    assert found.sharpe_ratio == pytest.approx(empyrical.sharpe_ratio(pd.Series(returns), rate))
    assert (found.risk_free_rate, found.risk_free_source) == (0.045, "curve")
    spy = (CLOSES["SPY"][1:] + 2.0 * (np.arange(1, len(SESSIONS)) == 60)) / CLOSES["SPY"][:-1] - 1
    assert found.tracking_error == pytest.approx(empyrical.annual_volatility(returns - spy))
    assert found.up_capture == pytest.approx(
        empyrical.up_capture(pd.Series(returns), pd.Series(spy))
    )
    years = (SESSIONS[-1] - SESSIONS[0]).days / 365
    expected = (nav[-1] / nav[0]) ** (1 / years) - 1
    assert found.money_weighted_return == pytest.approx(expected, rel=1e-9)


def test_a_fall_has_its_dates():
    low = int(np.argmin(CLOSES["AAA"] / np.maximum.accumulate(CLOSES["AAA"])))
    found = measured(
        a_book=book(
            (position(1, "AAA", "1", "50"),), str(CLOSES["AAA"][0]), opening_session=SESSIONS[0]
        )
    )
    high = int(np.argmax(CLOSES["AAA"][: low + 1]))
    assert found.drawdown_trough == SESSIONS[low].isoformat()
    assert found.drawdown_peak == SESSIONS[high].isoformat()
    assert found.drawdown_sessions >= low - high


@pytest.mark.parametrize("missing", [1, 40])
def test_stored_returns_are_those_of_a_history_calculated_at_once(missing):
    # With one missing, the session before is calculated too: to be compared with, not anew.
    whole = framed()
    rows = snapshots_of(whole)[0][:-missing]
    history = History(
        tuple(one.session for one in rows),
        np.array([one.net_asset_value for one in rows]),
        np.array([NAN if one.daily_return is None else one.daily_return for one in rows]),
    )
    continued = framed(history=history)
    np.testing.assert_array_equal(returns_of(continued), returns_of(whole))
    assert len(snapshots_of(continued)[0]) == missing


def test_a_young_account_has_a_return_and_nothing_else():
    young = replace(BOOK, opening_session=SESSIONS[-60])
    found = measured(a_book=young)
    assert (found.status, found.sessions) == ("insufficient", 59)
    assert found.cumulative_return is not None
    for name in ("max_drawdown", "money_weighted_return", "drawdown_peak", "drawdown_sessions"):
        assert getattr(found, name) is None
    assert np.isnan([found.annual_return, found.sharpe_ratio, found.tracking_error]).all()
    opened_today = measured(a_book=replace(BOOK, opening_session=SESSIONS[-1]))
    assert (opened_today.sessions, opened_today.cumulative_return) == (0, None)


def test_without_a_curve_four_percent_are_taken_and_said():
    found = measured(rates=Rates.unknown())
    assert (found.risk_free_rate, found.risk_free_source) == (0.04, "default")
    late = Rates(SESSIONS[10:], CURVE.years, CURVE.zero[10:])
    assert measured(rates=late).risk_free_source == "curve_and_default"


def test_without_a_benchmark_nothing_is_compared():
    found = measured(prices=market({"AAA": CLOSES["AAA"]}, sessions=SESSIONS))
    assert (found.benchmark_sessions, found.sessions) == (0, len(SESSIONS) - 1)
    assert np.isnan(found.tracking_error)


@pytest.mark.parametrize("opening", [SESSIONS[0], SESSIONS[-5], SESSIONS[-1]])
def test_the_valuation_shows_it(opening):
    (answer,) = ENGINES_BY_NAME["valuation"](framed(replace(BOOK, opening_session=opening)))
    assert isinstance(answer, EngineResult)
    shown = PerformanceOut.model_validate(plain(answer.payload["performance"]))
    assert shown.benchmark == "SPY"
    assert (shown.annual_return is None) == (opening != SESSIONS[0])


def test_an_account_that_lost_more_than_everything_has_no_index_and_says_why():
    # Short 1,000 at 60 with 100,000: at 300 it is worth less than nothing, and at 60 all again.
    closes = np.full(len(SESSIONS), 60.0)
    closes[80:90] = 300.0
    found = measured(
        a_book=book((position(1, "AAA", "-1000", "50"),), opening_session=SESSIONS[0]),
        prices=market({**CLOSES, "AAA": closes}, sessions=SESSIONS),
    )
    assert (found.status, found.reason) == ("partial", "lost_more_than_everything")
    for name in ("cumulative_return", "annual_return", "max_drawdown", "calmar_ratio"):
        value = getattr(found, name)
        assert value is None or np.isnan(value), name
    assert found.annual_volatility > 1
    assert found.money_weighted_return == pytest.approx(0)

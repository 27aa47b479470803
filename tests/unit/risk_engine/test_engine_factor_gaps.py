"""A factor's return that is not known silences no other number, and is no zero."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from risk_engine.engine.factor_panel import factor_panel
from risk_engine.engine.histories import factor_returns
from risk_engine.engine.market_risk import METHODS
from risk_engine.engine.risk_components import SPECIFIC
from risk_engine.engine.risk_scenarios import held_in, scenarios_of
from risk_engine.engine.simulated_risk import simulate
from risk_engine.quant.factors import FACTORS
from tests.support.simulated import simulated_market
from tests.unit.risk_engine.at_risk import (
    HISTORICAL,
    MONTE_CARLO,
    SHARES,
    SYMBOLS,
    book,
    codes,
    frame_of,
    result,
    value_at_risk,
)
from tests.unit.risk_engine.books import private
from tests.unit.risk_engine.factored import without

PARAMETRIC, STUDENT, CORNISH_FISHER = (
    METHODS.index(one) for one in ("parametric_normal", "parametric_student_t", "cornish_fisher")
)
MIXED = [*SHARES, private(9, "FUND", "300000")]
MARKET, RATES, LOWVOL = (FACTORS.index(one) for one in ("MKT", "RATES", "LOWVOL"))


@pytest.fixture(scope="module")
def market():
    """A market of six symbols."""
    return simulated_market(SYMBOLS)


def without_curves(market, *sessions):
    """The market whose provider has no curve of some sessions."""
    rates = market.rates
    keep = [row for row, session in enumerate(rates.sessions) if session not in sessions]
    return replace(
        market,
        rates=replace(
            rates, sessions=tuple(rates.sessions[row] for row in keep), zero=rates.zero[keep]
        ),
    )


def without_close(market, symbol, row, table="reference"):
    """The market that lacks one close, in the row so many from the last."""
    prices = getattr(market, table)
    close = prices.close.copy()
    close[-row, prices.columns[symbol]] = np.nan
    return replace(market, **{table: replace(prices, close=close)})


def bond_holidays(market):
    """The sessions of the NYSE on which the bond market rests: Columbus and Veterans Day."""
    years = {session.year for session in market.reference.sessions}
    octobers = (date(year, 10, 1) for year in years)
    columbus = {first + timedelta((7 - first.weekday()) % 7 + 7) for first in octobers}
    veterans = {date(year, 11, 11) for year in years}
    return (columbus | veterans) & set(market.reference.sessions)


def test_days_on_which_bonds_rest_silence_nothing(market):
    resting = bond_holidays(market)
    assert len(resting) > 15
    whole, told = (result(one, *MIXED) for one in (market, without_curves(market, *resting)))
    assert (whole.status, told.status) == ("ok", "ok")
    assert told.payload["quality"]["of_gross_value"]["unmodelled"] == 0
    assert "factors_expected" not in codes(told)
    np.testing.assert_allclose(
        told.payload["measures"]["value_at_risk"],
        whole.payload["measures"]["value_at_risk"],
        rtol=0.01,
    )


def test_what_yields_moved_by_while_bonds_rested_is_seen_when_they_open(market):
    (session,) = (day for day in bond_holidays(market) if day == date(2025, 10, 13))
    whole, told = factor_panel(market), factor_panel(without_curves(market, session))
    row = whole.sessions.index(session)
    assert told.returns[row, RATES] == 0
    both = whole.returns[row : row + 2, RATES].sum()
    assert told.returns[row + 1, RATES] == pytest.approx(both, abs=1e-15)
    assert told.slope_change[row + 1] == pytest.approx(
        whole.slope_change[row : row + 2].sum(), abs=1e-15
    )


def test_a_curve_that_is_late_is_not_taken_for_one_that_stood_still(market):
    late = without_curves(market, market.rates.sessions[-1])
    assert np.isnan(factor_panel(late).returns[-1, RATES])
    answer, whole = result(late, *MIXED), result(market, *MIXED)
    assert answer.status == "ok"
    assert answer.payload["quality"]["of_gross_value"]["unmodelled"] == 0
    assert "factors_expected" in codes(answer)
    np.testing.assert_allclose(
        answer.payload["measures"]["value_at_risk"],
        whole.payload["measures"]["value_at_risk"],
        rtol=0.02,
    )


def test_a_fund_s_missing_close_makes_its_factor_what_the_others_say(market):
    lacking = without_close(market, "USMV", 100)
    model = frame_of(lacking, book(SHARES)).factor_model
    known, told = model.recent[1:], factor_returns(model)
    rows = np.flatnonzero(np.isnan(known).any(axis=1))
    assert rows.tolist() == [len(known) - 100, len(known) - 99]
    others = np.array([one for one in range(len(FACTORS)) if one != LOWVOL])
    slopes = np.linalg.lstsq(
        model.covariance[np.ix_(others, others)], model.covariance[others, LOWVOL], rcond=None
    )[0]
    np.testing.assert_allclose(told[rows, LOWVOL], known[np.ix_(rows, others)] @ slopes, rtol=1e-3)
    assert (told[rows, LOWVOL] != 0).all()
    told[rows, LOWVOL] = np.nan
    np.testing.assert_array_equal(told, known)

    answer, whole = result(lacking, *MIXED), result(market, *MIXED)
    assert answer.payload["quality"]["of_gross_value"]["unmodelled"] == 0
    assert "factors_expected" in codes(answer)
    assert "factors_expected" not in codes(result(lacking, *SHARES))
    np.testing.assert_allclose(
        value_at_risk(answer, HISTORICAL), value_at_risk(whole, HISTORICAL), rtol=0.01
    )


def test_before_the_market_is_known_nothing_is_told(market):
    reference = market.reference
    close = reference.close.copy()
    close[: len(close) - 300, reference.columns["SPY"]] = np.nan
    later = replace(market, reference=replace(reference, close=close))
    told = factor_returns(frame_of(later, book(SHARES)).factor_model)
    assert np.isnan(told[:-299]).any(axis=1).all()
    assert np.isfinite(told[-100:, MARKET]).all()


def test_a_share_s_gap_in_a_session_without_a_curve_is_told(market):
    session = market.prices.sessions[300]
    lacking = without_close(market, "AAPL", len(market.prices.sessions) - 300, "prices")
    answer = result(without_curves(lacking, session), SHARES[0])
    assert answer.status == "ok"
    assert np.isfinite(answer.payload["measures"]["value_at_risk"]).all()


@pytest.mark.parametrize("fund", ["MTUM", "HYG", "USMV"])
def test_a_factor_that_is_missing_costs_no_other_number(market, fund):
    lacking = replace(market, reference=without(market.reference, fund))
    answer, whole = result(lacking, *MIXED), result(market, *MIXED)
    risk = answer.payload["measures"]["value_at_risk"]
    assert np.isfinite(risk).all()
    assert answer.status == "partial"
    assert "factors_missing" in codes(answer)
    for method in (PARAMETRIC, STUDENT, CORNISH_FISHER, MONTE_CARLO):
        np.testing.assert_allclose(
            value_at_risk(answer, method), value_at_risk(whole, method), rtol=0.03
        )
    rows = answer.payload["components"]["factors"]["table"]
    lost = {
        name
        for name, one in zip(rows["factor"], rows["exposure"], strict=True)
        if np.isnan(one) and name != SPECIFIC
    }
    assert len(lost) == 1
    assert np.nansum(rows["value_at_risk"]) == pytest.approx(risk[0, 0, -1], rel=1e-9)
    assert np.nansum(rows["normal_value_at_risk"]) == pytest.approx(
        risk[0, PARAMETRIC, -1], rel=1e-9
    )


def test_monte_carlo_without_proxies_asks_nothing_of_these(market):
    frame = frame_of(market, book(MIXED))
    scenarios = scenarios_of(frame)
    held, model = held_in(frame, scenarios), frame.factor_model
    unknown = np.where(model.proxied, np.nan, model.specific_variance)
    less = replace(frame, factor_model=replace(model, specific_variance=unknown))
    known, lacking = simulate(frame, scenarios, held), simulate(less, scenarios, held)
    assert np.isnan(lacking.whole.value_at_risk).all()
    np.testing.assert_array_equal(lacking.observed.value_at_risk, known.observed.value_at_risk)

"""Splits and dividends: the price moves by what is paid, and nobody gains or loses by a split."""

from datetime import date

import numpy as np
import pytest

from simulator.factors import EPOCH, SESSIONS_PER_YEAR
from simulator.facts import total_returns
from simulator.market import ANCHOR, Market
from simulator.roster import load_roster
from simulator.universe import load_universe

END = date(2026, 11, 20)
UNIVERSE = load_universe()
STOCKS = [s for s, known in UNIVERSE.securities.items() if known.profile.kind == "stock"]


@pytest.fixture(scope="module")
def bars():
    return Market().bars(STOCKS[:2_000], EPOCH, END)


def test_total_returns_are_those_of_the_model(bars):
    """Factors and own noise alone decide them: put together by hand for one stock."""
    market = Market()
    symbol = "XOM"
    scene, roster = market.scene(END), load_roster()
    row = roster.row[symbol]
    own_share = total_returns(market.bars([symbol], EPOCH, END))[:, 0]
    count = len(own_share) + 1
    common = roster.loadings[row] @ scene.returns[:, 1:count] + roster.drift[row]
    residual = np.log1p(own_share) - common
    # What is left is the stock's own: unrelated to any factor, as volatile as it should be.
    for returns in scene.returns[:, 1:count]:
        if returns.std() > 0:
            assert abs(np.corrcoef(residual, returns)[0, 1]) < 0.08
    truth = UNIVERSE.securities[symbol].own_volatility
    assert residual.std() * np.sqrt(SESSIONS_PER_YEAR) == pytest.approx(truth, rel=0.3)


def test_a_split_changes_the_number_of_shares_and_not_the_return(bars):
    sessions, columns = np.nonzero(bars.split_ratio != 1)
    assert len(sessions) > 300
    returns = total_returns(bars)
    at_splits = returns[sessions - 1, columns]
    assert np.nanmax(np.abs(at_splits)) < 0.6
    raw = bars.close[sessions, columns] / bars.close[sessions - 1, columns]
    ratio = bars.split_ratio[sessions, columns]
    assert np.allclose(np.log(raw * ratio), np.log1p(at_splits), atol=0.02)


def test_splits_bring_dear_shares_down_and_cheap_ones_up(bars):
    sessions, columns = np.nonzero(bars.split_ratio != 1)
    later = sessions > bars.sessions.index(ANCHOR)
    before, ratio = bars.close[sessions - 1, columns], bars.split_ratio[sessions, columns]
    assert np.all(before[later & (ratio > 1)] > 200)
    assert np.all(before[later & (ratio < 1)] < 3)
    assert set(ratio[~later]) <= {2, 3, 4, 0.1}


def test_prices_stay_where_shares_are_traded_at_all_times(bars):
    """Before the anchor, too, where splits are found by walking back. Real names never split."""
    made_up = np.array([symbol not in UNIVERSE.known for symbol in bars.symbols])
    years = np.array([session.year for session in bars.sessions])
    for year in range(2015, 2027):
        prices = bars.close[years == year][:, made_up]
        prices = prices[np.isfinite(prices)]
        assert np.mean(prices > 1_000) < 0.003, year
        assert np.mean(prices < 1) < 0.005, year
        assert 15 < np.median(prices) < 100, year
        assert prices.max() < 5_000, year


def test_dividends_pay_the_yield_in_as_many_instalments_as_the_facts_say(bars):
    for symbol in ("JNJ", "KO", "XOM", "VZ"):
        column, facts = bars.symbols.index(symbol), UNIVERSE.securities[symbol]
        paid = bars.dividend[:, column] > 0
        years = len(bars.sessions) / SESSIONS_PER_YEAR
        assert paid.sum() / years == pytest.approx(2 * facts.payments, abs=0.3)
        of_price = bars.dividend[1:, column] / bars.close[:-1, column]
        assert np.nansum(of_price) / years == pytest.approx(facts.dividend_yield, rel=0.1)


def test_shares_open_lower_by_what_is_paid(bars):
    """On days with a dividend, a dollar more of it is a dollar less at the opening."""
    paying = (bars.dividend[1:] > 0) & bars.traded[1:] & bars.traded[:-1]
    before = bars.close[:-1][paying]
    paid, gap = bars.dividend[1:][paying] / before, bars.open[1:][paying] / before - 1
    slope, _ = np.polyfit(paid, gap, 1)
    assert slope == pytest.approx(-1, abs=0.1)


def test_who_pays_nothing_pays_nothing(bars):
    silent = [UNIVERSE.securities[s].dividend_yield == 0 for s in bars.symbols]
    assert not bars.dividend[:, silent].any()


def test_a_bond_fund_pays_twelve_times_a_year():
    fund = Market().bars(["TLT"], date(2024, 1, 1), date(2025, 12, 31))
    paid = np.flatnonzero(fund.dividend[:, 0])
    assert len(paid) == pytest.approx(24, abs=1)
    assert 15 < np.diff(paid).min() < np.diff(paid).max() < 26


def test_nothing_is_split_or_paid_before_the_first_opening(bars):
    first = bars.traded & (bars.traded.cumsum(axis=0) == 1)
    assert first.sum() == bars.traded.any(axis=0).sum()
    assert not bars.dividend[first].any()
    assert np.all(bars.split_ratio[first] == 1)
    # It happens to some a session later, so it would happen on it as well.
    later = np.roll(first, 1, axis=0) & bars.traded
    assert bars.dividend[later].any()


def test_nothing_is_split_and_paid_on_one_day(bars):
    assert not ((bars.split_ratio != 1) & (bars.dividend > 0)).any()


def test_companies_report_four_times_a_year_and_gap_when_they_do(bars):
    """Of all days, the wildest openings come four times a year, a quarter apart."""
    gaps = np.log(bars.open[1:] * bars.split_ratio[1:] / bars.close[:-1])
    for column in range(0, 400, 40):
        gap = np.abs(np.nan_to_num(gaps[:, column]))
        wildest = np.sort(np.argsort(gap)[-30:])
        weekdays = np.busday_count(EPOCH, np.array(bars.sessions, "datetime64[D]"))[1:][wildest]
        place = weekdays % 65
        assert max(np.bincount(place, minlength=66)) >= 6

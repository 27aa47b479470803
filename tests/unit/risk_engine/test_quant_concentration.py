"""Concentration and sectors: cases by hand, loops as an oracle, and what holds for any book."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_engine.quant.concentration import TOP, concentration, gross_shares, rank_by_size
from risk_engine.quant.exposure import net_by_pair, pair_up
from risk_engine.quant.sectors import active_weights, sector_exposures

NAN = float("nan")


def of_one(*exposures):
    """Return the concentration of one account."""
    return concentration(np.zeros(len(exposures), dtype=np.int64), np.array(exposures, float), 1)


def test_ten_equal_names_are_ten():
    found = of_one(*[7.0] * 10)
    assert found.herfindahl[0] == pytest.approx(0.1, rel=1e-14)
    assert found.effective_number[0] == pytest.approx(10, rel=1e-14)
    assert found.top[0] == pytest.approx([0.1, 0.3, 0.5, 1.0])
    assert found.names.tolist() == [10]


def test_a_short_counts_like_a_long():
    """Shares .5, .3, .2 of 100: HHI .25 + .09 + .04 = .38, so 1 / .38 = 2.6316 names."""
    found = of_one(50.0, -30.0, 20.0)
    assert found.herfindahl[0] == pytest.approx(0.38)
    assert found.effective_number[0] == pytest.approx(1 / 0.38)
    assert found.top[0] == pytest.approx([0.5, 1.0, 1.0, 1.0])


def test_two_lots_are_one_name():
    """30 and 20 of one share beside 50 of another: two halves, not three names."""
    pairs = pair_up(np.zeros(3, dtype=np.int64), np.array([4, 9, 4]), 1)
    netted = net_by_pair(pairs, np.array([30.0, 50.0, 20.0]))
    assert concentration(pairs.account, netted, 1).effective_number[0] == pytest.approx(2)


def test_a_hedged_name_is_none():
    pairs = pair_up(np.zeros(3, dtype=np.int64), np.array([0, 0, 1]), 1)
    netted = net_by_pair(pairs, np.array([30.0, -30.0, 50.0]))
    found = concentration(pairs.account, netted, 1)
    assert (found.names.tolist(), found.herfindahl.tolist()) == ([1], [1.0])


def test_without_exposure_nothing_is_concentrated():
    found = concentration(np.array([0, 2]), np.array([0.0, NAN]), 3)
    assert np.isnan(found.herfindahl).all()
    assert np.isnan(found.effective_number).all()
    assert np.isnan(found.top).all()
    assert found.names.tolist() == [0, 0, 0]


@pytest.mark.parametrize("seed", range(20))
def test_all_accounts_at_once_are_what_sorting_makes_of_each(seed):
    chance = np.random.default_rng(seed)
    account = chance.integers(0, 9, 300)
    exposure = chance.normal(0, 1, 300) * 10.0 ** chance.integers(0, 6, 300)
    found = concentration(account, exposure, 10)
    for one in range(9):
        size = sorted(np.abs(exposure[account == one]).tolist(), reverse=True)
        share = np.array(size) / sum(size)
        assert found.herfindahl[one] == pytest.approx(np.square(share).sum(), rel=1e-12)
        expected = [share[:most].sum() for most in TOP]
        np.testing.assert_allclose(found.top[one], expected, rtol=1e-12)
    assert np.isnan(found.herfindahl[9])


@given(st.lists(st.floats(-1e9, 1e9).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=40))
def test_concentration_has_bounds_and_does_not_mind_size_sign_or_order(exposures):
    found = of_one(*exposures)
    names = len(exposures)
    assert 1 / names - 1e-12 <= found.herfindahl[0] <= 1 + 1e-12
    assert (np.diff(found.top[0]) >= -1e-12).all()
    assert found.top[0, 0] ** 2 <= found.herfindahl[0] + 1e-12
    for same in ([-x for x in exposures], [3 * x for x in exposures], exposures[::-1]):
        again = of_one(*same)
        assert again.herfindahl[0] == pytest.approx(found.herfindahl[0], rel=1e-12)
        np.testing.assert_allclose(again.top, found.top, rtol=1e-12)


def test_ranks_are_within_the_account_and_ties_stay_in_order():
    account = np.array([1, 0, 1, 0, 1])
    size = np.array([5.0, 1.0, 9.0, 1.0, 5.0])
    assert rank_by_size(account, size).tolist() == [1, 0, 0, 1, 2]


def test_a_share_of_no_exposure_is_not_known():
    shares = gross_shares(np.array([0, 0, 1, 1]), np.array([3.0, -1.0, 0.0, NAN]), 2)
    np.testing.assert_array_equal(shares, [0.75, 0.25, NAN, NAN])


# Three sectors, the last of which is no equity. A share in each of two, a fund half in both, a bond
# fund.
COMPOSITION = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
IS_EQUITY = np.array([True, True, False])
BENCHMARK = np.array([0.4, 0.6, 0.0])


def spread(*exposures, accounts=1):
    """Return the sector exposures of rows (account, underlying, dollar delta)."""
    account, underlying, delta = np.array(exposures, float).reshape(-1, 3).T
    pairs = pair_up(account.astype(np.int64), underlying.astype(np.int64), accounts)
    return sector_exposures(pairs, net_by_pair(pairs, delta), COMPOSITION)


def test_a_fund_is_looked_through_and_keeps_its_sign():
    """Long 100 of the first sector and short 60 of the fund: 30 short in either sector."""
    found = spread((0, 0, 100.0), (0, 2, -60.0), (0, 3, 40.0))
    np.testing.assert_allclose(found.long, [[100, 0, 40]])
    np.testing.assert_allclose(found.short, [[-30, -30, 0]])
    np.testing.assert_allclose(found.gross, [[130, 30, 40]])
    np.testing.assert_allclose(found.net, [[70, -30, 40]])


def test_a_put_takes_away_from_the_sector_its_owner_is_long_in():
    found = spread((0, 1, 100.0), (0, 1, -80.0))
    assert (found.long[0, 1], found.short[0, 1]) == (20.0, 0.0)


@pytest.mark.parametrize("seed", range(10))
def test_sectors_are_what_loops_make_of_them_and_add_up_to_the_exposure(seed):
    chance = np.random.default_rng(seed)
    rows = np.column_stack(
        [chance.integers(0, 5, 80), chance.integers(0, 4, 80), chance.normal(0, 1e5, 80)]
    )
    found = spread(*rows, accounts=6)
    long, short = np.zeros((6, 3)), np.zeros((6, 3))
    for account in range(6):
        for underlying in range(4):
            mine = (rows[:, 0] == account) & (rows[:, 1] == underlying)
            delta = rows[mine, 2].sum()
            for sector in range(3):
                part = delta * COMPOSITION[underlying, sector]
                (long if part > 0 else short)[account, sector] += part
    np.testing.assert_allclose(found.long, long, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(found.short, short, rtol=1e-12, atol=1e-9)
    everything = [rows[rows[:, 0] == account, 2].sum() for account in range(6)]
    np.testing.assert_allclose(found.net.sum(axis=1), everything, rtol=1e-10, atol=1e-8)


def test_the_benchmark_itself_is_nowhere_active():
    net = spread((0, 0, 200.0), (0, 1, 300.0), (0, 3, 500.0)).net
    weight, active = active_weights(net, IS_EQUITY, BENCHMARK, np.array([1_000.0]))
    np.testing.assert_allclose(weight, [[0.4, 0.6, NAN]], rtol=1e-14)
    np.testing.assert_allclose(active, [[0, 0, NAN]], atol=1e-15)


def test_weights_are_of_net_equity_exposure_whatever_the_leverage():
    """Net 300 and -100: weights 1.5 and -.5, active 1.1 and -1.1; twice the book, the same."""
    rows = ((0, 0, 300.0), (0, 1, -100.0))
    for times in (1, 2):
        net = times * spread(*rows).net
        weight, active = active_weights(net, IS_EQUITY, BENCHMARK, np.array([500.0]))
        np.testing.assert_allclose(weight[0, :2], [1.5, -0.5])
        np.testing.assert_allclose(active[0, :2], [1.1, -1.1])


@pytest.mark.parametrize(("nav", "stated"), [(999.0, True), (1_001.0, False), (-5.0, False)])
def test_active_weights_need_more_than_a_fifth_of_nav_net_long(nav, stated):
    net = spread((0, 0, 150.0), (0, 1, 50.0)).net
    weight, active = active_weights(net, IS_EQUITY, BENCHMARK, np.array([nav]))
    assert np.isfinite(weight[0, :2]).tolist() == [stated, stated]
    assert np.isfinite(active[0, :2]).tolist() == [stated, stated]


def test_a_sector_is_unknown_when_nothing_in_it_is_known():
    """The first sector has a known share beside the fund that is not; the second has the fund."""
    found = spread((0, 0, 150.0), (0, 2, np.nan), (1, 0, 10.0), accounts=2)
    assert found.gross[0, 0] == 150
    assert np.isnan([found.long[0, 1], found.short[0, 1], found.gross[0, 1]]).all()
    assert found.net[0, 2] == 0
    assert found.net[1].tolist() == [10, 0, 0]
    weight, active = active_weights(found.net, IS_EQUITY, BENCHMARK, np.full(2, 20.0))
    assert weight[0, 0] == 1
    assert np.isnan([weight[0, 1], active[0, 1]]).all()


def test_no_holdings_have_no_sectors():
    empty = np.empty(0, dtype=np.int64)
    found = sector_exposures(pair_up(empty, empty, 2), np.empty(0), COMPOSITION)
    assert found.gross.tolist() == [[0.0] * 3] * 2

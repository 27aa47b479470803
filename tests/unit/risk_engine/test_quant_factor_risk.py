"""Risk taken apart adds up: against the covariance written out, and by Euler."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.quant.factor_risk import Positions, RiskModel, decompose, net_weights


def model(underlyings=12, factors=4, seed=1):
    chance = np.random.default_rng(seed)
    root = chance.normal(0, 0.01, (factors, factors))
    return RiskModel(
        chance.normal(0, 1, (underlyings, factors)),
        root @ root.T,
        chance.uniform(0.005, 0.03, underlyings) ** 2,
    )


def positions(count=40, accounts=5, underlyings=12, seed=1):
    chance = np.random.default_rng(seed)
    return Positions(
        chance.integers(0, accounts, count),
        chance.integers(0, underlyings, count),
        chance.normal(0, 0.3, count),
    )


@pytest.mark.parametrize("seed", range(5))
def test_variance_is_that_of_the_covariance_written_out(seed):
    risk, held = model(seed=seed), positions(seed=seed)
    covariance = risk.loadings @ risk.covariance @ risk.loadings.T + np.diag(risk.specific_variance)
    found = decompose(held, risk, 5)
    for account in range(5):
        mine = held.account == account
        weights = np.bincount(held.underlying[mine], held.weight[mine], minlength=12)
        assert found.variance[account] == pytest.approx(weights @ covariance @ weights)
        np.testing.assert_allclose(found.exposures[account], weights @ risk.loadings)
        marginal = covariance @ weights / (weights @ covariance @ weights)
        np.testing.assert_allclose(
            found.position_contributions[mine],
            held.weight[mine] * marginal[held.underlying[mine]],
            atol=1e-12,
        )


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_contributions_add_up_to_one(seed):
    held = positions(seed=seed)
    found = decompose(held, model(seed=seed), 5)
    by_factor = found.factor_contributions.sum(axis=1) + found.specific_share
    by_position = np.bincount(held.account, found.position_contributions, minlength=5)
    specific = np.bincount(held.account, found.position_specific, minlength=5)
    present = np.bincount(held.account, minlength=5) > 0
    np.testing.assert_allclose(by_factor[present], 1, rtol=1e-9)
    np.testing.assert_allclose(by_position[present], 1, rtol=1e-9)
    np.testing.assert_allclose(specific[present], found.specific_share[present], rtol=1e-9)


def test_a_share_and_a_call_on_it_are_one_name():
    risk = model()
    apart = decompose(Positions(np.zeros(2, int), np.array([3, 3]), np.array([0.2, 0.1])), risk, 1)
    one = decompose(Positions(np.zeros(1, int), np.array([3]), np.array([0.3])), risk, 1)
    assert apart.specific_variance == pytest.approx(0.3**2 * risk.specific_variance[3])
    assert apart.variance == pytest.approx(one.variance)
    assert apart.position_contributions == pytest.approx([2 / 3, 1 / 3])
    assert net_weights(Positions(np.zeros(2, int), np.array([3, 3]), np.array([0.2, 0.1]))) == (
        pytest.approx([0.3, 0.3])
    )


@given(st.integers(0, 1000), st.floats(-5, 5).filter(lambda size: abs(size) > 1e-3))
def test_size_and_sign_scale_exposures_and_leave_contributions(seed, size):
    risk, held = model(seed=seed), positions(seed=seed)
    scaled = Positions(held.account, held.underlying, size * held.weight)
    before, after = decompose(held, risk, 5), decompose(scaled, risk, 5)
    np.testing.assert_allclose(after.exposures, size * before.exposures, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(after.variance, size**2 * before.variance, rtol=1e-9)
    np.testing.assert_allclose(
        after.position_contributions, before.position_contributions, rtol=1e-6, atol=1e-9
    )


@given(st.permutations(range(40)))
@settings(max_examples=15)
def test_order_and_empty_positions_change_nothing(order):
    risk, held = model(), positions()
    before = decompose(held, risk, 5)
    mixed = Positions(held.account[order], held.underlying[order], held.weight[order])
    after = decompose(mixed, risk, 5)
    np.testing.assert_allclose(after.variance, before.variance, rtol=1e-12)
    np.testing.assert_allclose(
        after.position_contributions, before.position_contributions[order], atol=1e-12
    )
    more = Positions(
        np.append(held.account, 2), np.append(held.underlying, 7), np.append(held.weight, 0.0)
    )
    np.testing.assert_allclose(decompose(more, risk, 5).variance, before.variance, rtol=1e-12)


def test_a_perfect_hedge_has_no_risk_and_no_shares_of_it():
    risk = model()
    hedged = Positions(np.zeros(2, int), np.array([3, 3]), np.array([0.5, -0.5]))
    found = decompose(hedged, risk, 1)
    assert found.variance == pytest.approx(0, abs=1e-18)
    assert np.isnan(found.factor_contributions).all()
    assert np.isnan(found.position_contributions).all()


def test_a_hedge_contributes_less_than_nothing():
    risk = RiskModel(np.ones((2, 1)), np.array([[1e-4]]), np.zeros(2))
    found = decompose(Positions(np.zeros(2, int), np.array([0, 1]), np.array([1, -0.4])), risk, 1)
    assert found.position_contributions == pytest.approx([1 / 0.6, -0.4 / 0.6])


def test_what_the_model_does_not_know_is_left_out_and_said():
    risk, held = model(), positions()
    risk.loadings[4, 1], risk.specific_variance[5] = np.nan, np.nan
    held.weight[0] = np.nan
    found = decompose(held, risk, 5)
    out = np.isin(held.underlying, [4, 5]) | np.isnan(held.weight)
    rest = decompose(held.part(~out), risk, 5)
    np.testing.assert_allclose(found.variance, rest.variance, rtol=1e-12)
    assert (np.isnan(found.position_contributions) == out).all()
    assert np.isfinite(found.position_contributions[~out]).all()


def test_an_account_without_positions_knows_nothing():
    found = decompose(positions(accounts=2), model(), 3)
    for values in (
        found.variance,
        found.specific_share,
        found.exposures,
        found.factor_contributions,
    ):
        assert np.isnan(values[2]).all()
        assert np.isfinite(values[:2]).all()


def test_no_account_depends_on_its_company():
    risk, held = model(), positions()
    mine = held.account == 3
    alone = decompose(held.part(mine), risk, 5)
    together = decompose(held, risk, 5)
    np.testing.assert_array_equal(alone.exposures[3], together.exposures[3])
    np.testing.assert_array_equal(
        alone.position_contributions, together.position_contributions[mine]
    )


def test_no_positions_are_no_trouble():
    empty = Positions(np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    assert np.isnan(decompose(empty, model(), 2).variance).all()


@pytest.mark.parametrize("lots", [(100.0, 50.0, -30.0, -120.0), (0.1, 0.2, -0.3), (1e6, -1e6)])
def test_lots_that_cancel_leave_no_risk_and_no_shares_of_it(lots):
    """Rounding leaves 1e-14 of 100; of such a variance shares would be noise over noise."""
    price = 271.8281828
    count = len(lots)
    held = Positions(np.zeros(count, int), np.full(count, 3), np.array(lots) * price)
    found = decompose(held, model(), 1)
    assert (net_weights(held) == 0).all()
    assert (found.exposures == 0).all()
    assert found.variance[0] == 0
    for shares in (found.factor_contributions, found.specific_share, found.position_contributions):
        assert np.isnan(shares).all()


def test_names_that_cancel_but_for_rounding_leave_no_shares_either():
    """Two funds of one loading and no risk of their own: 0.1 + 0.2 - 0.3 is not 0."""
    risk = RiskModel(np.ones((3, 1)), np.array([[1e-4]]), np.zeros(3))
    held = Positions(np.zeros(3, int), np.arange(3), np.array([0.1, 0.2, -0.3]))
    found = decompose(held, risk, 1)
    assert 0 < found.variance[0] < 1e-30
    assert np.isnan(found.specific_share[0])
    assert np.isnan(found.position_contributions).all()


def test_a_small_rest_of_a_hedge_is_still_taken_apart():
    held = Positions(np.zeros(2, int), np.array([3, 3]), np.array([1.0, -1.0 + 1e-6]))
    found = decompose(held, model(), 1)
    assert found.variance[0] > 0
    assert found.position_contributions.sum() == pytest.approx(1, rel=1e-6)

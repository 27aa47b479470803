"""Stressed portfolios: sums and splits against plain loops, and what always holds of them."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.quant.stress_attribution import (
    GREEKS,
    NO_CONTRACT,
    Positions,
    known_share,
    portfolio_profit,
    position_profit,
    profit_by_factor,
    profit_by_greek,
    residual_deviation,
)
from risk_engine.quant.stressed_options import option_moves
from tests.unit.risk_engine.stressed import (
    AXIS,
    FACTORS,
    PORTFOLIOS,
    Stressed,
    contracts,
    pricer,
)


def profit(stressed, positions=None):
    """Return the positions' profits."""
    held = stressed.positions if positions is None else positions
    return position_profit(held, stressed.moves.returns, stressed.option_moves.change)


def totals(stressed, positions=None, portfolios=PORTFOLIOS):
    """Return the portfolios' profits, by factor and by Greek too."""
    held = stressed.positions if positions is None else positions
    moves, options = stressed.moves, stressed.option_moves
    return (
        portfolio_profit(held, profit(stressed, held), portfolios),
        profit_by_factor(held, moves, options, AXIS.rates, portfolios),
        profit_by_greek(held, moves, options, portfolios),
    )


@pytest.mark.parametrize("seed", range(3))
def test_profits_are_those_of_a_loop_over_positions(seed):
    stressed = Stressed(seed)
    held, found = stressed.positions, profit(stressed)
    whole = np.zeros((PORTFOLIOS, found.shape[1]))
    for row in range(len(held)):
        if held.contract[row] == NO_CONTRACT:
            one = held.units[row] * stressed.moves.returns[held.underlying[row]]
        else:
            one = held.units[row] * stressed.option_moves.change[held.contract[row]]
        np.testing.assert_array_equal(found[row], one)
        whole[held.portfolio[row]] += one
    np.testing.assert_array_equal(totals(stressed)[0], whole)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_factors_and_greeks_each_add_up_to_the_profit(seed):
    stressed = Stressed(seed)
    whole, by_factor, by_greek = totals(stressed)
    scale = portfolio_profit(stressed.positions, np.abs(profit(stressed)), PORTFOLIOS) + 1
    assert by_factor.shape[-1] == FACTORS + 1
    assert (np.abs(by_factor.sum(axis=-1) - whole) < 1e-11 * scale).all()
    assert by_greek.shape[-1] == len(GREEKS)
    assert (np.abs(by_greek.sum(axis=-1) - whole) < 1e-11 * scale).all()


def test_a_share_alone_is_split_as_its_log_return_is():
    stressed = Stressed(11)
    share = Positions(np.zeros(1, int), np.array([0]), np.array([NO_CONTRACT]), np.array([1e6]))
    whole, by_factor, by_greek = totals(stressed, share, 1)
    parts = stressed.moves.parts[0]
    moved = parts.sum(axis=-1) != 0
    expected = 1e6 * np.expm1(parts.sum(axis=-1, keepdims=True)) * parts
    expected[moved] /= parts[moved].sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(by_factor[0, :, :FACTORS], expected, rtol=1e-12, atol=1e-9)
    assert (by_factor[0, :, -1] == 0).all()
    np.testing.assert_array_equal(by_greek[0, :, 0], whole[0])
    assert (by_greek[0, :, 1:] == 0).all()


def test_what_depends_on_a_future_on_volatility_is_volatility_s():
    stressed = Stressed(12)
    stressed.contracts.underlying[:] = 11
    again = replace(stressed.contracts, keeps_volatility=np.ones(len(stressed.contracts), bool))
    stressed.option_moves = option_moves(
        again, stressed.moves, stressed.volatility, np.zeros(9), stressed.revalue
    )
    held = Positions(
        np.zeros(2, int), np.array([11, 11]), np.array([NO_CONTRACT, 3]), np.array([1e5, 2e3])
    )
    whole, by_factor, _ = totals(stressed, held, 1)
    np.testing.assert_allclose(by_factor[0, :, -1], whole[0], rtol=1e-12)
    np.testing.assert_allclose(by_factor[0, :, :-1], 0, atol=1e-9)


def test_rho_is_the_yield_s_and_vega_is_volatility_s():
    """An option whose underlying stands still: all of its change is discounting and volatility."""
    stressed = Stressed(13)
    stressed.moves.parts[:] = 0
    stressed.moves.returns[:] = 0
    stressed.option_moves = option_moves(
        stressed.contracts,
        stressed.moves,
        stressed.volatility,
        stressed.yield_move,
        stressed.revalue,
    )
    _, by_factor, _ = totals(stressed)
    others = np.delete(by_factor[..., :-1], AXIS.rates, axis=-1)
    assert (others == 0).all()
    option = stressed.positions.contract != NO_CONTRACT
    rate = (
        stressed.positions.units[option, None]
        * (stressed.option_moves.rate[stressed.positions.contract[option]])
    )
    assert by_factor[..., AXIS.rates].sum() == pytest.approx(rate.sum(), rel=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_turning_every_position_round_turns_every_profit_round(seed):
    stressed = Stressed(seed)
    turned = replace(stressed.positions, units=-stressed.positions.units)
    for there, back in zip(totals(stressed), totals(stressed, turned), strict=True):
        np.testing.assert_array_equal(there, -back)


@given(st.integers(0, 10_000), st.floats(0.01, 100))
@settings(max_examples=15, deadline=None)
def test_profits_scale_with_the_positions(seed, scale):
    stressed = Stressed(seed)
    scaled = replace(stressed.positions, units=scale * stressed.positions.units)
    for once, more in zip(totals(stressed), totals(stressed, scaled), strict=True):
        np.testing.assert_allclose(more, scale * once, rtol=1e-9, atol=1e-6 * scale)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_neither_order_nor_company_matters(seed):
    stressed = Stressed(seed)
    held = stressed.positions
    order = np.random.default_rng(seed).permutation(len(held))
    shuffled = Positions(*(getattr(held, field.name)[order] for field in fields(held)))
    alone = held.portfolio == held.portfolio[0]
    one = Positions(*(getattr(held, field.name)[alone] for field in fields(held)))
    one = replace(one, portfolio=np.zeros(len(one), int))
    for whole, mixed, single in zip(
        totals(stressed), totals(stressed, shuffled), totals(stressed, one, 1), strict=True
    ):
        np.testing.assert_allclose(mixed, whole, rtol=1e-9, atol=1e-6)
        np.testing.assert_array_equal(single[0], whole[held.portfolio[0]])


def test_a_split_of_two_for_one_changes_nothing():
    """Twice the options on half the spot and strike."""
    stressed = Stressed(14)
    halved = replace(
        stressed.options, spot=stressed.options.spot / 2, strike=stressed.options.strike / 2
    )
    split = contracts(halved, stressed.contracts.underlying)
    option = stressed.positions.contract != NO_CONTRACT
    doubled = replace(
        stressed.positions, units=np.where(option, 2.0, 1.0) * stressed.positions.units
    )
    before = totals(stressed)
    stressed.option_moves = option_moves(
        split, stressed.moves, stressed.volatility, stressed.yield_move, pricer(halved)
    )
    for old, new in zip(before, totals(stressed, doubled), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-9, atol=1e-6)


def test_what_is_not_known_is_left_out_of_sums_and_splits_alike():
    stressed = Stressed(15)
    held = stressed.positions
    linear = np.flatnonzero(held.contract == NO_CONTRACT)[0]
    stressed.moves.returns[held.underlying[linear]] = np.nan
    stressed.moves.slope[held.underlying[linear]] = np.nan
    optional = held.contract[np.flatnonzero(held.contract != NO_CONTRACT)[0]]
    for field in fields(stressed.option_moves):
        getattr(stressed.option_moves, field.name)[optional] = np.nan
    found = profit(stressed)
    unknown = np.isnan(found).any(axis=1)
    assert 0 < unknown.sum() < len(held)
    rest = Positions(*(getattr(held, field.name)[~unknown] for field in fields(held)))
    for all_of_them, known in zip(totals(stressed), totals(stressed, rest), strict=True):
        np.testing.assert_array_equal(all_of_them, known)
    size = np.abs(held.units)
    share = known_share(held, found, size, PORTFOLIOS)
    for portfolio in range(PORTFOLIOS):
        mine = held.portfolio == portfolio
        expected = size[mine & ~unknown].sum() / size[mine].sum()
        np.testing.assert_allclose(share[portfolio], expected, rtol=1e-12)


def test_a_portfolio_of_nothing_has_no_share():
    nothing = np.zeros(0, int)
    empty = Positions(nothing, nothing, nothing, np.zeros(0))
    assert np.isnan(known_share(empty, np.zeros((0, 4)), np.zeros(0), 2)).all()
    np.testing.assert_array_equal(portfolio_profit(empty, np.zeros((0, 4)), 2), np.zeros((2, 4)))


def test_specific_risk_adds_by_squares_over_underlyings_and_by_root_of_time():
    owner = np.array([0, 0, 1, 1])
    found = residual_deviation(
        owner,
        np.array([3e5, -4e5, 1e5, 7e5]),
        np.array([1e-4, 1e-4, 4e-4, np.nan]),
        np.array([1.0, 21.0]),
        3,
    )
    daily = np.array([5e3, 2e3, 0])
    np.testing.assert_allclose(found, daily[:, None] * np.sqrt([1, 21]), rtol=1e-12)

"""Reverse stress: closed forms, scipy's optimiser and root finder, properties."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import optimize

from risk_engine.quant.pricing import european_price
from risk_engine.quant.reverse_stress import (
    Book,
    full_profit,
    profit_gradient,
    reverse_stress,
    worst_direction,
)
from risk_engine.quant.stress import Underlyings, volatility_shock
from risk_engine.quant.stress_attribution import (
    NO_CONTRACT,
    Positions,
    portfolio_profit,
    position_profit,
)
from tests.unit.risk_engine.stressed import (
    AXIS,
    FACTORS,
    PORTFOLIOS,
    Stressed,
    contracts,
    pricer,
)

DEVIATIONS = np.array([0.011, 0.0006, 0.006, 0.005])
RULE = np.full(PORTFOLIOS, np.nan)


def covariance(seed=0):
    """Return a daily covariance of the four factors."""
    root = np.random.default_rng(seed).normal(size=(FACTORS, 3 * FACTORS))
    wild = root @ root.T
    scale = DEVIATIONS / np.sqrt(np.diag(wild))
    return wild * np.outer(scale, scale)


def book(stressed):
    """Return the portfolios drawn."""
    return Book(
        stressed.positions,
        stressed.underlyings,
        stressed.contracts,
        stressed.revalue,
        AXIS,
        PORTFOLIOS,
    )


def shares(units, betas):
    """Return one portfolio of shares with these market values and betas."""
    betas = np.atleast_2d(np.asarray(betas, float))
    nothing = np.full(len(betas), np.nan)
    stressed = Stressed(0)
    held = Positions(
        np.zeros(len(betas), int),
        np.arange(len(betas)),
        np.full(len(betas), NO_CONTRACT),
        np.asarray(units, float),
    )
    known = Underlyings(betas, nothing, nothing, nothing, np.ones(len(betas)))
    return Book(held, known, stressed.contracts, stressed.revalue, AXIS, 1)


def everyone():
    """Return a mark on every portfolio."""
    return np.ones(PORTFOLIOS, bool)


def test_a_share_of_the_market_loses_what_the_market_loses():
    """$1m of the market alone, uncorrelated factors: a loss of 20 % is a fall of 20 %."""
    found = reverse_stress(
        shares([1e6], [1, 0, 0, 0]), np.diag(DEVIATIONS**2), np.array([200_000.0])
    )
    np.testing.assert_allclose(found.shocks[0], [-0.2, 0, 0, 0], atol=1e-8)
    assert found.loss[0] == pytest.approx(200_000, rel=1e-6)
    assert found.volatility[0] == pytest.approx(0.8, rel=1e-6)


def test_a_share_of_another_factor_loses_by_the_exponential():
    found = reverse_stress(
        shares([1e6], [0, 0, 2, 0]), np.diag(DEVIATIONS**2), np.array([500_000.0])
    )
    np.testing.assert_allclose(found.shocks[0], [0, 0, np.log(0.5) / 2, 0], atol=1e-8)


def test_a_short_portfolio_loses_when_the_market_rises():
    found = reverse_stress(
        shares([-1e6], [1, 0, 0, 0]), np.diag(DEVIATIONS**2), np.array([200_000.0])
    )
    np.testing.assert_allclose(found.shocks[0], [0.2, 0, 0, 0], atol=1e-8)
    assert found.volatility[0] == pytest.approx(-0.3)


@pytest.mark.parametrize("seed", range(4))
def test_the_direction_is_the_most_likely_of_its_loss(seed):
    """SLSQP: least Mahalanobis distance under a linear loss of 1."""
    cov = covariance(seed)
    gradient = np.random.default_rng(seed).normal(size=FACTORS) / DEVIATIONS
    inverse = np.linalg.inv(cov * 1e4)
    best = optimize.minimize(
        lambda scaled: scaled @ (inverse * np.outer(DEVIATIONS, DEVIATIONS) * 1e4) @ scaled,
        np.zeros(FACTORS),
        constraints={
            "type": "eq",
            "fun": lambda scaled: gradient @ (scaled * DEVIATIONS) + 1.0,
        },
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    found = worst_direction(gradient[None], cov)[0]
    np.testing.assert_allclose(found / DEVIATIONS, best.x, atol=1e-5)
    assert gradient @ found == pytest.approx(-1)


@pytest.mark.parametrize("seed", range(6))
def test_the_gradient_is_the_full_revaluation_s_slope(seed):
    """Central differences, with volatility by the rule: also options, bonds and futures on it."""
    stressed = Stressed(seed)
    drawn = book(stressed)
    gradient = profit_gradient(drawn)
    for factor in range(FACTORS):
        step = np.zeros((PORTFOLIOS, FACTORS))
        step[:, factor] = 1e-5
        ends = [
            full_profit(drawn, sign * step, volatility_shock(sign * step[:, 0], RULE), everyone())
            for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / 2e-5
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(gradient[:, factor], slope, atol=1e-6 * scale)


@pytest.mark.parametrize("seed", range(4))
def test_the_full_profit_is_that_of_the_scenario_engine(seed):
    stressed = Stressed(seed)
    drawn = book(stressed)
    profit = portfolio_profit(
        stressed.positions,
        position_profit(stressed.positions, stressed.moves.returns, stressed.option_moves.change),
        PORTFOLIOS,
    )
    for scenario in range(len(stressed.shocks)):
        same = np.tile(stressed.shocks[scenario], (PORTFOLIOS, 1))
        volatility = np.full(PORTFOLIOS, stressed.volatility[scenario])
        found = full_profit(drawn, same, volatility, everyone())
        np.testing.assert_allclose(found, profit[:, scenario], rtol=1e-10, atol=1e-7)


@given(st.integers(0, 10_000), st.floats(0.01, 0.2))
@example(seed=4797, part=0.1953125)  # a loss between two steps of the search, gone at both
@settings(max_examples=25, deadline=None)
def test_the_shocks_found_cost_what_was_asked_for_or_nothing_within_the_limits_does(seed, part):
    stressed = Stressed(seed)
    drawn = book(stressed)
    held = stressed.positions
    gross = np.zeros(PORTFOLIOS)
    np.add.at(gross, held.portfolio, np.abs(held.units))
    asked = part * gross
    found = reverse_stress(drawn, covariance(seed), asked)
    reached = np.isfinite(found.loss)
    np.testing.assert_allclose(found.loss[reached], asked[reached], rtol=1e-6)
    shocks = np.where(reached[:, None], found.shocks, 0.0)
    again = -full_profit(drawn, shocks, volatility_shock(shocks[:, 0], RULE), reached)
    np.testing.assert_allclose(again[reached], asked[reached], rtol=1e-6)
    assert np.isnan(found.shocks[~reached]).all()
    assert np.isnan(found.volatility[~reached]).all()
    # Along the ray of a portfolio without an answer no loss is so large.
    direction = worst_direction(profit_gradient(drawn), covariance(seed))
    for portfolio in np.flatnonzero(~reached):
        limit = 1 / np.abs(direction[portfolio] / [0.95, 0.1, 1, 1]).max()
        for scale in np.linspace(0, limit, 12):
            ray = np.tile(direction[portfolio] * scale, (PORTFOLIOS, 1))
            one = np.arange(PORTFOLIOS) == portfolio
            rule = volatility_shock(ray[:, 0], RULE)
            assert -full_profit(drawn, ray, rule, one)[portfolio] < asked[portfolio] * (1 + 1e-6)


def test_scipy_s_root_finder_agrees():
    stressed = Stressed(3)
    drawn, cov = book(stressed), covariance(3)
    asked = np.full(PORTFOLIOS, 20_000.0)
    found = reverse_stress(drawn, cov, asked)
    direction = worst_direction(profit_gradient(drawn), cov)
    checked = 0
    for portfolio in np.flatnonzero(np.isfinite(found.loss)):

        def miss(scale, portfolio=portfolio):
            ray = np.tile(direction[portfolio] * scale, (PORTFOLIOS, 1))
            rule = volatility_shock(ray[:, 0], RULE)
            one = np.arange(PORTFOLIOS) == portfolio
            return -full_profit(drawn, ray, rule, one)[portfolio] - asked[portfolio]

        scale = found.shocks[portfolio, 0] / direction[portfolio, 0]
        root = optimize.brentq(miss, 0, scale * 1.01, xtol=1e-9 * scale)
        assert scale == pytest.approx(root, rel=1e-6)
        checked += 1
    assert checked >= 3


@given(st.integers(0, 10_000), st.floats(0.1, 10))
@settings(max_examples=15, deadline=None)
def test_twice_the_portfolio_loses_twice_as_much_in_the_same_shocks(seed, scale):
    stressed = Stressed(seed)
    asked = np.full(PORTFOLIOS, 15_000.0)
    once = reverse_stress(book(stressed), covariance(seed), asked)
    stressed.positions = replace(stressed.positions, units=scale * stressed.positions.units)
    more = reverse_stress(book(stressed), covariance(seed), scale * asked)
    np.testing.assert_allclose(more.shocks, once.shocks, rtol=1e-4, atol=1e-8)


def test_company_does_not_matter():
    stressed = Stressed(5)
    held = stressed.positions
    asked = np.full(PORTFOLIOS, 10_000.0)
    together = reverse_stress(book(stressed), covariance(5), asked)
    for portfolio in range(PORTFOLIOS):
        mine = held.portfolio == portfolio
        stressed.positions = Positions(
            np.zeros(mine.sum(), int),
            held.underlying[mine],
            held.contract[mine],
            held.units[mine],
        )
        alone = Book(
            stressed.positions,
            stressed.underlyings,
            stressed.contracts,
            stressed.revalue,
            AXIS,
            1,
        )
        found = reverse_stress(alone, covariance(5), asked[:1])
        np.testing.assert_allclose(found.shocks[0], together.shocks[portfolio], rtol=1e-9)


def test_what_depends_on_nothing_has_no_answer():
    found = reverse_stress(shares([1e6], [0, 0, 0, 0]), covariance(), np.array([1e5]))
    assert np.isnan(found.loss[0])
    assert np.isnan(found.shocks).all()


@pytest.mark.parametrize("asked", [np.nan, 0.0, -1e5])
def test_no_loss_has_no_answer(asked):
    found = reverse_stress(shares([1e6], [1, 0, 0, 0]), covariance(), np.array([asked]))
    assert np.isnan(found.loss[0])


def test_more_than_the_limits_cost_has_no_answer():
    """A share loses at most 95 % of itself in a market that loses 95 %."""
    cov = np.diag(DEVIATIONS**2)
    assert np.isnan(reverse_stress(shares([1e6], [1, 0, 0, 0]), cov, np.array([0.96e6])).loss[0])
    found = reverse_stress(shares([1e6], [1, 0, 0, 0]), cov, np.array([0.94e6]))
    assert found.shocks[0, 0] == pytest.approx(-0.94, rel=1e-5)


def test_a_short_straddle_loses_by_volatility_and_gamma():
    """Its delta is nothing: the gradient is the volatility rule's, and the answer is found."""
    stressed = Stressed(0)
    terms = replace(
        stressed.options.part(np.array([0, 0])),
        is_call=np.array([True, False]),
        spot=np.array([100.0, 100.0]),
        strike=np.array([102.0, 102.0]),
        years=np.array([0.25, 0.25]),
        volatility=np.array([0.2, 0.2]),
        rate=np.array([0.04, 0.04]),
        dividend_yield=np.array([0.0, 0.0]),
    )
    held = contracts(terms, np.zeros(2, int), european_price)
    nothing = np.full(1, np.nan)
    straddle = Book(
        Positions(np.zeros(2, int), np.zeros(2, int), np.array([0, 1]), np.full(2, -1_000.0)),
        Underlyings(np.array([[1.0, 0, 0, 0]]), nothing, nothing, nothing, np.ones(1)),
        held,
        pricer(terms),
        AXIS,
        1,
    )
    found = reverse_stress(straddle, np.diag(DEVIATIONS**2), np.array([10_000.0]))
    assert found.loss[0] == pytest.approx(10_000, rel=1e-6)
    assert found.shocks[0, 0] < 0


def test_what_is_not_known_of_one_position_does_not_spoil_its_portfolio():
    stressed = Stressed(6)
    drawn = book(stressed)
    stressed.underlyings.betas[2] = np.nan
    stressed.contracts.price[4] = stressed.contracts.delta[4] = np.nan
    found = reverse_stress(drawn, covariance(6), np.full(PORTFOLIOS, 10_000.0))
    assert np.isfinite(found.loss).sum() >= 3

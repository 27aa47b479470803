"""Stressed underlyings and options: C10's figures, QuantLib by brute force, properties."""

import math
from dataclasses import replace

import numpy as np
import pytest
import QuantLib
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.quant.american import american_price
from risk_engine.quant.pricing import Options, european_price
from risk_engine.quant.stress import (
    FactorAxis,
    Underlyings,
    bond_return,
    shocked_volatility,
    underlying_moves,
    volatility_shock,
)
from risk_engine.quant.stressed_options import option_changes, option_moves
from tests.unit.risk_engine.stressed import AXIS, Stressed, contracts, pricer

PUT = Options(
    is_call=np.array([False]),
    spot=np.array([100.0]),
    strike=np.array([95.0]),
    years=np.array([45 / 365]),
    volatility=np.array([0.25]),
    rate=np.array([0.04]),
    dividend_yield=np.array([0.0]),
)
NOT_A_BOND, ONCE = np.full(1, np.nan), np.ones(1)
MARKET_ONLY = FactorAxis(market=0, rates=1)
SHARE = Underlyings(np.array([[1.0, 0.0]]), NOT_A_BOND, NOT_A_BOND, NOT_A_BOND, ONCE)


def put_stressed(market, volatility):
    """Return the put of C10 on the market, after a shock of the market and of volatility."""
    shocks, size = np.array([[market, 0.0]]), np.array([volatility])
    moves = underlying_moves(SHARE, shocks, size, MARKET_ONLY)
    held = contracts(PUT, np.zeros(1, dtype=np.int64))
    return option_moves(held, moves, size, shocks[:, 1], pricer(PUT))


def test_c10_a_put_is_worth_its_full_revaluation_not_its_delta():
    """45 days, strike 95, volatility 25 %; the market falls by 20 %, volatility rises 15 points."""
    fifteen_points = 0.15 / 0.25 / math.sqrt(30 / 45)
    moved = put_stressed(-0.20, fifteen_points)
    assert moved.change[0, 0] == pytest.approx(13.89, abs=0.005)
    assert moved.by_greek[0, 0, 0] == pytest.approx(4.94, abs=0.05)


def test_c10_the_volatility_rule_adds_sixteen_points_to_that_put():
    shock = volatility_shock(np.array([-0.20]), np.array([np.nan]))
    assert shock[0] == pytest.approx(0.80)
    added = shocked_volatility(PUT.volatility, PUT.years, shock) - PUT.volatility
    assert 100 * added[0] == pytest.approx(16.3, abs=0.05)
    by_hand = european_price(replace(PUT, spot=np.array([80.0]), volatility=PUT.volatility + added))
    assert put_stressed(-0.20, 0.80).change[0, 0] == pytest.approx(
        by_hand[0] - european_price(PUT)[0], abs=1e-12
    )


def test_c10_thirty_year_bonds_lose_a_third_not_a_half_at_three_percent_more():
    """Duration 16, convexity 350: -48 % by duration alone."""
    found = bond_return(np.array([0.03]), np.array([16.0]), np.array([350.0]))
    assert found[0] == pytest.approx(-0.32, abs=5e-3)
    assert bond_return(np.array([0.03]), np.array([16.0]), np.array([0.0]))[0] == -0.48


@pytest.mark.parametrize(
    ("market", "rule"),
    [(-0.10, 0.40), (-0.35, 1.40), (-0.60, 2.00), (0.05, -0.20), (0.10, -0.30), (0.25, -0.30)],
)
def test_volatility_moves_against_the_market_within_its_bounds(market, rule):
    assert volatility_shock(np.array([market]), np.array([np.nan]))[0] == pytest.approx(rule)
    assert volatility_shock(np.array([market]), np.array([0.123]))[0] == 0.123


def test_longer_volatilities_move_less_and_none_by_more_than_sixty_points():
    years = np.array([1 / 365, 30 / 365, 120 / 365, 1.0])
    moved = shocked_volatility(np.array(0.2), years, np.array(0.5)) - 0.2
    np.testing.assert_allclose(moved, [0.1, 0.1, 0.05, 0.1 * math.sqrt(30 / 365)], rtol=1e-12)
    assert shocked_volatility(np.array(0.9), np.array(0.01), np.array(2.0)) == pytest.approx(1.5)
    assert shocked_volatility(np.array(0.2), np.array(0.0), np.array(0.5)) == pytest.approx(0.3)


def by_hand(stressed, row, scenario):
    """Return an underlying's return in a scenario, one number after the other."""
    known, shock = stressed.underlyings, stressed.shocks[scenario]
    if not math.isnan(known.future_years[row]):
        return stressed.volatility[scenario] * min(1, math.sqrt(30 / 365 / known.future_years[row]))
    log_return = known.betas[row][0] * math.log(1 + shock[0])
    for factor in range(2, len(shock)):
        log_return += known.betas[row][factor] * shock[factor]
    if math.isnan(known.duration[row]):
        return math.exp(log_return + known.betas[row][1] * shock[1]) - 1
    move = min(shock[1], known.duration[row] / known.convexity[row])
    by_duration = -known.duration[row] * move + known.convexity[row] * move**2 / 2
    return math.exp(log_return) * (1 + by_duration) - 1


@pytest.mark.parametrize("seed", range(5))
def test_underlyings_move_as_the_formula_says_one_by_one(seed):
    stressed = Stressed(seed)
    found = stressed.moves.returns
    for row, scenario in np.ndindex(found.shape):
        assert found[row, scenario] == pytest.approx(by_hand(stressed, row, scenario), abs=1e-12)


def quantlib_price(options, row, spot, volatility, shift, *, american):
    """Return QuantLib's price of a contract at another market; its years are whole days."""
    today = QuantLib.Date(1, 1, 2024)
    QuantLib.Settings.instance().evaluationDate = today
    count = QuantLib.Actual365Fixed()

    def flat(rate):
        return QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, float(rate), count))

    process = QuantLib.BlackScholesMertonProcess(
        QuantLib.QuoteHandle(QuantLib.SimpleQuote(float(spot))),
        flat(options.dividend_yield[row]),
        flat(options.rate[row] + shift),
        QuantLib.BlackVolTermStructureHandle(
            QuantLib.BlackConstantVol(today, QuantLib.NullCalendar(), float(volatility), count)
        ),
    )
    kind = QuantLib.Option.Call if options.is_call[row] else QuantLib.Option.Put
    end = today + round(options.years[row] * 365)
    exercise = QuantLib.AmericanExercise(today, end) if american else QuantLib.EuropeanExercise(end)
    option = QuantLib.VanillaOption(
        QuantLib.PlainVanillaPayoff(kind, float(options.strike[row])), exercise
    )
    engine = QuantLib.QdFpAmericanEngine if american else QuantLib.AnalyticEuropeanEngine
    option.setPricingEngine(engine(process))
    return option.NPV()


def brute_force(stressed, *, american):
    """Return the change of each contract's value in each scenario, by QuantLib and by hand."""
    options, held = stressed.options, stressed.contracts
    change = np.empty(stressed.option_moves.change.shape)
    for row, scenario in np.ndindex(change.shape):
        spot = options.spot[row] * (1 + by_hand(stressed, held.underlying[row], scenario))
        old = options.volatility[row]
        added = min(old * stressed.volatility[scenario], 0.60)
        added *= min(1, math.sqrt(30 / 365 / options.years[row]))
        new = old if held.keeps_volatility[row] else old + added
        shift = stressed.yield_move[scenario]
        after = quantlib_price(options, row, spot, new, shift, american=american)
        before = quantlib_price(options, row, options.spot[row], old, 0.0, american=american)
        change[row, scenario] = after - before
    return change


def test_options_change_as_quantlib_s_revaluation_says():
    stressed = Stressed(1)
    np.testing.assert_allclose(
        stressed.option_moves.change, brute_force(stressed, american=False), atol=1e-8
    )


def test_american_options_change_as_quantlib_s_revaluation_says():
    """Two prices of the tree differ by at most twice its error, 0.25 % of price or strike/100."""
    stressed = Stressed(2, american_price)
    exact = brute_force(stressed, american=True)
    before = stressed.contracts.price[:, None]
    after = before + exact
    least = stressed.options.strike[:, None] / 100
    bound = 0.0025 * (np.maximum(before, least) + np.maximum(after, least))
    assert (np.abs(stressed.option_moves.change - exact) < bound).all()


def test_a_bond_moves_as_its_full_repricing_says_to_the_third_order():
    """QuantLib's bonds, duration and convexity: what is left is the third derivative's term."""
    today = QuantLib.Date(15, 6, 2024)
    QuantLib.Settings.instance().evaluationDate = today
    count = QuantLib.Thirty360(QuantLib.Thirty360.BondBasis)
    for years, coupon, yield_now in ((2, 0.05, 0.04), (10, 0.04, 0.045), (30, 0.03, 0.04)):
        schedule = QuantLib.Schedule(
            today,
            today + QuantLib.Period(years, QuantLib.Years),
            QuantLib.Period(QuantLib.Semiannual),
            QuantLib.NullCalendar(),
            QuantLib.Unadjusted,
            QuantLib.Unadjusted,
            QuantLib.DateGeneration.Backward,
            False,
        )
        bond = QuantLib.FixedRateBond(0, 100.0, schedule, [coupon], count)

        def price(at, bond=bond):
            return bond.dirtyPrice(at, count, QuantLib.Compounded, QuantLib.Semiannual, today)

        rate = QuantLib.InterestRate(yield_now, count, QuantLib.Compounded, QuantLib.Semiannual)
        duration = QuantLib.BondFunctions.duration(bond, rate, QuantLib.Duration.Modified, today)
        convexity = QuantLib.BondFunctions.convexity(bond, rate, today)
        for move in (-0.01, -0.0025, 0.0025, 0.01):
            found = bond_return(np.array([move]), np.array([duration]), np.array([convexity]))[0]
            exact = price(yield_now + move) / price(yield_now) - 1
            # The third derivative is at most years^3 times the price.
            assert abs(found - exact) < (years + 1) ** 3 * abs(move) ** 3 / 6


@given(st.floats(0.5, 30), st.floats(0, 1_000), st.floats(-0.1, 0.5))
def test_a_higher_yield_never_makes_a_bond_dearer(duration, convexity, move):
    def found(at):
        return bond_return(np.array([at]), np.array([duration]), np.array([convexity]))[0]

    assert found(move + 1e-4) <= found(move)
    assert found(move) >= -0.9999


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_parts_of_a_move_add_up_to_it(seed):
    stressed = Stressed(seed)
    moves, options = stressed.moves, stressed.option_moves
    driven = moves.from_volatility
    split = moves.slope * moves.parts.sum(axis=-1)
    np.testing.assert_allclose(split[~driven], moves.returns[~driven], atol=1e-13)
    np.testing.assert_allclose(
        options.rate + options.spot + options.volatility, options.change, atol=1e-10
    )
    by_factor = options.slope * moves.parts[stressed.contracts.underlying].sum(axis=-1)
    np.testing.assert_allclose(by_factor, options.spot, atol=1e-9)


@given(st.integers(0, 10_000), st.floats(1e-9, 1e-5))
@settings(max_examples=25, deadline=None)
def test_moves_are_continuous_in_the_shocks(seed, step):
    """At every size, and where the sum of opposite factors passes through nothing."""
    stressed = Stressed(seed)
    near = underlying_moves(stressed.underlyings, stressed.shocks + step, stressed.volatility, AXIS)
    change = np.abs(near.returns - stressed.moves.returns)
    slope = np.abs(stressed.underlyings.betas).sum(axis=1)[:, None] / 0.4 + 16
    assert (change <= 1.1 * slope * (1 + stressed.moves.returns) * step + 1e-14).all()


def test_the_split_by_factor_is_continuous_where_the_log_return_is_nothing():
    """Two factors that cancel: r u_k/u is 0/0 there, and u_k by the spec."""
    pair = Underlyings(np.array([[0.0, 0.0, 1.0, 1.0]]), NOT_A_BOND, NOT_A_BOND, NOT_A_BOND, ONCE)
    parts = []
    for miss in (-1e-5, -1e-9, 0.0, 1e-12, 1e-7):
        shocks = np.array([[0.0, 0.0, 0.2, -0.2 + miss]])
        moves = underlying_moves(pair, shocks, np.zeros(1), AXIS)
        held = contracts(PUT, np.zeros(1, dtype=np.int64))
        options = option_moves(held, moves, np.zeros(1), np.zeros(1), pricer(PUT))
        parts.append((moves.slope[0, 0] * 0.2, options.slope[0, 0] * 0.2))
    np.testing.assert_allclose(np.array(parts)[:, 0], 0.2, rtol=1e-5)
    delta = contracts(PUT, np.zeros(1, dtype=np.int64)).delta[0]
    np.testing.assert_allclose(np.array(parts)[:, 1], delta * 100 * 0.2, rtol=1e-4)


@given(st.floats(-0.99, 5), st.floats(-5, 5))
def test_no_price_falls_below_nothing(market, beta):
    extreme = Underlyings(np.array([[beta, 0.0]]), NOT_A_BOND, NOT_A_BOND, NOT_A_BOND, ONCE)
    moves = underlying_moves(extreme, np.array([[market, 0.0]]), np.zeros(1), MARKET_ONLY)
    assert moves.returns[0, 0] >= -1
    assert moves.returns[0, 0] == pytest.approx((1 + market) ** beta - 1, rel=1e-9, abs=1e-12)


def test_the_market_itself_moves_by_exactly_its_shock():
    for market in (-0.35, -0.05, 0.10):
        moves = underlying_moves(SHARE, np.array([[market, 0.0]]), np.zeros(1), MARKET_ONLY)
        assert moves.returns[0, 0] == pytest.approx(market, abs=1e-15)


def fund(times, beta, duration=np.nan, convexity=np.nan):
    """Return a fund of `times` its index; the other numbers are the index's own."""
    return Underlyings(
        np.array([[times * beta, 0.0]]),
        np.array([times * duration]),
        np.array([times * convexity]),
        NOT_A_BOND,
        np.array([float(times)]),
    )


@pytest.mark.parametrize(
    ("times", "beta", "market", "at_once", "over_sessions"),
    [
        (3, 1, -0.10, -0.30, 0.9**3 - 1),
        (3, 1, -0.35, -0.9999, 0.65**3 - 1),  # three times 35 % is more than all of it
        (-3, 1, -0.35, 1.05, 0.65**-3 - 1),
        (2, 1, 0.25, 0.50, 1.25**2 - 1),
        (-1, 1, 0.25, -0.25, 1 / 1.25 - 1),
        (2, 1.5, -0.20, 2 * (0.8**1.5 - 1), 0.8**3 - 1),  # its index has a beta of 1.5
        # Half of the opposite of futures on volatility, which gain 0.65^-3 - 1 = 264 %.
        (-0.5, -3, -0.35, -0.9999, 0.65**1.5 - 1),
    ],
)
def test_a_fund_of_so_many_times_its_index_moves_as_often_at_one_blow(
    times, beta, market, at_once, over_sessions
):
    shocks = np.array([[market, 0.0]])
    for path, by_hand_return in ((False, at_once), (True, over_sessions)):
        moves = underlying_moves(
            fund(times, beta), shocks, np.zeros(1), MARKET_ONLY, over_sessions=path
        )
        assert moves.returns[0, 0] == pytest.approx(by_hand_return, abs=1e-12)
        split = (moves.slope * moves.parts.sum(axis=-1))[0, 0]
        assert split == pytest.approx(by_hand_return, abs=1e-12)


def test_a_fund_of_bonds_thrice_moves_thrice_at_one_blow():
    """A point more: -16 % + 350 / 20,000 = -14.25 % of the index, by hand; also inversely."""
    shocks = np.array([[0.0, 0.01]])
    for times, at_once in ((3, -0.4275), (-3, 0.4275)):
        bonds = fund(times, 0.0, 16.0, 350.0)
        moves = underlying_moves(bonds, shocks, np.zeros(1), MARKET_ONLY)
        assert moves.returns[0, 0] == pytest.approx(at_once, abs=1e-12)
        path = underlying_moves(bonds, shocks, np.zeros(1), MARKET_ONLY, over_sessions=True)
        assert path.returns[0, 0] == pytest.approx((1 - 0.1425) ** times - 1, abs=1e-12)


@given(st.sampled_from([-3, -2, -1, -0.5, 1.5, 2, 3]), st.floats(1e-5, 1e-3))
def test_small_shocks_are_the_same_at_once_and_over_sessions(times, size):
    """Both are k f but for terms of the second order, k (k - 1) f^2 / 2."""
    shocks = np.array([[size, 0.0]])
    found = [
        underlying_moves(
            fund(times, 1.0), shocks, np.zeros(1), MARKET_ONLY, over_sessions=path
        ).returns[0, 0]
        for path in (False, True)
    ]
    assert found[0] == pytest.approx(times * size, rel=1e-9)
    assert found[1] - found[0] == pytest.approx(times * (times - 1) * size**2 / 2, rel=0.01)


def test_a_future_on_volatility_moves_by_volatility_alone():
    """Four months to go: half of the move of 30-day volatility."""
    future = Underlyings(
        np.array([[3.0, 1.0]]), NOT_A_BOND, NOT_A_BOND, np.array([120 / 365]), ONCE
    )
    moves = underlying_moves(future, np.array([[-0.3, 0.01]]), np.array([1.2]), MARKET_ONLY)
    assert moves.returns[0, 0] == pytest.approx(0.6)
    assert (moves.parts == 0).all()


def test_without_and_with_twice_the_volatility_shock():
    """Also for options on a future on volatility: it stands still, and goes twice as far."""
    stressed = Stressed(4)
    for size, found in (
        (0 * stressed.volatility, stressed.option_moves.without_volatility),
        (2 * stressed.volatility, stressed.option_moves.double_volatility),
    ):
        moves = underlying_moves(stressed.underlyings, stressed.shocks, size, AXIS)
        changes = option_changes(
            stressed.contracts, moves, size, stressed.yield_move, stressed.revalue
        )
        np.testing.assert_allclose(found, changes, atol=1e-11)
    assert (stressed.contracts.underlying == 11).any()


def test_a_change_alone_is_the_one_taken_apart():
    stressed = Stressed(5)
    np.testing.assert_array_equal(
        option_changes(
            stressed.contracts,
            stressed.moves,
            stressed.volatility,
            stressed.yield_move,
            stressed.revalue,
        ),
        stressed.option_moves.change,
    )


def test_where_nothing_moves_nothing_changes():
    """The first scenario has no shock: no change by rounding."""
    stressed = Stressed(6)
    moved = stressed.option_moves
    for values in (moved.change, moved.rate, moved.spot, moved.volatility, moved.by_greek):
        assert (values[:, 0] == 0).all()
    assert (stressed.moves.returns[:, 0] == 0).all()


def test_small_moves_are_those_of_the_greeks():
    """What the Taylor series leaves shrinks faster than the move."""
    stressed = Stressed(7)
    left = []
    for scale in (1e-3, 1e-4):
        shocks, size = scale * stressed.shocks, scale * stressed.volatility
        moves = underlying_moves(stressed.underlyings, shocks, size, AXIS)
        moved = option_moves(
            stressed.contracts, moves, size, shocks[:, AXIS.rates], stressed.revalue
        )
        left.append(np.abs(moved.change - moved.by_greek.sum(axis=-1)).max() / scale)
    # Cross terms are of the second order: a tenth of the move leaves a tenth per unit of it.
    assert left[0] / left[1] == pytest.approx(10, abs=1.5)


def test_what_is_not_known_of_one_spoils_no_other():
    stressed = Stressed(8)
    known = stressed.underlyings
    known.betas[2, 3] = np.nan
    stressed.contracts.price[5] = np.nan
    moves = underlying_moves(known, stressed.shocks, stressed.volatility, AXIS)
    moved = option_moves(
        stressed.contracts, moves, stressed.volatility, stressed.yield_move, stressed.revalue
    )
    assert np.isnan(moves.returns[2]).all()
    assert np.isfinite(np.delete(moves.returns, 2, axis=0)).all()
    unknown = (stressed.contracts.underlying == 2) | (np.arange(len(stressed.contracts)) == 5)
    np.testing.assert_array_equal(np.isnan(moved.change).all(axis=1), unknown)
    np.testing.assert_array_equal(np.isnan(moved.change).any(axis=1), unknown)

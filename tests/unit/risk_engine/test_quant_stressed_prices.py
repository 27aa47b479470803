"""Prices at shocked markets: the formula exactly, and the tree within what the module says."""

import math

import numpy as np

from risk_engine.quant.pricing import Options
from risk_engine.quant.revaluation import revalue
from risk_engine.quant.stressed_prices import RATE_SHIFTS, priced_by_tree, stressed_prices


def drawn(size=120, seed=1):
    """Return contracts of 3 days to 2.5 years."""
    chance = np.random.default_rng(seed)
    spot = chance.uniform(20, 400, size)
    return Options(
        is_call=chance.random(size) < 0.5,
        spot=spot,
        strike=spot * np.exp(chance.normal(0, 0.15, size)),
        years=np.exp(chance.uniform(math.log(3 / 365), math.log(2.5), size)),
        volatility=chance.uniform(0.1, 0.8, size),
        rate=chance.uniform(0.02, 0.06, size),
        dividend_yield=chance.uniform(0, 0.03, size),
    )


def shocked(options, scenarios=25, seed=2):
    """Return spots, volatilities and shifts of the rate, (contracts, scenarios)."""
    chance = np.random.default_rng(seed)
    shape = (len(options), scenarios)
    volatility = options.volatility[:, None]
    damping = np.minimum(1, np.sqrt(30 / 365 / options.years))[:, None]
    added = np.minimum(volatility * chance.uniform(-0.3, 2, shape), 0.6) * damping
    spot = options.spot[:, None] * np.exp(chance.normal(-0.1, 0.25, shape))
    return spot, volatility + added, chance.uniform(-0.015, 0.03, shape)


def error(options, american, market):
    """Return how far our prices are from the tree's or the formula's, relative."""
    ours = stressed_prices(options, american, np.zeros(len(options), bool))
    spot, volatility, shift = market
    exact = revalue(
        options,
        american,
        spot=spot,
        volatility=volatility,
        rate=options.rate[:, None] + shift,
    )
    found = ours(np.arange(len(options)), spot, volatility, shift)
    return np.abs(found - exact) / np.maximum(exact, options.strike[:, None] / 100)


def test_european_prices_are_the_formula_s():
    options = drawn()
    assert error(options, np.zeros(len(options), bool), shocked(options)).max() < 1e-13


def test_american_prices_are_near_the_tree_s():
    """The tree itself is within 0.25 %, below 0.1 % for nineteen in twenty."""
    options = drawn()
    off = error(options, np.ones(len(options), bool), shocked(options))
    assert np.median(off) < 1e-4
    assert np.quantile(off, 0.95) < 1e-3
    assert np.quantile(off, 0.99) < 3e-3
    assert off.max() < 0.015


def test_beyond_the_tabulated_rates_early_exercise_keeps_its_value_there():
    options = drawn(140)
    options = options.part(~priced_by_tree(options))
    spot, volatility, _ = shocked(options)
    american = np.ones(len(options), bool)
    ours = stressed_prices(options, american, ~american)
    rows = np.arange(len(options))

    def added(shift):
        shifts = np.full(spot.shape, shift)
        european = stressed_prices(options, ~american, ~american)(rows, spot, volatility, shifts)
        return ours(rows, spot, volatility, shifts) - european

    floor = np.where(options.is_call, 1, -1)[:, None] * (spot - options.strike[:, None])
    for node, beyond in ((RATE_SHIFTS[0], -0.03), (RATE_SHIFTS[-1], 0.06)):
        shifts = np.full(spot.shape, beyond)
        at_floor = ours(rows, spot, volatility, shifts) <= np.maximum(floor, 0) + 1e-12
        at_node = ours(rows, spot, volatility, np.full(spot.shape, node))
        at_floor |= at_node <= np.maximum(floor, 0) + 1e-12
        np.testing.assert_allclose(added(beyond)[~at_floor], added(node)[~at_floor], atol=1e-10)


def test_the_rows_asked_for_are_the_rows_answered():
    """Each price is the same whatever else is asked for."""
    options = drawn()
    spot, volatility, shift = shocked(options)
    american = np.arange(len(options)) % 3 > 0
    ours = stressed_prices(options, american, np.zeros(len(options), bool))
    whole = ours(np.arange(len(options)), spot, volatility, shift)
    rows = np.array([7, 3, 3, 90])
    some = ours(rows, spot[rows], volatility[rows], shift[rows])
    np.testing.assert_allclose(some, whole[rows], rtol=1e-14)
    one = ours(rows, spot[rows, :1], volatility[rows, :1], shift[rows, :1])
    np.testing.assert_allclose(one, whole[rows, :1], rtol=1e-14)


def test_an_option_on_a_future_has_no_carry_at_any_rate():
    """Black (1976): the discount factor alone moves with the rate."""
    options = drawn(40)
    options.dividend_yield[:] = options.rate
    on_future = np.ones(40, bool)
    ours = stressed_prices(options, ~on_future, on_future)
    market = (options.spot[:, None], options.volatility[:, None])
    before = ours(np.arange(40), *market, np.zeros((40, 1)))
    after = ours(np.arange(40), *market, np.full((40, 1), 0.02))
    np.testing.assert_allclose(after, before * np.exp(-0.02 * options.years)[:, None], rtol=1e-12)


def test_what_is_not_known_of_a_contract_spoils_its_prices_alone():
    options = drawn(20)
    options.volatility[3] = np.nan
    american = np.ones(20, bool)
    ours = stressed_prices(options, american, ~american)
    spot, volatility, shift = shocked(options)
    found = ours(np.arange(20), spot, volatility, shift)
    assert np.isnan(found[3]).all()
    assert np.isfinite(np.delete(found, 3, axis=0)).all()

"""Tabulated gains against the revaluation of every draw."""

import numpy as np
import pytest

from risk_engine.quant.gain_tables import gain_tables, gains, places
from risk_engine.quant.pricing import Options
from risk_engine.quant.revaluation import profit_and_loss, revaluation_grid
from risk_engine.quant.value_at_risk import historical_risk
from risk_engine.quant.volatility_surface import damping

DRAWS = 4_000


def contracts(size, seed=1):
    """Return contracts of two days to two years, near and far from the money."""
    chance = np.random.default_rng(seed)
    years = np.exp(chance.uniform(np.log(2 / 365), np.log(2), size))
    volatility = chance.uniform(0.12, 0.8, size)
    return Options(
        is_call=chance.random(size) < 0.5,
        spot=np.full(size, 100.0),
        strike=100 * np.exp(chance.normal(0, 1, size) * volatility * np.sqrt(years)),
        years=years,
        volatility=volatility,
        rate=chance.uniform(0, 0.06, size),
        dividend_yield=chance.uniform(0, 0.04, size),
    )


def test_tail_losses_are_those_of_revaluing_every_draw():
    options = contracts(60)
    unit = np.random.default_rng(2).standard_t(5, (60, DRAWS)) * np.sqrt(3 / 5)
    returns = options.volatility[:, None] / np.sqrt(252) * unit
    grid = revaluation_grid(options, np.ones(60, np.bool_))
    exact = profit_and_loss(grid, returns)
    tables = gain_tables(grid, np.ones(60))
    found = np.array([gains(*one) for one in zip(tables, map(places, returns), strict=True)])
    for sign in (1, -1):
        risk, truth = historical_risk(sign * found), historical_risk(sign * exact)
        assert risk.expected_shortfall == pytest.approx(truth.expected_shortfall, rel=1e-3)
    assert found == pytest.approx(exact, abs=0.01)


def test_a_future_on_the_underlying_moves_as_its_damping_says():
    options = contracts(3)
    grid = revaluation_grid(options, np.zeros(3, np.bool_))
    tables = gain_tables(grid, np.full(3, 0.5))
    returns = np.linspace(-0.2, 0.3, 50)
    exact = profit_and_loss(grid, np.broadcast_to(np.sqrt(1 + returns) - 1, (3, 50)))
    for table, gain in zip(tables, exact, strict=True):
        assert gains(table, places(returns)) == pytest.approx(gain, abs=5e-3)


def test_beyond_the_table_its_edge_stands():
    place = places(np.array([-1.0, -0.999, 3.0, 9.0]))
    assert (place.below + place.part).tolist() == [0, 0, 400, 400]


def test_long_volatilities_move_less():
    assert damping(np.array([1 / 365, 30 / 365, 120 / 365, np.nan])).tolist() == pytest.approx(
        [1, 1, 0.5, np.nan], nan_ok=True
    )


def test_what_cannot_be_priced_cannot_gain():
    options = contracts(2)
    options.volatility[1] = np.nan
    tables = gain_tables(revaluation_grid(options, np.ones(2, np.bool_)), np.ones(2))
    place = places(np.array([-0.02, 0.01]))
    assert np.isfinite(gains(tables[0], place)).all()
    assert np.isnan(gains(tables[1], place)).all()

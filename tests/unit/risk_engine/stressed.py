"""Underlyings, option contracts and positions drawn at random, and a pricer, for stress tests."""

from dataclasses import replace

import numpy as np

from risk_engine.quant.pricing import Options, european_greeks, european_price
from risk_engine.quant.stress import FactorAxis, Underlyings, underlying_moves
from risk_engine.quant.stress_attribution import NO_CONTRACT, Positions
from risk_engine.quant.stressed_options import Contracts, option_moves

AXIS = FactorAxis(market=0, rates=1)
FACTORS = 4
PORTFOLIOS = 5


def underlyings(chance, size=12):
    """Return shares, a bond fund in every fourth place and, last, a future on volatility."""
    betas = chance.normal(0, 1, (size, FACTORS))
    betas[:, AXIS.rates] *= 5
    is_bond = np.arange(size) % 4 == 3
    duration = np.where(is_bond, chance.uniform(1, 16, size), np.nan)
    future_years = np.full(size, np.nan)
    future_years[-1], duration[-1] = 0.25, np.nan
    return Underlyings(betas, duration, duration**2 * 1.4, future_years, np.ones(size))


def terms(chance, size=40, owners=12):
    """Return contracts: terms and market in `Options`, and the row of each one's underlying."""
    spot = chance.uniform(20, 400, size)
    options = Options(
        is_call=chance.random(size) < 0.5,
        spot=spot,
        strike=spot * np.exp(chance.normal(0, 0.15, size)),
        years=chance.integers(5, 700, size) / 365,
        volatility=chance.uniform(0.1, 0.8, size),
        rate=chance.uniform(0.01, 0.06, size),
        dividend_yield=chance.uniform(0, 0.03, size),
    )
    return options, chance.integers(0, owners, size)


def pricer(options, price=european_price):
    """Return what revalues rows of the contracts."""

    def revalue(rows, spot, volatility, shift):
        picked = options.part(np.repeat(rows, spot.shape[1]))
        at = replace(
            picked,
            spot=spot.ravel(),
            volatility=volatility.ravel(),
            rate=picked.rate + shift.ravel(),
        )
        return price(at).reshape(spot.shape)

    return revalue


def contracts(options, underlying, price=european_price):
    """Return the contracts as they stand, with European Greeks."""
    greeks = european_greeks(options)
    return Contracts(
        underlying=underlying,
        spot=options.spot,
        volatility=options.volatility,
        years=options.years,
        price=price(options),
        delta=greeks.delta,
        gamma=greeks.gamma,
        vega=greeks.vega,
        rho=greeks.rho,
        keeps_volatility=underlying == 11,
    )


def positions(chance, held, size=80, owners=12):
    """Return positions, half of them options, long and short, in PORTFOLIOS portfolios."""
    contract = np.where(chance.random(size) < 0.5, chance.integers(0, len(held), size), NO_CONTRACT)
    linear = contract == NO_CONTRACT
    return Positions(
        portfolio=np.sort(chance.integers(0, PORTFOLIOS, size)),
        underlying=np.where(linear, chance.integers(0, owners, size), held.underlying[contract]),
        contract=contract,
        units=np.where(linear, chance.normal(0, 1e5, size), 100.0 * chance.integers(-20, 20, size)),
    )


def scenarios(chance, size=9):
    """Return shocks of all factors, volatility shocks; the first scenario moves nothing."""
    shocks = chance.normal(0, 0.15, (size, FACTORS))
    shocks[:, AXIS.market] = np.clip(shocks[:, AXIS.market], -0.6, 0.6)
    shocks[:, AXIS.rates] = chance.normal(0, 0.01, size)
    volatility = chance.uniform(-0.3, 1.5, size)
    shocks[0], volatility[0] = 0, 0
    return shocks, volatility


class Stressed:
    """Everything drawn from one seed, and its moves."""

    def __init__(self, seed, price=european_price):
        chance = np.random.default_rng(seed)
        self.underlyings = underlyings(chance)
        self.options, owner = terms(chance)
        self.contracts = contracts(self.options, owner, price)
        self.revalue = pricer(self.options, price)
        self.positions = positions(chance, self.contracts)
        self.shocks, self.volatility = scenarios(chance)
        self.yield_move = self.shocks[:, AXIS.rates]
        self.moves = underlying_moves(self.underlyings, self.shocks, self.volatility, AXIS)
        self.option_moves = option_moves(
            self.contracts, self.moves, self.volatility, self.yield_move, self.revalue
        )

"""What stress costs: options by a table beside a tree for every price, and a whole chunk."""

import statistics
import time
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from common.options import Contract
from risk_engine.engine import stress
from risk_engine.engine.results import EngineResult, pack
from risk_engine.quant.pricing import Options
from risk_engine.quant.revaluation import revalue
from risk_engine.quant.stressed_prices import stressed_prices
from simulator.universe import load_universe
from tests.benchmarks.figures import SEED, Figures, size
from tests.support.simulated import simulated_market
from tests.unit.risk_engine import books
from tests.unit.risk_engine.stress_books import ENTERED, account, frame_of, share

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

CONTRACTS = size("STRESS_CONTRACTS", 400)
PRICES = 100
"""What a night asks of a contract: four for each of 19 scenarios, and reverse stress."""
BOOKS = size("STRESS_BOOKS", 200)
SHARES, OPTIONS = 60, 15
SYMBOLS, UNDERLYINGS, STRIKES = 150, 50, 28
EXPIRIES = (date(2026, 2, 20), date(2026, 6, 19), date(2027, 1, 15))
ROUNDS = size("ROUNDS", 3)


def timed(task):
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def drawn():
    """Return American contracts of 3 days to 2.5 years, and markets in which they are priced."""
    chance = np.random.default_rng(SEED)
    spot = chance.uniform(20, 400, CONTRACTS)
    options = Options(
        is_call=chance.random(CONTRACTS) < 0.5,
        spot=spot,
        strike=spot * np.exp(chance.normal(0, 0.15, CONTRACTS)),
        years=np.exp(chance.uniform(np.log(3 / 365), np.log(2.5), CONTRACTS)),
        volatility=chance.uniform(0.1, 0.8, CONTRACTS),
        rate=chance.uniform(0.02, 0.06, CONTRACTS),
        dividend_yield=chance.uniform(0, 0.03, CONTRACTS),
    )
    shape = (CONTRACTS, PRICES)
    damping = np.minimum(1, np.sqrt(30 / 365 / options.years))[:, None]
    added = np.minimum(options.volatility[:, None] * chance.uniform(-0.3, 2, shape), 0.6)
    market = {
        "spot": spot[:, None] * np.exp(chance.normal(-0.1, 0.25, shape)),
        "volatility": options.volatility[:, None] + added * damping,
        "shift": chance.uniform(-0.015, 0.03, shape),
    }
    return options, market


def test_a_table_of_early_exercise_replaces_a_tree_for_every_price(figures: Figures):
    options, market = drawn()
    american = np.ones(CONTRACTS, bool)
    rows = np.arange(CONTRACTS)

    def by_table():
        return stressed_prices(options, american, ~american)(rows, *market.values())

    def by_trees():
        rate = options.rate[:, None] + market["shift"]
        return revalue(
            options, american, spot=market["spot"], volatility=market["volatility"], rate=rate
        )

    exact = by_trees()
    off = np.abs(by_table() - exact) / np.maximum(exact, options.strike[:, None] / 100)
    table, trees = timed(by_table), timed(by_trees)
    figures.add(
        f"{PRICES} stressed prices of an American contract",
        f"{table / CONTRACTS * 1e6:.0f} us; {trees / table:.1f} x trees, off by "
        f"{np.quantile(off, 0.95):.2%} for 19 in 20, {off.max():.2%} at most",
        "2 x, 0.1 %",
    )
    assert trees / table > 1.5
    assert np.quantile(off, 0.95) < 1e-3


def option(number, contract, quantity):
    """Some contracts of one kind, held before the opening."""
    side = "L" if quantity > 0 else "S"
    return replace(
        books.option(number, str(quantity), "5", contract.expiry),
        symbol=contract.symbol,
        underlying_symbol=contract.underlying,
        strike_price=contract.strike,
        position_type=side + ("C" if contract.right == "call" else "P"),
        investment_subtype=contract.right.upper(),
        entry_date=ENTERED,
    )


def chunk():
    """Return books of shares and options, laid out."""
    universe = load_universe()
    symbols = [name for name in universe.securities if name in universe.known and name.isalpha()]
    symbols = symbols[:SYMBOLS]
    prices = simulated_market(symbols[:UNDERLYINGS]).prices
    contracts = [
        Contract(name, EXPIRIES[place % 3], right, Decimal(str(round(close * strike))))
        for name, column in prices.columns.items()
        for close in [prices.close[-1, column]]
        for place, strike in enumerate(np.linspace(0.75, 1.25, STRIKES))
        for right in ("call", "put")
    ]
    market = simulated_market([*symbols, *(one.symbol for one in contracts)])
    chance = np.random.default_rng(SEED)
    accounts = []
    for number in range(1, BOOKS + 1):
        shares = [
            share(1_000 * number + place, symbols[row], str(chance.integers(1, 100)))
            for place, row in enumerate(chance.choice(len(symbols), SHARES, replace=False))
        ]
        options = [
            option(1_000 * number + 500 + place, contracts[row], int(chance.choice([-2, -1, 1, 3])))
            for place, row in enumerate(chance.choice(len(contracts), OPTIONS, replace=False))
        ]
        accounts.append(account(*shares, *options, number=number, equity="1000000"))
    return frame_of(*accounts, market=market)


def test_a_chunk_is_stressed_in_seconds(figures: Figures):
    frame = chunk()
    seconds = timed(lambda: stress.calculate(frame))
    answer = stress.calculate(frame)[0]
    assert isinstance(answer, EngineResult)
    figures.add(
        f"Stress of {BOOKS} books of {SHARES} shares and {OPTIONS} options",
        f"{seconds:.2f} s, {len(pack(answer.payload)) / 1e3:.0f} kB a book",
        "3 s",
    )
    assert seconds < 15

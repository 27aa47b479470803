"""Options per second on one core, beside the libraries of the field and plain numpy, in one run."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import QuantLib
import vollib.black_scholes_merton
import vollib.black_scholes_merton.greeks.analytical as vollib_greeks
import vollib.black_scholes_merton.implied_volatility
from scipy.optimize import brentq
from scipy.stats import norm

from risk_engine.quant.american import american_price
from risk_engine.quant.greeks import american_greeks
from risk_engine.quant.implied_volatility import american_volatility, european_volatility
from risk_engine.quant.pricing import Options, european_greeks, european_price
from risk_engine.quant.revaluation import profit_and_loss, revaluation_grid
from tests.benchmarks.figures import SEED, Figures, size

# One core for everybody; read once, when its threads start.
os.environ["RAYON_NUM_THREADS"] = "1"
from pyvolr import bs

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

OPTIONS = size("OPTIONS", 200_000)
FEW = size("FEW_OPTIONS", 2_000)
ROUNDS = size("ROUNDS", 5)
SCENARIOS = 504


def drawn(number: int) -> Options:
    """Return contracts as people hold them: a week to two years, within two deviations."""
    chance = np.random.default_rng(SEED)
    spot = chance.uniform(20, 500, number)
    years = np.exp(chance.uniform(np.log(7 / 365), np.log(2), number))
    volatility = chance.uniform(0.12, 0.9, number)
    return Options(
        is_call=chance.random(number) < 0.5,
        spot=spot,
        strike=spot * np.exp(chance.uniform(-2, 2, number) * volatility * np.sqrt(years)),
        years=np.maximum(np.round(365 * years), 1) / 365,
        volatility=volatility,
        rate=chance.uniform(0.02, 0.055, number),
        dividend_yield=chance.uniform(0, 0.03, number),
    )


def per_second(number: int, work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return how many of something a second brings: the best of some rounds, each in turn."""
    seconds = []
    for _ in range(rounds):
        # Of the processor: another's work on the same machine is not counted.
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return number / min(seconds)


def millions(rate: float) -> str:
    return f"{rate / 1e6:.1f} M/s" if rate >= 1e5 else f"{rate:,.0f}/s"


def beside(ours: float, theirs: dict[str, float]) -> str:
    said = [f"{name} {millions(rate)} ({ours / rate:,.1f} x)" for name, rate in theirs.items()]
    return "; ".join([f"**{millions(ours)}**", *said])


def plain_numpy(options: Options) -> tuple[np.ndarray, ...]:
    """Price and Greeks as a textbook's formulas are usually written, without blocks."""
    s, k, t = options.spot, options.strike, options.years
    v, r, q = options.volatility, options.rate, options.dividend_yield
    d1 = (np.log(s / k) + (r - q + v**2 / 2) * t) / (v * np.sqrt(t))
    d2 = d1 - v * np.sqrt(t)
    sign = np.where(options.is_call, 1, -1)
    grown, owed = s * np.exp(-q * t), k * np.exp(-r * t)
    price = sign * (grown * norm.cdf(sign * d1) - owed * norm.cdf(sign * d2))
    delta = sign * np.exp(-q * t) * norm.cdf(sign * d1)
    gamma = np.exp(-q * t) * norm.pdf(d1) / (s * v * np.sqrt(t))
    vega = s * np.exp(-q * t) * norm.pdf(d1) * np.sqrt(t) / 100
    theta = (
        -s * np.exp(-q * t) * norm.pdf(d1) * v / (2 * np.sqrt(t))
        + sign * q * s * np.exp(-q * t) * norm.cdf(sign * d1)
        - sign * r * k * np.exp(-r * t) * norm.cdf(sign * d2)
    ) / 365
    rho = sign * k * t * np.exp(-r * t) * norm.cdf(sign * d2) / 100
    return price, delta, gamma, theta, vega, rho


class QuantLibOption:
    """One QuantLib option per contract, made beforehand: the pricing alone is timed."""

    def __init__(self, options: Options, place: int, engine: str) -> None:
        today = QuantLib.Date(1, 1, 2024)
        QuantLib.Settings.instance().evaluationDate = today
        day_count = QuantLib.Actual365Fixed()
        numbers = [
            float(values[place])
            for values in (options.spot, options.volatility, options.rate, options.dividend_yield)
        ]
        self.quotes = [QuantLib.SimpleQuote(number) for number in numbers]
        spot, volatility, rate, dividends = map(QuantLib.QuoteHandle, self.quotes)
        process = QuantLib.BlackScholesMertonProcess(
            spot,
            *(
                QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, of, day_count))
                for of in (dividends, rate)
            ),
            QuantLib.BlackVolTermStructureHandle(
                QuantLib.BlackConstantVol(today, QuantLib.NullCalendar(), volatility, day_count)
            ),
        )
        kind = QuantLib.Option.Call if options.is_call[place] else QuantLib.Option.Put
        payoff = QuantLib.PlainVanillaPayoff(kind, float(options.strike[place]))
        end = today + round(options.years[place] * 365)
        if engine == "european":
            self.option = QuantLib.VanillaOption(payoff, QuantLib.EuropeanExercise(end))
            self.option.setPricingEngine(QuantLib.AnalyticEuropeanEngine(process))
        else:
            self.option = QuantLib.VanillaOption(payoff, QuantLib.AmericanExercise(today, end))
            self.option.setPricingEngine(
                QuantLib.BinomialVanillaEngine(process, "lr", 101)
                if engine == "tree"
                else QuantLib.QdFpAmericanEngine(process)
            )
        self.process = process

    def forget(self) -> None:
        """Move the spot there and back, so that nothing is remembered."""
        value = self.quotes[0].value()
        self.quotes[0].setValue(value * 1.01)
        self.quotes[0].setValue(value)

    def price(self) -> float:
        self.forget()
        return float(self.option.NPV())

    def greeks(self) -> tuple[float, ...]:
        self.forget()
        one = self.option
        return one.NPV(), one.delta(), one.gamma(), one.theta(), one.vega(), one.rho()


def kinds(options: Options) -> list[str]:
    return ["c" if call else "p" for call in options.is_call.tolist()]


def scalars(options: Options) -> list[tuple[float, ...]]:
    """Return spot, strike, years, rate, volatility and yield of each contract."""
    columns = (
        *(options.spot, options.strike, options.years),
        *(options.rate, options.volatility, options.dividend_yield),
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _miss(volatility: float, kind: str, market: tuple[float, ...], paid: float) -> float:
    """Return how far the formula at a volatility is from what was paid."""
    s, k, t, r, _, q = market
    sign = 1 if kind == "c" else -1
    d1 = (np.log(s / k) + (r - q + volatility**2 / 2) * t) / (volatility * np.sqrt(t))
    d2 = d1 - volatility * np.sqrt(t)
    grown, owed = s * np.exp(-q * t), k * np.exp(-r * t)
    return float(sign * (grown * norm.cdf(sign * d1) - owed * norm.cdf(sign * d2)) - paid)


def terms(options: Options) -> dict[str, Any]:
    """Return what pyvolr is told but for the volatility."""
    columns = (options.spot, options.strike, options.years, options.rate, options.dividend_yield)
    return dict(zip(("S", "K", "T", "r", "q"), columns, strict=True))


def test_european_prices_and_greeks(figures: Figures):
    options, few = drawn(OPTIONS), drawn(FEW)
    flags = np.where(options.is_call, 1, -1)  # what pyvolr is fastest with
    theirs = [QuantLibOption(few, place, "european") for place in range(FEW)]
    each = list(zip(kinds(few), scalars(few), strict=True))
    names = ("price", "delta", "gamma", "theta", "vega", "rho")

    def pyvolr_all() -> dict[str, np.ndarray]:
        market = {**terms(options), "sigma": options.volatility}
        greeks: Mapping[str, Any] = bs.greeks(flags, **market)
        return {"price": np.asarray(bs.price(flags, **market)), **greeks}

    def vollib_all() -> None:
        for kind, market in each:
            vollib.black_scholes_merton.black_scholes_merton(kind, *market)
            for greek in names[1:]:
                getattr(vollib_greeks, greek)(kind, *market)

    ours, of_pyvolr = european_greeks(options), pyvolr_all()
    for name, plain in zip(names, plain_numpy(options), strict=True):
        np.testing.assert_allclose(getattr(ours, name), plain, rtol=1e-9, atol=1e-10)
        # Its Greeks are per year and per unit.
        unit = {"theta": 1 / 365, "vega": 0.01, "rho": 0.01}.get(name, 1.0)
        np.testing.assert_allclose(getattr(ours, name), unit * of_pyvolr[name], 1e-9, 1e-10)
    figures.add(
        f"options: European price and five Greeks, {OPTIONS:,} at once, one core",
        beside(
            per_second(OPTIONS, lambda: european_greeks(options)),
            {
                "pyvolr": per_second(OPTIONS, pyvolr_all),
                "plain numpy": per_second(OPTIONS, lambda: plain_numpy(options)),
                "QuantLib": per_second(FEW, lambda: [one.greeks() for one in theirs], rounds=3),
                "vollib": per_second(FEW, vollib_all, rounds=1),
            },
        ),
        "at least 8 M/s",
    )


def test_european_implied_volatilities(figures: Figures):
    options, few = drawn(OPTIONS), drawn(FEW)
    price, few_prices = european_price(options), european_price(few)
    flags = np.where(options.is_call, 1, -1)  # what pyvolr is fastest with
    theirs = [QuantLibOption(few, place, "european") for place in range(FEW)]
    each = list(zip(kinds(few), scalars(few), few_prices.tolist(), strict=True))

    def pyvolr_all() -> np.ndarray:
        found = bs.implied_vol(price, flags, **terms(options), on_error="ignore")
        return np.asarray(found)

    def vollib_all() -> None:
        implied = vollib.black_scholes_merton.implied_volatility.implied_volatility
        for kind, (s, k, t, r, _, q), paid in each:
            implied(paid, s, k, t, r, q, kind)

    def quantlib_all() -> None:
        for one, (_, _, paid) in zip(theirs, each, strict=True):
            one.option.impliedVolatility(paid, one.process, 1e-8, 200, 1e-4, 5.0)

    def brent_all() -> None:
        for kind, market, paid in each[: FEW // 10]:
            brentq(_miss, 1e-4, 5.0, args=(kind, market, paid))

    ours = european_volatility(options, price).volatility
    solved = np.isfinite(ours)
    assert solved.mean() > 0.99
    np.testing.assert_allclose(ours[solved], options.volatility[solved], rtol=1e-6)
    np.testing.assert_allclose(ours[solved], pyvolr_all()[solved], rtol=1e-6)
    figures.add(
        f"options: European implied volatilities, {OPTIONS:,} at once, one core",
        beside(
            per_second(OPTIONS, lambda: european_volatility(options, price)),
            {
                "pyvolr": per_second(OPTIONS, pyvolr_all),
                "vollib": per_second(FEW, vollib_all, rounds=3),
                "QuantLib": per_second(FEW, quantlib_all, rounds=1),
                "scipy's brentq": per_second(FEW // 10, brent_all, rounds=1),
            },
        ),
        "at least 2 M/s",
    )


def test_american_prices_greeks_and_volatilities(figures: Figures):
    few = drawn(FEW)
    trees = [QuantLibOption(few, place, "tree") for place in range(FEW)]
    exact = [QuantLibOption(few, place, "exact") for place in range(FEW)]
    price = american_price(few)
    true = np.array([one.price() for one in exact])
    assert (np.abs(price - true) / np.maximum(true, few.strike / 100)).max() < 2.5e-3
    # QuantLib's tree is ours, but for one contract in twenty-five where it is further off.
    same = np.abs(price - [one.price() for one in trees]) / few.strike
    assert np.quantile(same, 0.9) < 1e-10
    figures.add(
        f"options: American prices on a tree of 101 steps, {FEW:,} at once, one core",
        beside(
            per_second(FEW, lambda: american_price(few)),
            {
                "QuantLib's same tree": per_second(FEW, lambda: [one.price() for one in trees], 3),
                "QuantLib's QdFp": per_second(FEW, lambda: [one.price() for one in exact], 3),
            },
        ),
    )
    figures.add(
        "the same, price and five Greeks; implied volatilities",
        f"{millions(per_second(FEW, lambda: american_greeks(few), 3))}; "
        f"{millions(per_second(FEW, lambda: american_volatility(few, price), 3))}",
    )


def test_revaluation_under_scenarios(figures: Figures):
    few = drawn(FEW)
    american = np.ones(FEW, dtype=bool)
    chance = np.random.default_rng(SEED)
    moves = np.expm1(chance.standard_t(5, (FEW, SCENARIOS)) * 0.02)
    changes = chance.normal(0, 0.05, (FEW, SCENARIOS))
    grid, european = revaluation_grid(few, american), revaluation_grid(few, ~american)
    cells = FEW * SCENARIOS

    def each(of: object, *scenarios: np.ndarray) -> str:
        return millions(per_second(cells, lambda: profit_and_loss(of, *scenarios), 3))  # type: ignore[arg-type]

    figures.add(
        "options: tables of early exercise, American contracts; 287 trees each instead",
        f"{millions(per_second(FEW, lambda: revaluation_grid(few, american), 3))}; "
        f"{millions(per_second(FEW, lambda: american_price(few)) / 287)}",
    )
    figures.add(
        f"options revalued in {SCENARIOS} scenarios of spot and volatility: American; European",
        f"{each(grid, moves, changes)}; {each(european, moves, changes)}",
    )
    figures.add(
        "the same, spot alone",
        f"{each(grid, moves)}; {each(european, moves)}",
    )

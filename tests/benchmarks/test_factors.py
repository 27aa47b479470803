"""What the factor model costs beside a loop over statsmodels, and how near it is to the truth."""

import statistics
import time

import numpy as np
import pytest
import statsmodels.api as sm

from risk_engine.quant.covariance import exponential_weights
from risk_engine.quant.factors import FACTORS, PRIOR_DEVIATIONS, WINDOW, estimate_loadings
from risk_engine.quant.market_beta import market_betas
from risk_engine.quant.regression import (
    least_squares,
    moments,
    newey_west_covariance,
    newey_west_lag,
)
from risk_engine.quant.shrinkage import Prior, choose_prior
from tests.benchmarks.figures import SEED, Figures, size
from tests.support.factor_truth import (
    covered,
    estimates,
    found_by_engine,
    panel_of,
    slope,
    stocks,
)

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

SYMBOLS = size("FACTOR_SYMBOLS", 5_000)
IN_A_LOOP = size("FACTOR_LOOP", 500)
ROUNDS = size("ROUNDS", 3)
SEEDS = size("FACTOR_SEEDS", 20)
STOCKS_EVERY = size("FACTOR_STOCKS_EVERY", 20)


def drawn(symbols):
    """Return factors and excess returns with a gap in five hundred."""
    chance = np.random.default_rng(SEED)
    factors = chance.normal(0, 0.01, (WINDOW, len(FACTORS)))
    excess = factors @ chance.normal(0, 0.5, (len(FACTORS), symbols))
    excess += chance.normal(0, 0.02, excess.shape)
    excess[chance.random(excess.shape) < 0.002] = np.nan
    return factors, excess


def timed(task, rounds):
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def test_all_symbols_at_once_beside_one_by_one(figures: Figures):
    factors, excess = drawn(SYMBOLS)
    weights = exponential_weights(WINDOW, 126)
    x = sm.add_constant(factors)
    lag = newey_west_lag(WINDOW)

    def together():
        data = moments(x, excess, weights)
        fit = least_squares(x, excess, data)
        return fit.coefficients, newey_west_covariance(x, data, fit, lag)

    def one_by_one():
        answers = []
        for symbol in range(IN_A_LOOP):
            there = np.isfinite(excess[:, symbol])
            model = sm.WLS(excess[there, symbol], x[there], weights=weights[there])
            fit = model.fit(cov_type="HAC", cov_kwds={"maxlags": lag})
            answers.append((fit.params, fit.bse))
        return answers

    coefficients, _ = together()
    for symbol, (theirs, _) in enumerate(one_by_one()):
        np.testing.assert_allclose(coefficients[symbol], theirs, rtol=1e-7, atol=1e-9)
    at_once = timed(together, ROUNDS) / SYMBOLS
    alone = timed(one_by_one, ROUNDS) / IN_A_LOOP
    prior = Prior(np.zeros((SYMBOLS, len(FACTORS))), np.array(PRIOR_DEVIATIONS))
    whole = timed(lambda: estimate_loadings(factors, excess, prior, np.full(SYMBOLS, 1e-5)), ROUNDS)
    betas = timed(lambda: market_betas(excess, factors[:, 0], np.zeros(SYMBOLS, bool)), ROUNDS)
    figures.add(
        f"{len(FACTORS)} factors, {WINDOW} sessions, {SYMBOLS:,} symbols, robust errors",
        f"{at_once * SYMBOLS:.2f} s; {alone / at_once:.0f} x a loop over statsmodels",
        "5 x",
    )
    figures.add(
        f"Loadings of {SYMBOLS:,} symbols with prior, validation and specific variance",
        f"{whole:.2f} s; market betas {betas:.2f} s",
    )
    assert alone / at_once > 3


def test_on_the_simulated_market_intervals_cover_the_truth(figures: Figures):
    symbols = stocks(every=STOCKS_EVERY)
    found = [estimates(seed, symbols) for seed in range(SEEDS)]
    rates = {
        "market beta": [covered(one.betas.beta, one.betas.error, one.beta) for one in found],
        "shrunk": [covered(one.shrunk, one.shrunk_error, one.beta) for one in found],
        "loadings": [
            covered(one.posterior.loadings, one.posterior.errors, one.loadings) for one in found
        ],
        "without a prior": [
            covered(one.plain.loadings, one.plain.errors, one.loadings) for one in found
        ],
    }
    shares = {name: float(np.mean(hits)) for name, hits in rates.items()}
    truth = np.concatenate([one.beta for one in found])
    slopes = {
        "shrunk": slope(np.concatenate([one.shrunk for one in found]), truth),
        "joint": slope(np.concatenate([one.posterior.loadings[:, 0] for one in found]), truth),
    }
    figures.add(
        f"95 % intervals that hold the truth, {SEEDS} seeds, {len(symbols)} stocks",
        ", ".join(f"{name} {share:.1%}" for name, share in shares.items()),
        "93-97 %",
    )
    figures.add(
        "True market beta per unit of the estimate",
        ", ".join(f"{name} {value:.3f}" for name, value in slopes.items()),
        "0.95-1.05",
    )
    for name, share in shares.items():
        assert 0.93 < share < 0.97, name
    for name, value in slopes.items():
        assert 0.95 < value < 1.05, name


def test_with_its_own_beliefs_the_engine_is_as_good_as_it_says(figures: Figures):
    symbols = stocks(every=STOCKS_EVERY)
    found = [found_by_engine(seed, symbols) for seed in range(SEEDS)]
    shares = {
        "market beta": [covered(one.shrunk, one.shrunk_error, one.beta) for one in found],
        "loadings": [covered(one.loadings, one.loading_errors, one.true) for one in found],
    }
    truth = np.concatenate([one.beta for one in found])
    slopes = {
        "market beta": slope(np.concatenate([one.shrunk for one in found]), truth),
        "joint": slope(np.concatenate([one.loadings[:, 0] for one in found]), truth),
    }
    figures.add(
        f"The engine's: 95 % intervals that hold the truth, {SEEDS} seeds, {len(symbols)} stocks",
        ", ".join(f"{name} {np.mean(hits):.1%}" for name, hits in shares.items()),
        "93-97 %",
    )
    figures.add(
        "The engine's: true market beta per unit of the estimate",
        ", ".join(f"{name} {value:.3f}" for name, value in slopes.items()),
        "0.95-1.05",
    )
    for name, hits in shares.items():
        assert 0.93 < np.mean(hits) < 0.97, name
    for name, value in slopes.items():
        assert 0.95 < value < 1.05, name


def test_which_beliefs_predict_best(figures: Figures):
    """The taus are given; this says which ones the simulated market would choose."""
    symbols = stocks(every=STOCKS_EVERY)
    styles, rates = (0.125, 0.25, 0.5, 1.0), (0.5, 2.0, 5.0)
    grid = [(style, rate) for style in styles for rate in rates]
    chosen = []
    for seed in range(min(SEEDS, 5)):
        factors, excess = panel_of(seed, symbols)
        x, y = sm.add_constant(factors[-WINDOW:]), excess[-WINDOW:]
        weights = exponential_weights(WINDOW, 126)
        variance = least_squares(x, y, moments(x, y, weights)).variance
        mean = np.zeros((len(symbols), x.shape[1]))
        mean[:, 1] = 1.0
        candidates = [
            Prior(mean, np.array([np.inf, 0.4, rate, *[style] * 6])) for style, rate in grid
        ]
        chosen.append(grid[choose_prior(x, y, weights, variance, candidates)])
    figures.add(
        "Taus of styles and rates by validation, seed by seed",
        ", ".join(f"{style:g} / {rate:g}" for style, rate in chosen),
        "0.5 / 5",
    )

"""The truth: estimators of the literature find it, as often as they say they do."""

from datetime import date

import numpy as np
import pytest

from simulator.factors import SESSIONS_PER_YEAR
from simulator.facts import total_returns
from simulator.market import Market
from simulator.truth import Truth
from simulator.universe import load_universe
from simulator.weather import Dial

START, END = date(2023, 10, 2), date(2025, 12, 31)
SESSIONS = 504
SEEDS = range(20)
TEXTBOOK = Dial(clustering=False, fat_tails=False)
UNIVERSE = load_universe()
STOCKS = [
    symbol
    for symbol, known in UNIVERSE.securities.items()
    if known.profile.kind == "stock" and known.listed_from == 0 and known.listed_through is None
][::80]
QUANTILE = 1.96


def log_returns(seed: int, dial: Dial) -> np.ndarray:
    """Return (sessions, the index and stocks); halts made returns of zero over the gap."""
    bars = Market(seed, dial).bars(["SPX", *STOCKS], START, END)
    return np.nan_to_num(np.log1p(total_returns(bars)[-SESSIONS:]))


def least_squares(returns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return betas on the first column, their usual errors and White's (HC1)."""
    x = returns[:, 0] - returns[:, 0].mean()
    y = returns[:, 1:] - returns[:, 1:].mean(axis=0)
    betas = x @ y / (x @ x)
    residuals = y - np.outer(x, betas)
    count = len(x)
    usual = np.sqrt((residuals**2).sum(axis=0) / (count - 2) / (x @ x))
    white = np.sqrt((x[:, None] ** 2 * residuals**2).sum(axis=0) * count / (count - 2)) / (x @ x)
    return betas, usual, white


def test_betas_are_covered_at_their_nominal_rate_on_the_full_market():
    """White's errors, for the market's volatility and the stocks' own rise together.

    The usual ones take them for unrelated, are too small by a tenth and cover nine of ten: what
    White (1980) is for.
    """
    truth = Truth(Market()).beta(STOCKS)
    covered, covered_as_usual = [], []
    for seed in SEEDS:
        betas, usual, white = least_squares(log_returns(seed, Dial()))
        covered.append(np.abs(betas - truth) < QUANTILE * white)
        covered_as_usual.append(np.abs(betas - truth) < QUANTILE * usual)
    assert 0.93 < np.mean(covered) < 0.97
    assert 0.87 < np.mean(covered_as_usual) < 0.93


def test_in_the_textbook_market_the_usual_intervals_cover_the_truth():
    truth = Truth(Market(dial=TEXTBOOK))
    beta, volatility = truth.beta(STOCKS), truth.volatility(STOCKS)
    correlation = np.arctanh(truth.correlation(STOCKS)[np.triu_indices(len(STOCKS), 1)])
    betas_covered, volatilities_covered, correlations_covered = [], [], []
    for seed in SEEDS:
        returns = log_returns(seed, TEXTBOOK)
        betas, usual, _ = least_squares(returns)
        betas_covered.append(np.abs(betas - beta) < QUANTILE * usual)
        sample = returns[:, 1:].std(axis=0, ddof=1) * np.sqrt(SESSIONS_PER_YEAR)
        error = sample / np.sqrt(2 * (SESSIONS - 1))
        volatilities_covered.append(np.abs(sample - volatility) < QUANTILE * error)
        pairs = np.corrcoef(returns[:, 1:], rowvar=False)[np.triu_indices(len(STOCKS), 1)]
        distance = np.abs(np.arctanh(pairs) - correlation)
        correlations_covered.append(distance < QUANTILE / np.sqrt(SESSIONS - 3))
    for covered in (betas_covered, volatilities_covered, correlations_covered):
        assert 0.93 < np.mean(covered) < 0.97


def test_an_interval_for_another_truth_does_not_cover_it():
    """The harness above can tell: a volatility a tenth too high is found out."""
    volatility = 1.1 * Truth(Market()).volatility(STOCKS)
    covered = []
    for seed in list(SEEDS)[:5]:
        sample = log_returns(seed, TEXTBOOK)[:, 1:].std(axis=0, ddof=1) * np.sqrt(SESSIONS_PER_YEAR)
        error = sample / np.sqrt(2 * (SESSIONS - 1))
        covered.append(np.abs(sample - volatility) < QUANTILE * error)
    assert np.mean(covered) < 0.3


def test_the_conditional_covariance_standardises_returns():
    """Divided by what was true as each session began, returns have a variance of one."""
    market = Market(3)
    truth = Truth(market)
    bars = market.bars(["SPX", "XLE", "TLT"], START, END)
    returns = np.log1p(total_returns(bars))
    scaled = [
        returns[at - 1] / truth.volatility(bars.symbols, session) * np.sqrt(SESSIONS_PER_YEAR)
        for at, session in list(enumerate(bars.sessions))[1:]
    ]
    assert np.var(scaled, axis=0) == pytest.approx([1, 1, 1], abs=0.2)


def test_the_mean_of_conditional_variances_is_the_mean_variance():
    symbols = ("SPX", "AAPL", "XLE", "TLT", "GLD")
    ratios = []
    for seed in range(60):
        truth = Truth(Market(seed))
        for year in range(2016, 2027):
            session = Market(seed).scene(date(year, 6, 30)).sessions[252 * (year - 2015)]
            ratios.append(truth.volatility(symbols, session) ** 2 / truth.volatility(symbols) ** 2)
    error = np.std(ratios, axis=0) / np.sqrt(len(ratios) / 3)
    assert np.all(np.abs(np.mean(ratios, axis=0) - 1) < 4 * error)


def test_factor_funds_carry_their_factor_as_the_engines_construct_it():
    """IWM-SPY, VTV-VUG, MTUM-SPY, QUAL-SPY, USMV: what is left of the market is the factor."""
    market = Market(5)
    truth = Truth(market)
    funds = ("SPY", "IWM", "VTV", "VUG", "MTUM", "QUAL", "USMV")
    loadings = dict(zip(funds, truth.loadings(funds), strict=True))
    spreads = {
        "size": loadings["IWM"] - loadings["SPY"],
        "value": loadings["VTV"] - loadings["VUG"],
        "momentum": loadings["MTUM"] - loadings["SPY"],
        "quality": loadings["QUAL"] - loadings["SPY"],
        "low_volatility": loadings["USMV"],
    }
    beside = [truth.factors.index("market"), truth.factors.index("cash")]
    for name, spread in spreads.items():
        unit = np.zeros(len(truth.factors))
        unit[truth.factors.index(name)] = 1
        residual = np.delete(spread - unit, beside)
        assert np.abs(residual).max() < 1e-12, name


def test_days_without_a_session_have_no_truth():
    truth = Truth(Market())
    for day in (date(2026, 11, 21), date(2014, 12, 31), date.max):
        for ask in (truth.covariance, truth.own_variance_ratio):
            with pytest.raises(ValueError, match="no session of the simulated market"):
                ask(["AAPL"], day)
        with pytest.raises(ValueError, match="no session"):
            truth.variance_ratios(day)


def test_what_does_not_vary_correlates_with_nothing():
    correlation = Truth(Market()).correlation(["SPAXX", "AAPL"])
    assert np.isnan(correlation[0]).all()
    assert correlation[1, 1] == pytest.approx(1)


def test_symbols_that_are_not_listed_have_no_truth():
    with pytest.raises(LookupError, match="NO_SUCH"):
        Truth(Market()).loadings(["NO_SUCH"])

"""Stylised facts: what the market's prices have in common with those of real ones.

The usual ranges are those of American stocks over the last decades, wide enough for a decade of its
own; see Cont, "Empirical properties of asset returns" (2001), for most of them.
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.draws import Floats
from simulator.factors import EPOCH, SESSIONS_PER_YEAR
from simulator.market import Bars, Market
from simulator.universe import load_universe

_LAGS = 120
_FULL_SHARE = 0.99
"""Of the sessions: what was listed for less is left out, so that all have the same dates."""


class Fact(NamedTuple):
    """A measured fact and where it usually lies."""

    name: str
    value: float
    low: float
    high: float

    @property
    def usual(self) -> bool:
        """Return whether it lies there."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """The facts, and the autocorrelations behind two of them."""

    table: tuple[Fact, ...]
    memory: tuple[Floats, Floats]
    """Autocorrelation of returns and of absolute returns, lag 1 first, mean of all stocks."""


def stylised_facts(market: Market, as_of: date, *, every: int = 1) -> Facts:
    """Return the facts of all stocks that were listed nearly all the time up to a session.

    `every`: of each so many stocks one is enough, for a quicker look.
    """
    known = load_universe().securities
    stocks = [symbol for symbol in market.symbols() if known[symbol].profile.kind == "stock"]
    bars = market.bars(stocks[::every], EPOCH, as_of)
    kept = np.flatnonzero(bars.traded.mean(axis=0) >= _FULL_SHARE)
    returns = total_returns(bars)[:, kept]
    sectors = np.array([known[bars.symbols[column]].profile.sector for column in kept])
    funds = market.bars(["SPY", "SPX", "IWM"], EPOCH, as_of)
    index, fund = total_returns(funds)[:, 1], total_returns(funds)[:, 0]

    volatility = np.nanstd(returns, axis=0) * np.sqrt(SESSIONS_PER_YEAR)
    tenth, median, ninetieth = np.percentile(volatility, (10, 50, 90))
    filled = np.nan_to_num(returns)
    memory = autocorrelation(filled), autocorrelation(np.abs(filled))
    within, across, shares = _togetherness(filled, sectors)
    table = (
        Fact("annual volatility of a stock, median", median, 0.25, 0.50),
        Fact("the same, 90th over 10th percentile", ninetieth / tenth, 1.5, 4.0),
        Fact("annual volatility of the index", _annual(index), 0.12, 0.25),
        Fact("excess kurtosis of a stock, median", _kurtosis(returns), 3.0, 25.0),
        Fact("excess kurtosis of the index", _kurtosis(index[:, None]), 2.0, 25.0),
        Fact("autocorrelation of returns, lag 1", memory[0][0], -0.05, 0.05),
        Fact("the same of absolute returns, lag 1", memory[1][0], 0.08, 0.35),
        Fact("the same, lag 20", memory[1][19], 0.05, 0.25),
        Fact("the same, lag 100", memory[1][99], 0.01, 0.15),
        Fact("correlation of two stocks of one sector, mean", within, 0.2, 0.55),
        Fact("correlation of two stocks of two sectors, mean", across, 0.1, 0.45),
        Fact("share of variance of the first principal component", shares[0], 0.1, 0.45),
        Fact("share of variance of the first ten", shares[:10].sum(), 0.2, 0.6),
        Fact("deepest drawdown of a stock, median", _drawdown(returns), 0.4, 0.9),
        Fact("deepest drawdown of the index", _drawdown(index[:, None]), 0.15, 0.6),
        Fact("tracking error of the index fund, per year", _annual(fund - index), 0.0, 0.01),
        Fact("volatility after a fall over after a rise", _leverage(index), 1.02, 1.6),
    )
    return Facts(table, memory)


def total_returns(bars: Bars) -> Floats:
    """Return simple daily returns with splits and dividends, (sessions - 1, symbols).

    NaN on and after a session without a trade: over a gap there is no daily return.
    """
    before, after = bars.close[:-1], bars.close[1:]
    gained: Floats = after * bars.split_ratio[1:] + bars.dividend[1:]
    return gained / before - 1


def autocorrelation(series: Floats, lags: int = _LAGS) -> Floats:
    """Return the autocorrelation at lags 1, 2, ..., mean over the columns of a series."""
    centred = series - series.mean(axis=0)
    centred /= np.sqrt((centred**2).sum(axis=0))
    together = [(centred[lag:] * centred[:-lag]).sum() for lag in range(1, lags + 1)]
    return np.asarray(np.array(together) / centred.shape[1])


def _togetherness(returns: Floats, sectors: NDArray[np.str_]) -> tuple[float, float, Floats]:
    scaled = (returns - returns.mean(axis=0)) / returns.std(axis=0)
    count = len(sectors)
    # Mean correlation of a set of stocks from the variance of their sum: no matrix of all pairs.
    everyone = _pair_sum(scaled)
    inside, pairs = 0.0, 0.0
    for sector in set(sectors.tolist()):
        members = scaled[:, sectors == sector]
        inside += _pair_sum(members)
        pairs += members.shape[1] * (members.shape[1] - 1)
    all_pairs = count * (count - 1)
    # Sessions are fewer than stocks: their small matrix has the same eigenvalues.
    values = np.linalg.eigvalsh(scaled @ scaled.T)[::-1]
    return inside / pairs, (everyone - inside) / (all_pairs - pairs), values / values.sum()


def _pair_sum(scaled: Floats) -> float:
    return float(scaled.sum(axis=1).var() - scaled.shape[1])


def _annual(returns: Floats) -> float:
    return float(np.nanstd(returns) * np.sqrt(SESSIONS_PER_YEAR))


def _kurtosis(returns: Floats) -> float:
    centred = returns - np.nanmean(returns, axis=0)
    fourth, second = np.nanmean(centred**4, axis=0), np.nanmean(centred**2, axis=0)
    return float(np.median(fourth / second**2 - 3))


def _drawdown(returns: Floats) -> float:
    path = np.cumsum(np.log1p(np.nan_to_num(returns)), axis=0)
    depth = np.max(np.maximum.accumulate(path, axis=0) - path, axis=0)
    return float(np.median(-np.expm1(-depth)))


def _leverage(returns: Floats, ahead: int = 10) -> float:
    following = np.sqrt(np.convolve(returns[1:] ** 2, np.ones(ahead) / ahead, "valid"))
    today = returns[: len(following)]
    return float(following[today < 0].mean() / following[today > 0].mean())

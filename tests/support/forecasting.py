"""Value at risk of simulated markets, day by day, against what then happened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np

from common import calendar
from risk_engine.quant.backtest import Forecasts, Holdings, filtered_forecasts
from risk_engine.quant.filtered_simulation import WINDOW, surprises
from risk_engine.quant.volatility import ewma_volatility
from simulator.facts import total_returns
from simulator.market import Market

LAST_DAY = date(2025, 12, 31)
BURN_IN = 60
SYMBOLS = ("SPY", "AAPL", "JPM", "XLE", "TLT", "TSLA", "KO", "MSFT", "GLD", "UNH")
EXPOSURE = np.array([2.0, 1, 1, 1, 2, 0.5, 1, 1, 1, 1])
"""Of an ordinary book: shares, a bond fund and gold."""
_DAYS_AT_ONCE = 250


@dataclass(frozen=True)
class Exceedances:
    """How many days there were, and how many were worse than the forecast, (confidences,)."""

    days: int
    count: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """Return the fraction of days, (confidences,)."""
        return self.count / self.days


def forecasts(returns: np.ndarray, exposure: np.ndarray, days: int) -> Iterable[Forecasts]:
    """Forecast a linear book on each of the last `days`, in pieces, from the days before."""
    volatility = ewma_volatility(returns)
    surprise = surprises(returns, volatility)
    holdings = Holdings(0.0, exposure, np.zeros_like(exposure))
    for first in range(len(returns) - days, len(returns), _DAYS_AT_ONCE):
        end = min(first + _DAYS_AT_ONCE, len(returns))
        yield filtered_forecasts(
            holdings, surprise[:end], volatility[: end + 1], returns[:end], days=end - first
        )


def joined(pieces: Iterable[Forecasts]) -> Forecasts:
    """Put pieces together again."""
    listed = list(pieces)
    return Forecasts(
        pnl=np.concatenate([one.pnl for one in listed], axis=1),
        value_at_risk=np.concatenate([one.value_at_risk for one in listed], axis=2),
        expected_shortfall=np.concatenate([one.expected_shortfall for one in listed], axis=2),
        tail=np.concatenate([one.tail for one in listed], axis=1),
    )


def simulated_returns(
    seed: int, days: int, symbols: Sequence[str] = SYMBOLS, last: date = LAST_DAY
) -> np.ndarray:
    """Return returns of a market of its own, long enough to forecast the last `days`.

    A session without a trade is one without a gain.
    """
    first = calendar.session_back(last, WINDOW + BURN_IN + days)
    return np.nan_to_num(total_returns(Market(seed).bars(symbols, first, last)))


def pooled_exceedances(seeds: Iterable[int], days: int, scale: float = 1.0) -> Exceedances:
    """Count days beyond `scale` times the value at risk over markets of many seeds."""
    total, count = 0, np.zeros(3, dtype=np.int64)
    for seed in seeds:
        pnl, value_at_risk = _forecast(seed, days)
        count += (-pnl > scale * value_at_risk).sum(axis=1)
        total += pnl.size
    return Exceedances(total, count)


@cache
def _forecast(seed: int, days: int) -> tuple[np.ndarray, np.ndarray]:
    # What happened, (days,), and value at risk, (confidences, days).
    found = joined(forecasts(simulated_returns(seed, days), EXPOSURE, days))
    return found.pnl[0], found.value_at_risk[0]

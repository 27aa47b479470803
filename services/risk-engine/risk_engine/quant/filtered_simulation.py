"""Turn a history of returns into what could happen tomorrow: filtered historical simulation.

Axes: (sessions, series), a series being a symbol or a factor. Returns are simple, decimals per
session. Each past return is measured in the volatility it was made in and repeated in tomorrow's:
r_t s_{T+1} / s_t (Hull and White, Incorporating Volatility Updating into the Historical Simulation
Method, 1998; Barone-Adesi, Giannopoulos and Vosper, VaR without Correlations, 1999).
"""

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from risk_engine.quant.panel import FloatArray, IntArray
from risk_engine.quant.parametric import DEGREES_OF_FREEDOM
from risk_engine.quant.volatility import ewma_volatility

KeyArray = npt.NDArray[np.uint64]

WINDOW = 504
MAX_SURPRISE = 15.0
"""A return in volatilities of its day. A fund whose price stood still for a month and then jumped
would be hundreds, and repeated at the volatility of the jump it would be no forecast."""
_RESIDUALS = 1
"""What a key's stream is for, so that no two uses of a symbol's key draw the same numbers."""


def surprises(returns: FloatArray, volatility: FloatArray) -> FloatArray:
    """Return r_t / s_t, (sessions, series), at most MAX_SURPRISE either way.

    `volatility` is (sessions + 1, series), row t known before session t: see `ewma_volatility`.
    0 for no return in no volatility; NaN where either is.
    """
    before = volatility[: len(returns)]
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = np.where(returns == 0, np.where(np.isnan(before), np.nan, 0.0), returns / before)
    return np.asarray(np.clip(measured, -MAX_SURPRISE, MAX_SURPRISE))


def filtered_returns(returns: FloatArray, window: int = WINDOW) -> FloatArray:
    """Return the last `window` sessions' returns as they would be tomorrow, (window, series).

    r_t s_{T+1} / s_t with volatilities by EWMA at 0.94, never below -1: nobody owes for a share.
    NaN where the return is, or too few came before it to know its volatility.
    """
    volatility = ewma_volatility(returns)
    scenarios = surprises(returns, volatility)[-window:] * volatility[-1]
    return np.asarray(np.maximum(scenarios, -1.0))


def fill_from_factors(
    returns: FloatArray, factor_returns: FloatArray, betas: FloatArray, residuals: FloatArray
) -> FloatArray:
    """Put B f + e where a return is not known, (sessions, symbols), before anything is filtered.

    `factor_returns` is (sessions, factors), `betas` (symbols, factors), `residuals` as returns.
    NaN stays where the model knows nothing either; no known return is touched.
    """
    gaps = np.flatnonzero(np.isnan(returns).any(axis=0))
    filled = returns.copy()
    if gaps.size:
        modelled = residuals[:, gaps].copy()
        # Not a matrix product, whose last digits depend on how many symbols there are.
        for factor, loading in zip(factor_returns.T, betas[gaps].T, strict=True):
            modelled += factor[:, None] * loading
        known = ~np.isnan(returns[:, gaps])
        filled[:, gaps] = np.where(known, returns[:, gaps], np.maximum(modelled, -1.0))
    return filled


def drawn_residuals(
    key: KeyArray, day: IntArray, volatility: FloatArray, degrees: float = DEGREES_OF_FREEDOM
) -> FloatArray:
    """Draw what is a symbol's own, (sessions, symbols): Student t of the given volatility.

    `key` is a number of each symbol's name, `day` the day number of each session, `volatility`
    (symbols,) per session. The number of a symbol on a day is always the same, whatever other
    symbols and days are asked for: Philox counts (Salmon et al., Parallel Random Numbers: As Easy
    as 1, 2, 3, 2011), its key the symbol's and its counter the day.
    """
    drawn = np.empty((len(day), len(key)))
    if not drawn.size:
        return drawn
    first, last = int(day.min()), int(day.max())
    for column, one in enumerate(key.tolist()):
        bits = np.random.Philox(key=[one, _RESIDUALS], counter=first)
        words = bits.random_raw(4 * (last - first + 1)).reshape(-1, 4)[day - first, 0]
        # The middle of one of 2**53 cells: never 0 or 1.
        drawn[:, column] = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    unit = np.sqrt((degrees - 2) / degrees)
    return np.asarray(stdtrit(degrees, drawn) * unit * volatility)

"""What the underlyings of a chunk did: their returns, gaps filled.

Axes: (sessions, underlyings), the sessions being those of `market.prices` but the first, which has
none before it. Returns are simple, as decimals. NaN is not known.
Cash and its like, Treasury bill funds among them, return nothing in every session: the interest
they pay is no risk.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np

from risk_engine.domain import Prices
from risk_engine.engine.factor_model import FactorModel
from risk_engine.engine.underlyings import Key, Underlyings
from risk_engine.quant.conditional import conditional_shocks
from risk_engine.quant.filtered_simulation import drawn_residuals, fill_from_factors
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.returns import MIN_COVERAGE, coverage

WINDOW: Final = 252
MINIMUM: Final = 60

OWN, PROXIED, UNMODELLED = range(3)
SOURCES: Final = ("own", "proxied", "unmodelled")


@dataclass(frozen=True, eq=False)
class Histories:
    """Returns of underlyings, (sessions, underlyings), and what they are worth, (underlyings,).

    `source` is OWN where the last WINDOW sessions have MINIMUM returns or more and four of five
    since the first close; PROXIED where the factor model speaks for a private asset or one with a
    shorter history; UNMODELLED where nothing does. Returns of an OWN one are filled from factors
    where it has none. `observations` are its own returns in the window; a `stale` one is OWN and
    its last close is of an earlier session: one that never had a close is not.
    """

    returns: FloatArray
    source: IntArray
    observations: IntArray
    stale: BoolArray


def histories_of(underlyings: Underlyings, prices: Prices, model: FactorModel) -> Histories:
    """Complete the histories of underlyings, by the factor model where they have gaps."""
    cash = model.is_cash
    returns = np.where(cash, 0.0, underlyings.returns[1:])
    filled = _filled(returns, underlyings, prices, model)
    found = coverage(underlyings.closes(prices), underlyings.returns, WINDOW)
    with np.errstate(invalid="ignore"):
        own = (found.observations >= MINIMUM) & (found.share >= MIN_COVERAGE)
    proxied = np.isfinite(filled[-WINDOW:]).mean(axis=0) >= MIN_COVERAGE
    own |= cash
    source = np.where(own, OWN, np.where(proxied, PROXIED, UNMODELLED))
    return Histories(
        returns=filled,
        source=source.astype(np.int64),
        observations=found.observations,
        stale=own & (found.age > 0),
    )


def factor_returns(model: FactorModel) -> FloatArray:
    """Return the factors' returns in the sessions of histories, (sessions, factors).

    One that is not known counts as expected given the session's known ones, F_UA F_AA^-1 f_A with
    the covariance F: 0 where nothing of a session is known, for returns have no mean here. NaN
    before the first session whose market is known, and of factors that are not available.
    """
    market, use = model.factors.index("MKT"), model.available
    told = np.where(use, model.recent[1:], np.nan)
    if use[market]:
        begun = np.maximum.accumulate(np.isfinite(told[:, market]))
        rows = np.flatnonzero(begun & lacks_factors(model))
        told[np.ix_(rows, use)] = conditional_shocks(
            told[np.ix_(rows, use)], model.covariance[np.ix_(use, use)]
        )
    return told


def lacks_factors(model: FactorModel) -> BoolArray:
    """Tell in which sessions of histories an available factor is not known, (sessions,)."""
    return np.asarray(np.isnan(model.recent[1:, model.available]).any(axis=1), dtype=np.bool_)


def _filled(
    returns: FloatArray, underlyings: Underlyings, prices: Prices, model: FactorModel
) -> FloatArray:
    if not model.available[model.factors.index("MKT")]:
        # The other factors are what is left of funds without the market: nothing by themselves.
        return returns
    return fill_from_factors(
        returns,
        factor_returns(model)[:, model.available],
        model.loadings[:, model.available],
        _residuals(returns, underlyings, prices, model),
    )


def _residuals(
    returns: FloatArray, underlyings: Underlyings, prices: Prices, model: FactorModel
) -> FloatArray:
    # Only where a return is not known: the rest is never looked at.
    gaps = np.flatnonzero(np.isnan(returns).any(axis=0))
    day = np.array([one.toordinal() for one in prices.sessions[1:]], dtype=np.int64)
    key = np.array([number_of(underlyings.keys[one]) for one in gaps], dtype=np.uint64)
    drawn = np.zeros_like(returns)
    drawn[:, gaps] = drawn_residuals(key, day, np.sqrt(model.specific_variance[gaps]))
    return drawn


def number_of(key: Key) -> int:
    """Number an underlying, the same in every chunk and on every machine: what its draws are by."""
    return int.from_bytes(blake2b(repr(tuple(key)).encode(), digest_size=8).digest())

"""Spread exposures over sectors, looking through funds, and compare them with a benchmark.

Axes: (pairs,) of an account and an underlying, (accounts, sectors). Units: money, or fractions of
what is named. Signs: short is negative. The exposures are dollar deltas netted per underlying, so
that a put on a share takes away from the sector its owner is long in.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from risk_engine.quant.exposure import Pairs
from risk_engine.quant.panel import BoolArray, FloatArray

LEAST_NET = 0.20
"""Net equity exposure, of NAV: with less, weights within it say nothing about a manager's view."""


@dataclass(frozen=True, eq=False)
class SectorExposures:
    """Exposures by sector, (accounts, sectors): short is zero or below, gross = long - short."""

    long: FloatArray
    short: FloatArray
    gross: FloatArray
    net: FloatArray


def sector_exposures(
    pairs: Pairs, dollar_delta: FloatArray, composition: FloatArray
) -> SectorExposures:
    """Spread each pair's dollar delta over what its underlying is made of.

    `composition` is (underlyings, sectors), fractions whose rows add up to 1. NaN deltas are left
    out; a sector in which there are no others is NaN. A fund held long beside a share held short in
    the same sector is long and short there.
    """
    unknown = np.isnan(dollar_delta)
    known = np.where(unknown, 0.0, dollar_delta)
    lost = _spread(pairs, 1.0 * unknown, composition) > 0
    lost &= _spread(pairs, 1.0 * ~unknown, composition) == 0
    long = np.where(lost, np.nan, _spread(pairs, np.maximum(known, 0.0), composition))
    short = np.where(lost, np.nan, _spread(pairs, np.minimum(known, 0.0), composition))
    return SectorExposures(long, short, long - short, long + short)


def active_weights(
    net: FloatArray,
    is_equity: BoolArray,
    benchmark: FloatArray,
    net_asset_value: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the weight of each sector in net equity exposure, and that less the benchmark's.

    `net` is (accounts, sectors); `is_equity` and `benchmark` are (sectors,), the latter's weights
    adding up to 1. Both answers are fractions, (accounts, sectors), NaN for what is not equity or
    not known, and for an account whose net equity exposure is not above LEAST_NET of a NAV above
    zero.
    """
    equity = np.where(is_equity, np.nan_to_num(net), 0.0).sum(axis=1, keepdims=True)
    nav = net_asset_value[:, np.newaxis]
    stated = is_equity & (nav > 0) & (equity > LEAST_NET * nav)
    weight = np.divide(net, equity, out=np.full(net.shape, np.nan), where=stated)
    return weight, weight - benchmark


def _spread(pairs: Pairs, amount: FloatArray, composition: FloatArray) -> FloatArray:
    # One row per account, whose pairs stand together in ascending order: the sums are made in that
    # order, whoever else is in the chunk.
    first = np.searchsorted(pairs.account, np.arange(pairs.accounts + 1))
    held = sparse.csr_array(
        (amount, pairs.underlying, first), shape=(pairs.accounts, len(composition))
    )
    return np.asarray(held @ composition, dtype=np.float64).reshape(pairs.accounts, -1)

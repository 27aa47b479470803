"""Say how concentrated accounts are, by the exposures to their underlyings.

Axes: (pairs,) of an account and an underlying, and (accounts,). Shares are of gross exposure, so
that a short counts like a long and no share is negative. Everything is a fraction of 1. Two lots of
one underlying are one pair: they are netted before (`quant.exposure.net_by_pair`).

Hirschman (1964) and Herfindahl (1950): HHI, the sum of squared shares; its inverse is the number of
equal shares with the same HHI.
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.exposure import share_of
from risk_engine.quant.panel import FloatArray, IntArray, sum_by

TOP = (1, 3, 5, 10)


@dataclass(frozen=True, eq=False)
class Concentration:
    """How gross exposure is spread, (accounts,); NaN where there is none.

    `herfindahl` is from 1 / names to 1; `effective_number` its inverse. `top` is (accounts, 4): the
    share of the largest 1, 3, 5 and 10. `names` counts the underlyings with an exposure.
    """

    herfindahl: FloatArray
    effective_number: FloatArray
    top: FloatArray
    names: IntArray


def concentration(account: IntArray, exposure: FloatArray, accounts: int) -> Concentration:
    """Measure the concentration of signed exposures, (pairs,); NaN ones are left out."""
    known = np.isfinite(exposure) & (exposure != 0)
    account, size = account[known], np.abs(exposure[known])
    share = gross_shares(account, size, accounts)
    names = np.bincount(account, minlength=accounts)
    held = names > 0
    herfindahl = np.where(held, sum_by(account, share**2, accounts), np.nan)
    rank = rank_by_size(account, size)
    top = [sum_by(account[rank < most], share[rank < most], accounts) for most in TOP]
    return Concentration(
        herfindahl=herfindahl,
        effective_number=1.0 / herfindahl,
        top=np.where(held[:, np.newaxis], np.stack(top, axis=1), np.nan),
        names=names.astype(np.int64),
    )


def gross_shares(account: IntArray, exposure: FloatArray, accounts: int) -> FloatArray:
    """Return |exposure| / gross exposure of the account, (pairs,).

    NaN where the exposure is NaN, or where the account has none.
    """
    size = np.abs(exposure)
    gross = sum_by(account, np.nan_to_num(size), accounts)
    return share_of(size, gross[account])


def rank_by_size(account: IntArray, size: FloatArray) -> IntArray:
    """Return each pair's place among those of its account, the largest 0; ties by position."""
    order = np.lexsort((-size, account))
    ordered = account[order]
    first = np.searchsorted(ordered, ordered, side="left")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - first
    return rank

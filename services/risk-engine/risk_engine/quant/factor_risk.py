"""Take portfolios' risk apart: by factor, by position, and what belongs to single names.

Axes: positions are (positions,) of many accounts at once, each with the row of its account and of
its underlying; (accounts, factors), (underlyings, factors). A weight is dollar delta over net asset
value, short negative. Variances are per session. Sources: Litterman 1996 (Hot spots and hedges);
Meucci, Risk and Asset Allocation, ch. 6 (Euler); Grinold and Kahn, Active Portfolio Management,
ch. 3.
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray, IntArray

FLAT = 1e-9
"""Of what was added up: a sum below it is what rounding left of a perfect hedge."""


@dataclass(frozen=True, eq=False)
class Positions:
    """What accounts hold, (positions,); both rows must be there."""

    account: IntArray
    underlying: IntArray
    weight: FloatArray

    def part(self, some: BoolArray) -> "Positions":
        """Return some of the positions."""
        return Positions(self.account[some], self.underlying[some], self.weight[some])


@dataclass(frozen=True, eq=False)
class RiskModel:
    """r = b f + e: loadings b (underlyings, factors), covariance of f, variance of e."""

    loadings: FloatArray
    covariance: FloatArray
    specific_variance: FloatArray

    @property
    def known(self) -> BoolArray:
        """Tell which underlyings have all of it, (underlyings,)."""
        loaded = np.isfinite(self.loadings).all(axis=1)
        return np.asarray(loaded & np.isfinite(self.specific_variance), dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Where each account's variance comes from.

    `exposures` x are (accounts, factors). Contributions are fractions of the account's variance:
    those of the factors and `specific_share` add up to 1, and so do those of its positions, each of
    which has a part through factors and a specific one. A hedge's are negative. NaN for an account
    without variance (of a volatility below FLAT of the undiversified one), for one without
    positions in the model, and for a position that is not in it.
    """

    exposures: FloatArray
    factor_variance: FloatArray
    specific_variance: FloatArray
    factor_contributions: FloatArray
    specific_share: FloatArray
    position_factor: FloatArray
    position_specific: FloatArray

    @property
    def variance(self) -> FloatArray:
        """Return the variance of each account, (accounts,)."""
        return np.asarray(self.factor_variance + self.specific_variance)

    @property
    def position_contributions(self) -> FloatArray:
        """Return each position's share of its account's variance, (positions,)."""
        return np.asarray(self.position_factor + self.position_specific)


def decompose(positions: Positions, model: RiskModel, accounts: int) -> Decomposition:
    """Decompose s^2 = x'Fx + sum h_u^2 D_u, with x = B'h.

    Specific risk is by underlying and not by position: a share and an option on it are one name.
    Positions that the model does not know (their weight or underlying) are left out.
    """
    known = np.isfinite(positions.weight) & model.known[positions.underlying]
    held = positions.part(known)
    loadings = model.loadings[held.underlying]
    net = net_weights(held)
    # What is flat in an underlying is exposed to nothing, not to what rounding leaves.
    counted = np.where(net == 0, 0.0, held.weight)
    exposures = _sum_rows(held.account, counted[:, np.newaxis] * loadings, accounts)
    # Not a matrix product, whose last digits depend on how many accounts there are.
    shared = (exposures[:, :, np.newaxis] * model.covariance).sum(axis=1)
    # h_u D_u for each position; summed with its own weight it is h_u^2 D_u.
    specific = held.weight * net * model.specific_variance[held.underlying]
    systematic = held.weight * (loadings * shared[held.account]).sum(axis=1)
    own = np.bincount(held.account, specific, minlength=accounts)
    common = (exposures * shared).sum(axis=1)
    some = np.bincount(held.account, minlength=accounts) > 0
    least = (FLAT * _undiversified(held, loadings, model, accounts)) ** 2
    variance = np.where(some & (common + own > least), common + own, np.nan)
    by_factor = np.full(positions.weight.shape, np.nan)
    by_name = by_factor.copy()
    by_factor[known] = systematic / variance[held.account]
    by_name[known] = specific / variance[held.account]
    return Decomposition(
        exposures=np.where(some[:, np.newaxis], exposures, np.nan),
        factor_variance=np.where(some, common, np.nan),
        specific_variance=np.where(some, own, np.nan),
        factor_contributions=exposures * shared / variance[:, np.newaxis],
        specific_share=own / variance,
        position_factor=by_factor,
        position_specific=by_name,
    )


def net_weights(positions: Positions) -> FloatArray:
    """Return for each position what its account holds of its underlying in all, (positions,).

    Exactly 0 where lots cancel but for rounding.
    """
    width = int(positions.underlying.max(initial=-1)) + 1
    pairs, place = np.unique(
        positions.account * max(width, 1) + positions.underlying, return_inverse=True
    )
    return netted(place, positions.weight, len(pairs))[place]


def netted(place: IntArray, amounts: FloatArray, places: int) -> FloatArray:
    """Add up amounts by place, (places,): a sum below FLAT of their sizes' is 0."""
    total = np.bincount(place, amounts, minlength=places)
    gross = np.bincount(place, np.abs(amounts), minlength=places)
    return np.asarray(np.where(np.abs(total) <= FLAT * gross, 0.0, total), dtype=np.float64)


def _undiversified(
    held: Positions, loadings: FloatArray, model: RiskModel, accounts: int
) -> FloatArray:
    # The volatility if everything fell at once.
    shared = (loadings[:, :, np.newaxis] * model.covariance).sum(axis=1)
    variance = (loadings * shared).sum(axis=1) + model.specific_variance[held.underlying]
    volatility = np.abs(held.weight) * np.sqrt(np.maximum(variance, 0.0))
    total = np.bincount(held.account, volatility, minlength=accounts)
    return np.asarray(total, dtype=np.float64)


def _sum_rows(account: IntArray, rows: FloatArray, accounts: int) -> FloatArray:
    summed = np.zeros((accounts, rows.shape[1]))
    for column in range(rows.shape[1]):
        summed[:, column] = np.bincount(account, rows[:, column], minlength=accounts)
    return summed

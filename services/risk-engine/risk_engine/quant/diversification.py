"""Say over how many independent risks an account is spread.

Axes: (names,) of one account, its covariance (names, names). `exposure` is signed, in any unit; all
answers are numbers without unit that do not change when it is multiplied by a constant. NaN in, NaN
out. A name without variance (cash) bears no risk and is left aside.

Sources: Choueifaty and Coignard, Toward Maximum Diversification, JPM 2008 (diversification ratio);
Meucci, Managing Diversification, Risk 2009 (effective bets on principal components); Meucci,
Santangelo and Deguest, Risk Budgeting and Diversification Based on Optimized Uncorrelated Factors,
2015 (minimum torsion).
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.panel import FloatArray

MAX_NAMES = 200
"""The torsion takes time with the cube of the names: 50 ms here, and 5 s for 1,000."""
_TOLERANCE = 1e-6
_MAX_STEPS = 200
_DEPTH = 4


@dataclass(frozen=True)
class Diversification:
    """How the risk of one account is spread; NaN where not known.

    `diversification_ratio` is sum |h| s / s_p, at least 1; its square is a number of independent
    bets, 1/(w'Rw) for equal volatilities. `variance_herfindahl` is the sum of squared shares of
    variance: a hedge has a negative share, so it may exceed 1. `principal_bets` and `torsion_bets`
    are Meucci's effective numbers of bets, from 1 to the number of names.
    """

    diversification_ratio: float
    variance_herfindahl: float
    principal_bets: float
    torsion_bets: float

    @property
    def squared_ratio(self) -> float:
        """Return the square of the diversification ratio."""
        return self.diversification_ratio**2


UNKNOWN = Diversification(np.nan, np.nan, np.nan, np.nan)


def diversification(exposure: FloatArray, covariance: FloatArray) -> Diversification:
    """Measure the diversification of one account.

    `covariance` of the names' returns must be symmetric and positive semidefinite; of two bets in
    exactly the same direction one is none, so it may be singular. The torsion is NaN for more than
    MAX_NAMES, everything where there is no risk at all.
    """
    variance = np.diag(covariance)
    risky = ~(variance <= 0) & (exposure != 0)
    held, among = exposure[risky], covariance[np.ix_(risky, risky)]
    marginal = among @ held
    total = float(held @ marginal)
    volatility = np.sqrt(np.diag(among))
    stand_alone = float(np.abs(held) @ volatility)
    # Of a perfect hedge rounding leaves some variance, sometimes a negative one.
    if not total > 1e-14 * stand_alone**2:
        return UNKNOWN
    return Diversification(
        diversification_ratio=stand_alone / float(np.sqrt(total)),
        variance_herfindahl=float(np.sum((held * marginal / total) ** 2)),
        principal_bets=effective_number(principal_shares(held, among)),
        torsion_bets=effective_number(torsion_shares(held, among))
        if len(held) <= MAX_NAMES
        else np.nan,
    )


def effective_number(share: FloatArray) -> float:
    """Return exp(-sum p ln p): as many equal shares have the same entropy. 0 ln 0 is 0."""
    used = share[share != 0]
    return float(np.exp(-np.sum(used * np.log(used))))


def principal_shares(exposure: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the share of variance on each principal component, (names,), adding up to 1.

    With equal eigenvalues their components, and so the shares on them, are one choice of many.
    """
    values, vectors = np.linalg.eigh(covariance)
    variance = np.maximum(values, 0.0) * (vectors.T @ exposure) ** 2
    return np.asarray(variance / variance.sum())


def torsion_shares(exposure: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the share of variance on each minimum-torsion bet, (names,), adding up to 1.

    The bets are uncorrelated and as near to the names as can be: bet k belongs to name k. NaN
    should they not be found.
    """
    # With c the root of the correlation matrix and z the names' own risks s h, the risk is the
    # vector c z and the bets are its coordinates in an orthogonal basis: what the paper writes as
    # t'^-1 b and t Sigma b needs no inverse, so a singular matrix is none the worse.
    volatility = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(volatility, volatility)
    values, vectors = np.linalg.eigh(correlation)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    # Without a turn, q = 1, bets and names are correlated by the diagonal of the root.
    size = _bet_correlations(correlation, np.diag(root))
    if np.isnan(size).any():
        return np.full(len(exposure), np.nan)
    left, _, right = np.linalg.svd(size[:, np.newaxis] * root)
    bets = left @ (right @ (root @ (volatility * exposure)))
    return np.asarray(bets**2 / np.sum(bets**2))


def _bet_correlations(correlation: FloatArray, start: FloatArray) -> FloatArray:
    # The basis q maximises the sum of d_k^2, d_k = (q c)_kk being the correlation of bet and name.
    # For given d the best q is the polar factor of D c, so that q c = (D C D)^(1/2) D^-1: the paper
    # goes to and fro between the two. Here the last few steps are combined so that what they
    # miss by is least (Anderson 1965; Walker and Ni 2011), which takes half of the steps or fewer.
    size = start
    reached: list[FloatArray] = []
    missed: list[FloatArray] = []
    for _ in range(_MAX_STEPS):
        found = _improved(correlation, size)
        miss = found - size
        if np.max(np.abs(miss)) < _TOLERANCE:
            return found
        reached, missed = [*reached, found][-_DEPTH:], [*missed, miss][-_DEPTH:]
        size = found
        if len(missed) > 1:
            part, *_ = np.linalg.lstsq(np.diff(missed, axis=0).T, miss, rcond=None)
            # Not beyond reason: the correlations are above zero.
            size = np.maximum(found - part @ np.diff(reached, axis=0), found / 10)
    return np.full(len(correlation), np.nan)


def _improved(correlation: FloatArray, size: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(correlation * np.outer(size, size))
    return np.asarray(vectors**2 @ np.sqrt(np.maximum(values, 0.0)) / size)

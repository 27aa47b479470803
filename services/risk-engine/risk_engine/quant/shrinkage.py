"""Pull estimates towards what is believed beforehand, as far as they are uncertain.

Axes as in `quant.regression`: coefficients (series, regressors). Beliefs are normal, with a mean
and a deviation for each coefficient. Sources: Vasicek 1973 (A note on using cross-sectional
information in Bayesian estimation of security betas); Blume 1975 (Betas and their regression
tendencies); Hoerl and Kennard 1970; Lopez de Prado, Advances in Financial Machine Learning, ch. 7
(purging and embargo).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from risk_engine.quant.panel import BoolArray, FloatArray
from risk_engine.quant.regression import Moments, apply, errors_of, invert, moments, predict

LEAST_PRIOR_DEVIATION = 0.15
PRIOR_DEVIATION = 0.40
"""Of market betas about their prior where there is no cross-section to tell."""
LEAST_CROSS_SECTION = 20
BLUME_INTERCEPT, BLUME_SLOPE = 0.343, 0.677


@dataclass(frozen=True, eq=False)
class Prior:
    """What is believed of coefficients beforehand.

    `mean` is (series, regressors), `deviation` (tau) that or (regressors,); infinite for one that
    is not pulled.
    """

    mean: FloatArray
    deviation: FloatArray

    @property
    def precision(self) -> FloatArray:
        """Return 1 / tau^2, (series, regressors)."""
        return np.broadcast_to(1 / self.deviation**2, self.mean.shape)


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is believed of coefficients after the data: mean and covariance."""

    coefficients: FloatArray
    covariance: FloatArray

    @property
    def errors(self) -> FloatArray:
        """Return the standard errors, (series, regressors)."""
        return errors_of(self.covariance)


def vasicek(
    beta: FloatArray, error: FloatArray, prior: FloatArray, prior_deviation: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the mean of estimate and prior weighted by their precisions, and its standard error.

    All (series,). Where the estimate or its error is NaN the prior and its deviation are all there
    is.
    """
    known = np.isfinite(beta) & np.isfinite(error)
    precision = np.where(known, 1 / np.maximum(np.where(known, error, 1.0), 1e-12) ** 2, 0.0)
    believed = 1 / prior_deviation**2
    shrunk = (np.where(known, beta, 0.0) * precision + prior * believed) / (precision + believed)
    return shrunk, np.asarray(1 / np.sqrt(precision + believed))


def cross_sectional_deviation(beta: FloatArray, error: FloatArray, prior: FloatArray) -> float:
    """Return how far true betas lie from their prior: what the errors do not explain of b - b0.

    sqrt(max(mean (b - b0)^2 - mean se^2, .15^2)); .40 with fewer than LEAST_CROSS_SECTION known.
    """
    known = np.isfinite(beta) & np.isfinite(error)
    if known.sum() < LEAST_CROSS_SECTION:
        return PRIOR_DEVIATION
    away = (beta[known] - prior[known]) ** 2
    return float(np.sqrt(max(away.mean() - (error[known] ** 2).mean(), LEAST_PRIOR_DEVIATION**2)))


def blume(beta: FloatArray) -> FloatArray:
    """Return Blume's forecast of a beta, .343 + .677 b: for comparison only."""
    return np.asarray(BLUME_INTERCEPT + BLUME_SLOPE * beta)


def ridge(data: Moments, variance: FloatArray, prior: Prior) -> Posterior:
    """Return generalised ridge estimates: b = (X'WX/s^2 + L)^-1 (X'Wy/s^2 + L b0).

    `variance` is s^2 of each series' errors, (series,), above zero; L = diag(1 / tau^2). The
    covariance is the inverse: it is right where a series' errors are alike.
    """
    precision = prior.precision
    scale = (1 / variance)[:, np.newaxis]
    inverse = invert(data.gram * scale[:, :, np.newaxis] + _diagonal(precision))
    return Posterior(apply(inverse, data.cross * scale + precision * prior.mean), inverse)


def robust_covariance(
    posterior: Posterior, variance: FloatArray, prior: Prior, scores: FloatArray
) -> FloatArray:
    """Return the covariance of ridge estimates about the truth, whatever the errors' variances.

    A (S/s^4 + L) A, with A the inverse of `ridge`, S the covariance of X'We
    (`regression.long_run_covariance`) and the truth spread about b0 as believed. It is A where the
    errors are alike, for then S = s^2 X'WX.
    """
    inverse = posterior.covariance
    middle = scores / variance[:, np.newaxis, np.newaxis] ** 2 + _diagonal(prior.precision)
    return np.asarray(inverse @ middle @ inverse)


def blocked_folds(sessions: int, folds: int, embargo: int) -> list[tuple[BoolArray, BoolArray]]:
    """Return (trained on, judged by) for each fold, (sessions,): consecutive blocks of time.

    `embargo` sessions on either side of the block judged are in neither.
    """
    edges = np.linspace(0, sessions, folds + 1).round().astype(int)
    row = np.arange(sessions)
    answer = []
    for first, end in pairwise(edges):
        judged = (row >= first) & (row < end)
        trained = (row < first - embargo) | (row >= end + embargo)
        answer.append((trained, judged))
    return answer


def out_of_sample_errors(
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    variance: FloatArray,
    prior: Prior,
    *,
    folds: int = 5,
    embargo: int = 5,
) -> tuple[FloatArray, FloatArray]:
    """Return what ridge fits on the other folds leave, and what the other folds' mean leaves.

    Both (series,): sums of squares over all folds, weighted by `weights`; NaN for a series that one
    of the folds cannot be fitted on. 1 less their ratio is the out-of-sample R^2.
    """
    left, spread = np.zeros(y.shape[1]), np.zeros(y.shape[1])
    for fold in _folds(x, y, weights, folds, embargo):
        left += fold.left(variance, prior)
        spread += fold.spread
    return left, spread


def prediction_losses(
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    variance: FloatArray,
    priors: Sequence[Prior],
    *,
    folds: int = 5,
    embargo: int = 5,
) -> FloatArray:
    """Return what each prior leaves of what it has not seen, (priors,); lower is better.

    Means over the series of `out_of_sample_errors` in units of each one's variance, so that a
    volatile one does not decide for all; NaN where no series can be judged.
    """
    left = np.zeros((len(priors), y.shape[1]))
    for fold in _folds(x, y, weights, folds, embargo):
        left += [fold.left(variance, prior) for prior in priors]
    judged = np.isfinite(left).all(axis=0)
    if not judged.any():
        return np.full(len(priors), np.nan)
    return np.asarray((left / variance)[:, judged].mean(axis=1))


def choose_prior(
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    variance: FloatArray,
    candidates: Sequence[Prior],
) -> int:
    """Return which of the priors predicts best what it has not seen; the first of equals."""
    return int(np.argmin(prediction_losses(x, y, weights, variance, candidates)))


def validated_deviation(
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    variance: FloatArray,
    prior: Prior,
    *,
    regressors: BoolArray,
    candidates: Sequence[float],
) -> float:
    """Return the deviation that some regressors have in common, by what it leaves unpredicted.

    `prior` says what is believed of the others; `candidates` are ascending, each a fixed multiple
    of the one before. Between them the loss is a parabola of the logarithm: a deviation that only
    took the candidates' values would jump from one night to the next. NaN where nothing is judged.
    """
    deviation = np.broadcast_to(prior.deviation, prior.mean.shape)
    priors = [replace(prior, deviation=np.where(regressors, one, deviation)) for one in candidates]
    losses = prediction_losses(x, y, weights, variance, priors)
    if np.isnan(losses).any():
        return float("nan")
    best = int(np.argmin(losses))
    if best in (0, len(losses) - 1):
        return candidates[best]
    before, lowest, after = losses[best - 1 : best + 2]
    bend = before - 2 * lowest + after
    # Three equal losses have no lowest point: the middle is as good as any.
    step = (before - after) / (2 * bend) if bend > 0 else 0.0
    return float(candidates[best] * (candidates[best + 1] / candidates[best]) ** step)


@dataclass(frozen=True, eq=False)
class _Fold:
    """One block of time: moments of the others, and what it is judged by, (sessions, ...)."""

    data: Moments
    x: FloatArray
    y: FloatArray
    weights: FloatArray
    """(sessions, series), 0 where a session does not count."""
    spread: FloatArray
    """What the others' mean leaves, (series,)."""

    def left(self, variance: FloatArray, prior: Prior) -> FloatArray:
        """Return the weighted squares that a ridge fit on the others leaves, (series,)."""
        fit = ridge(self.data, variance, prior)
        error = np.where(self.weights > 0, self.y - predict(self.x, fit.coefficients), 0.0)
        left = (self.weights * error**2).sum(axis=0)
        return np.where(self.data.observations <= self.x.shape[1], np.nan, left)


def _folds(
    x: FloatArray, y: FloatArray, weights: FloatArray, folds: int, embargo: int
) -> Iterator[_Fold]:
    for trained, judged in blocked_folds(len(x), folds, embargo):
        data = moments(x[trained], y[trained], weights[trained])
        total = (data.weights * np.nan_to_num(y[trained])).sum(axis=0)
        mean = np.divide(total, data.effective, out=np.zeros_like(total), where=data.effective > 0)
        known = np.isfinite(y[judged]) & np.isfinite(x[judged]).all(axis=1, keepdims=True)
        weighted = np.where(known, weights[judged, np.newaxis], 0.0)
        spread = (weighted * np.where(known, y[judged] - mean, 0.0) ** 2).sum(axis=0)
        yield _Fold(data, x[judged], y[judged], weighted, spread)


def _diagonal(precision: FloatArray) -> FloatArray:
    return np.asarray(precision[:, :, np.newaxis] * np.eye(precision.shape[1]))

"""Estimate covariances and correlations: sample, exponentially weighted, shrunk, nearest.

Axes: returns are (sessions, series), sessions ascending and all of them known unless a function
says otherwise; matrices are (series, series), per session like the returns. Moments are about zero
unless a function says otherwise: over days a mean is noise. Sources: RiskMetrics 1996, ch. 5;
Hull, Options, Futures and Other Derivatives, ch. 23; Ledoit and Wolf 2004a (A well-conditioned
estimator for large-dimensional covariance matrices) and 2004b (Honey, I shrunk the sample
covariance matrix); Higham 2002 (Computing the nearest correlation matrix).
"""

from itertools import accumulate, pairwise

import numpy as np

from risk_engine.quant.panel import FloatArray

VOLATILITY_HALF_LIFE = 63.0
CORRELATION_HALF_LIFE = 252.0
"""Sessions: correlations change more slowly than volatilities, and there are more of them."""
TOLERANCE = 1e-8
MAX_PROJECTIONS = 1_000
_NARROW = 16
"""Up to so many series are summed sooner one by one than a session of all after the other."""


def exponential_weights(sessions: int, half_life: float) -> FloatArray:
    """Return weights that halve every `half_life` sessions backwards, (sessions,); they sum to 1.

    An infinite half-life gives equal weights.
    """
    weights = np.exp2(np.arange(1 - sessions, 1) / half_life)
    return np.asarray(weights / weights.sum())


def kish(weights: FloatArray) -> float:
    """Return how many equally weighted observations tell as much: (sum w)^2 / sum w^2."""
    return float(weights.sum() ** 2 / (weights @ weights))


def sample_covariance(returns: FloatArray, *, demean: bool = False) -> FloatArray:
    """Return second moments about zero, divided by n, or about the mean, divided by n - 1.

    NaN in a series is NaN in its row and column.
    """
    if demean:
        returns = returns - returns.mean(axis=0)
    return np.asarray(returns.T @ returns / (len(returns) - demean))


def pairwise_covariance(returns: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return second moments about zero of what each pair has in common, and how much that is.

    The returns may have NaN. The second matrix is the number of sessions both series are known; the
    first is NaN where that is none, and need not be positive semidefinite.
    """
    known = np.isfinite(returns).astype(np.float64)
    filled = np.where(known > 0, returns, 0.0)
    weighted = weights[:, np.newaxis]
    common = known.T @ (weighted * known)
    with np.errstate(invalid="ignore"):
        moments = (filled.T @ (weighted * filled)) / common
    return np.asarray(moments), np.asarray(known.T @ known)


def ewma_covariance(
    returns: FloatArray,
    volatility_half_life: float = VOLATILITY_HALF_LIFE,
    correlation_half_life: float = CORRELATION_HALF_LIFE,
) -> FloatArray:
    """Return exponentially weighted covariances, volatilities forgetting faster than correlations.

    A series that never moves has a covariance of 0 with everything.
    """
    volatility, correlation = _ewma_parts(returns, volatility_half_life, correlation_half_life)
    return np.asarray(correlation * np.outer(volatility, volatility))


def shrunk_ewma_covariance(
    returns: FloatArray,
    volatility_half_life: float = VOLATILITY_HALF_LIFE,
    correlation_half_life: float = CORRELATION_HALF_LIFE,
) -> tuple[FloatArray, float]:
    """Return `ewma_covariance` with its correlations shrunk to the identity, and the intensity.

    Ledoit and Wolf's identity is one of series in the same unit; yield changes and returns are not,
    so the series are standardised first and each keeps its own volatility. The diagonal is then 1
    whatever is drawn: only the noise of the correlations counts (Schäfer and Strimmer 2005).
    """
    volatility, correlation = _ewma_parts(returns, volatility_half_life, correlation_half_life)
    weights = exponential_weights(len(returns), correlation_half_life)
    scale = np.sqrt(weights @ returns**2)
    standard = np.divide(returns, scale, out=np.zeros_like(returns), where=scale > 0)
    intensity = _intensity(standard, weights, np.eye(returns.shape[1]), of_diagonal=False)
    shrunk = (1 - intensity) * correlation + intensity * np.eye(len(correlation))
    return np.asarray(shrunk * np.outer(volatility, volatility)), intensity


def ledoit_wolf_identity(returns: FloatArray, *, demean: bool = False) -> tuple[FloatArray, float]:
    """Return the covariance shrunk to a multiple of the identity, and the intensity (0 to 1).

    Ledoit and Wolf 2004a. Moments are divided by n.
    """
    returns = returns - returns.mean(axis=0) if demean else returns
    weights = np.full(len(returns), 1 / len(returns))
    sample = returns.T @ (weights[:, np.newaxis] * returns)
    target = np.trace(sample) / len(sample) * np.eye(len(sample))
    intensity = _intensity(returns, weights, target)
    return np.asarray((1 - intensity) * sample + intensity * target), intensity


def ledoit_wolf_constant_correlation(
    returns: FloatArray, *, demean: bool = False
) -> tuple[FloatArray, float]:
    """Return the covariance shrunk to equal correlations, and the intensity (0 to 1).

    Ledoit and Wolf 2004b, appendix B. Moments are divided by n; every series must move.
    """
    returns = returns - returns.mean(axis=0) if demean else returns
    count, series = returns.shape
    sample = returns.T @ returns / count
    if series == 1:
        return np.asarray(sample), 0.0
    deviation = np.sqrt(np.diag(sample))
    correlation = sample / np.outer(deviation, deviation)
    mean = (correlation.sum() - series) / (series * (series - 1))
    target = mean * np.outer(deviation, deviation)
    np.fill_diagonal(target, np.diag(sample))
    squares = returns**2
    noise = squares.T @ squares / count - sample**2  # pi of the paper
    # theta of the paper: how the noise of a variance goes with that of a covariance.
    shared = (squares * returns).T @ returns / count - np.diag(sample)[:, np.newaxis] * sample
    np.fill_diagonal(shared, 0.0)
    bias = np.trace(noise) + mean * (np.outer(1 / deviation, deviation) * shared).sum()
    distance = ((sample - target) ** 2).sum()
    wanted = (noise.sum() - bias) / count
    intensity = min(max(wanted / distance, 0.0), 1.0) if distance > 0 else 0.0
    return np.asarray((1 - intensity) * sample + intensity * target), float(intensity)


def to_correlation(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return correlations with a diagonal of 1, and standard deviations, (series,).

    NaN with a series that does not vary.
    """
    deviation = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = covariance / np.outer(deviation, deviation)
    np.fill_diagonal(correlation, np.where(deviation > 0, 1.0, np.nan))
    return np.asarray(np.clip(correlation, -1.0, 1.0)), deviation


def nearest_correlation(matrix: FloatArray, tolerance: float = TOLERANCE) -> FloatArray:
    """Return the correlation matrix nearest to a symmetric one (Frobenius), by Higham 2002.

    Alternating projections on the positive semidefinite matrices and on those with a unit diagonal,
    with Dykstra's correction. Its smallest eigenvalue may be below zero by the tolerance.

    Raises:
        ValueError: the matrix has NaN, or the projections do not settle.
    """
    if np.isnan(matrix).any():
        raise ValueError("a matrix with NaN has no nearest correlation")
    near = (matrix + matrix.T) / 2
    correction = np.zeros_like(near)
    for _ in range(MAX_PROJECTIONS):
        start = near - correction
        values, vectors = np.linalg.eigh(start)
        positive = (vectors * np.maximum(values, 0)) @ vectors.T
        correction = positive - start
        before, near = near, positive.copy()
        np.fill_diagonal(near, 1.0)
        if max(np.abs(near - before).max(), np.abs(near - positive).max()) <= tolerance:
            return np.asarray((near + near.T) / 2)
    raise ValueError(f"no correlation found within {MAX_PROJECTIONS} projections")


def ewma_step(moment: FloatArray, product: FloatArray, decay: float) -> FloatArray:
    """Return the next EWMA variance (or covariance): decay * moment + (1 - decay) * product.

    `product` is the squared return, or the product of two; any shapes that broadcast. Hull, ch. 23.
    """
    return np.asarray(decay * moment + (1 - decay) * product)


def garch_step(
    variance: FloatArray, squared_return: FloatArray, omega: float, alpha: float, beta: float
) -> FloatArray:
    """Return the next GARCH(1,1) variance: omega + alpha * u^2 + beta * variance. Hull, ch. 23."""
    return np.asarray(omega + alpha * squared_return + beta * variance)


def ewma_variances(returns: FloatArray, decay: float) -> FloatArray:
    """Return each session's variance as known before it, (sessions + 1, series).

    Row t is the exponentially weighted mean of the squared returns up to t - 1, with weights that
    sum to 1 however few there are; the last row is for the session to come. Unknown returns are
    passed over. NaN until the first known one.
    """
    known = np.isfinite(returns)
    squares = np.where(known, returns, 0.0) ** 2
    weight, total = _decayed_sums(known.astype(np.float64), decay), _decayed_sums(squares, decay)
    variances = np.full((len(returns) + 1, *returns.shape[1:]), np.nan)
    np.divide(total, weight, out=variances[1:], where=weight > 0)
    return variances


def _decayed_sums(values: FloatArray, decay: float) -> FloatArray:
    # What `scipy.signal.lfilter` gives, to the bit: that package alone took 25 MiB of each process.
    width = values[:1].size
    if 0 < width <= _NARROW:

        def add(before: float, now: float) -> float:
            return decay * before + now

        columns = values.reshape(-1, width).T.tolist()
        summed = np.array([list(accumulate(column, add)) for column in columns])
        return np.ascontiguousarray(summed.T).reshape(values.shape)
    sums = values.copy()
    carried = np.empty(values.shape[1:])
    for before, now in pairwise(sums):
        np.multiply(before, decay, out=carried)
        np.add(now, carried, out=now)
    return sums


def _ewma_parts(
    returns: FloatArray, volatility_half_life: float, correlation_half_life: float
) -> tuple[FloatArray, FloatArray]:
    fast = exponential_weights(len(returns), volatility_half_life)
    slow = exponential_weights(len(returns), correlation_half_life)
    correlation, _ = to_correlation(returns.T @ (slow[:, np.newaxis] * returns))
    correlation = np.where(np.isnan(correlation), np.eye(len(correlation)), correlation)
    return np.sqrt(fast @ returns**2), correlation


def _intensity(
    returns: FloatArray, weights: FloatArray, target: FloatArray, *, of_diagonal: bool = True
) -> float:
    # Of 2004a, with weights in the place of 1/n: the noise of the sample over its distance from the
    # target. Sums of fourth powers stand for the (n, series, series) array of products.
    sample = returns.T @ (weights[:, np.newaxis] * returns)
    squared = weights**2
    norms = (returns**2).sum(axis=1)
    crossed = np.einsum("ti,ij,tj->t", returns, sample, returns, optimize=True)
    noise = squared @ (norms**2 - 2 * crossed) + squared.sum() * (sample**2).sum()
    if not of_diagonal:
        variances = np.diag(sample)
        spread = squared @ (returns**4 - 2 * variances * returns**2)
        noise -= spread.sum() + squared.sum() * (variances**2).sum()
    distance = ((sample - target) ** 2).sum()
    return float(min(noise / distance, 1.0)) if distance > 0 else 0.0

"""Draw what factors and symbols could do tomorrow, and what portfolios then gain or lose.

Axes: draws are (draws, factors) or (draws, symbols); P&L is (portfolios, draws), a loss negative.
Returns are simple, decimals per session. The second half of all draws mirrors the first, so that
means are zero. Nothing depends on who else is asked for: factors come from one fixed seed, and a
symbol's own part from the key of its name.

Joint Student t: McNeil, Frey and Embrechts, Quantitative Risk Management, ch. 6.2; antithetic,
stratified and moment-matched draws: Glasserman, Monte Carlo Methods in Financial Engineering,
ch. 4.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, stdtrit

from risk_engine.quant.filtered_simulation import KeyArray
from risk_engine.quant.panel import FloatArray, IntArray
from risk_engine.quant.parametric import DEGREES_OF_FREEDOM

DRAWS = 20_000
_SEED = 20_000_101
_FACTORS, _MIXING, _RESIDUALS = range(3)
_COLUMNS = 256
"""Of residuals drawn once: with the place a symbol starts at and a sign, five million ways."""


@dataclass(frozen=True, eq=False)
class Draws:
    """What tomorrow could bring, drawn once for all symbols; the mirrored half is left out.

    `factors` is (draws / 2, factors); `residuals` (_COLUMNS, draws / 2), each read as a ring,
    from any place on.
    """

    factors: FloatArray
    residuals: FloatArray

    @property
    def half(self) -> int:
        """Return how many draws there are without their mirror images."""
        return len(self.factors)


@dataclass(frozen=True, eq=False)
class FactorModel:
    """What symbols are driven by: `betas` (symbols, factors), and what is their own.

    `specific_volatility` (symbols,) is per session; `key` (symbols,) a number of each one's name.
    """

    betas: FloatArray
    specific_volatility: FloatArray
    key: KeyArray

    def part(self, symbols: IntArray) -> "FactorModel":
        """Return the model of some symbols."""
        return FactorModel(
            self.betas[symbols], self.specific_volatility[symbols], self.key[symbols]
        )


def draw(
    factor_covariance: FloatArray, draws: int = DRAWS, degrees: float = DEGREES_OF_FREEDOM
) -> Draws:
    """Draw factors jointly Student t with that covariance per session, and residuals of unit size.

    The factors share one mixing variable, so that they have their large days together; every
    residual has its own. Normals are matched to the identity, mixing and residuals are the middles
    of equally likely cells in random order.

    Raises:
        ValueError: `draws` is odd.
        numpy.linalg.LinAlgError: the covariance is not positive definite.
    """
    if draws % 2:
        raise ValueError(f"half of the draws mirror the others: {draws} is odd")
    half, factors = draws // 2, len(factor_covariance)
    cells = (np.arange(half) + 0.5) / half
    mixing = _chance(_MIXING).permutation((degrees - 2) / chdtri(degrees, 1 - cells))
    normals = _chance(_FACTORS).standard_normal((half, factors))
    if factors:
        matched = np.linalg.cholesky(normals.T @ normals / half)
        normals = np.linalg.solve(matched, normals.T).T
        normals = normals @ np.linalg.cholesky(factor_covariance).T
    unit = stdtrit(degrees, cells) * np.sqrt((degrees - 2) / degrees)
    columns = _chance(_RESIDUALS).permuted(np.tile(unit, (_COLUMNS, 1)), axis=1)
    return Draws(normals * np.sqrt(mixing)[:, None], columns)


def linear_pnl(draws: Draws, model: FactorModel, exposure: FloatArray) -> FloatArray:
    """Return what dollar exposures to the model's symbols gain, (draws,); `exposure` (symbols,)."""
    half = draws.factors @ (exposure @ model.betas)
    for own, size in zip(_own(draws, model), exposure * model.specific_volatility, strict=True):
        half += size * own
    return np.concatenate((half, -half))


def simulated_returns(draws: Draws, model: FactorModel) -> FloatArray:
    """Return the symbols' returns, (draws, symbols), B f + e, never below -1."""
    half = draws.factors @ model.betas.T
    for column, own in enumerate(_own(draws, model)):
        half[:, column] += own * model.specific_volatility[column]
    return np.asarray(np.maximum(np.concatenate((half, -half)), -1.0))


def _own(draws: Draws, model: FactorModel) -> list[FloatArray]:
    # A column that is read from another place is another sample: its draws do not depend on those
    # beside it. This is thirty times faster than drawing for each symbol.
    key = model.key
    column, key = key % np.uint64(_COLUMNS), key // np.uint64(_COLUMNS)
    sign, key = 1.0 - 2.0 * (key % np.uint64(2)), key // np.uint64(2)
    first = (key % np.uint64(draws.half)).astype(np.int64)
    return [
        direction * np.concatenate((draws.residuals[place, start:], draws.residuals[place, :start]))
        for place, start, direction in zip(column.tolist(), first.tolist(), sign, strict=True)
    ]


def _chance(purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[_SEED, purpose]))

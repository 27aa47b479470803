"""Add the sessions of a historical window up, so that they can happen again at once.

Axes: (sessions, securities) and (sessions, factors), of the window alone: the first row is the
first session after its start. Simple returns and moves as decimals; NaN is "not known", and one of
them makes the whole window's answer NaN.
"""

import numpy as np

from risk_engine.quant.panel import FloatArray
from risk_engine.quant.stress import FactorAxis


def window_returns(returns: FloatArray) -> FloatArray:
    """Return what securities returned over the window, compounded, (securities,).

    NaN for one without a return on every session, and where the window has no session.
    """
    if not len(returns):
        return np.full(returns.shape[1], np.nan)
    return np.asarray(np.prod(1 + returns, axis=0) - 1)


def window_moves(factor_returns: FloatArray, axis: FactorAxis) -> FloatArray:
    """Return how far the factors went over the window, (factors,).

    The market's is compounded; yields and spreads add up, as their log returns do in `stress`: a
    position held through the window by its loadings returns what they say at once.
    """
    if not len(factor_returns):
        return np.full(factor_returns.shape[1], np.nan)
    moves = factor_returns.sum(axis=0)
    moves[axis.market] = window_returns(factor_returns[:, [axis.market]])[0]
    return np.asarray(moves)

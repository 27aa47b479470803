"""The VIX of this market: what thirty-day options on its index imply."""

import numpy as np

from simulator import draws, trading
from simulator.draws import Floats
from simulator.factors import Backdrop
from simulator.universe import load_universe
from simulator.variance import implied_variance

VOLATILITY_INDEX = "VIX"

_YEARS = 30 / 365
_RANGE = 0.045
"""Volatility of the index within a session."""


def index_level(scene: Backdrop, years: float = _YEARS, *, at_close: bool = True) -> Floats:
    """Return the annual volatility at the money of an index option, in points, per session.

    At its close, or as it began: at the close before.
    """
    universe = load_universe()
    [market] = [factor for factor in universe.factors if factor.name == "market"]
    ratios = scene.closing_ratios if at_close else scene.ratios
    ratio = ratios[[group.name for group in universe.groups].index(market.group)]
    variance = implied_variance(np.array(market.volatility**2), ratio, np.array(years))
    return np.asarray(100 * np.sqrt(variance / years))


def future_level(scene: Backdrop, years: float) -> Floats:
    """Return where the index is expected in so many years, in points, per session.

    It is what the variance at the money between then and thirty days later implies.
    """
    near, far = (
        (index_level(scene, ahead) / 100) ** 2 * ahead for ahead in (years, years + _YEARS)
    )
    return np.asarray(100 * np.sqrt((far - near) / _YEARS))


def index_bars(seed: int, scene: Backdrop) -> Floats:
    """Return open, high, low and close of the index, (4, sessions)."""
    close = index_level(scene)
    before = index_level(scene, at_close=False)
    shocks = draws.normals(seed, f"session/{VOLATILITY_INDEX}", int(scene.weekdays[-1]) + 1, 5)
    moves = np.log(close / before)
    flat = np.ones_like(moves)
    offsets = trading.session_range(
        moves, _RANGE * flat, trading.OVERNIGHT_SHARE * flat, tuple(shocks[scene.weekdays].T)
    )
    opening, high, low = (before * np.exp(offset) for offset in offsets)
    prices: Floats = np.stack((opening, high, low, close))
    return np.round(prices, 2)

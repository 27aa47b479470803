"""Price levels and splits: where each half-year of a security begins.

On the anchor session a price is the universe's. From there levels are walked outwards, block by
block, always in the same order, so that a level does not depend on who asks for what; where a walk
has come, it is remembered, so that the next session costs one block.
"""

from typing import NamedTuple

import numpy as np

from simulator.draws import Floats
from simulator.halfyear import HalfYear, Rows
from simulator.roster import Roster

_RATIOS = np.array([2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 20.0, 50.0])
_TOO_DEAR, _WELCOME, _TOO_CHEAP = 350.0, 130.0, 2.0
"""US dollars: above the first a stock splits to below the second, below the third its shares are
put together."""
_SPLIT_THEN, _REVERSE_THEN = 0.05, 0.006
"""Chances per half-year that a stock has split, or put shares together, before the anchor."""
_TOO_CHEAP_THEN = 4.0
"""US dollars: walking back, what is below it must come of a split."""


class Start(NamedTuple):
    """Where some securities are before a block, (securities,)."""

    level: Floats
    """Log price over the anchor's, payouts taken out, per share of the anchor session."""
    split: Floats
    """Shares there for each share of the anchor session."""


class Splits(NamedTuple):
    """Splits of some securities within a block, (securities,)."""

    session: Rows
    """On which they happen, within the block."""
    ratio: Floats
    """New shares per old one; 1 for none."""


def no_splits(count: int) -> Splits:
    """Return what happens in the block of the anchor session."""
    return Splits(np.zeros(count, np.intp), np.ones(count))


def splits_forward(roster: Roster, rows: Rows, half: HalfYear, start: Start) -> Splits:
    """Return the splits of a block after the anchor: of what has become too dear or too cheap."""
    session = _session(half)
    everyone = np.arange(len(rows))
    price = roster.price[rows] * np.exp(start.level + half.path[everyone, session - 1])
    price = price / start.split
    ratio = _RATIOS[np.minimum(np.searchsorted(_RATIOS, price / _WELCOME), len(_RATIOS) - 1)]
    ratio = np.where(price > _TOO_DEAR, ratio, np.where(price < _TOO_CHEAP, 0.1, 1.0))
    return Splits(session, np.where(_can_split(roster, rows, half, session), ratio, 1.0))


def splits_backward(roster: Roster, rows: Rows, half: HalfYear, end: Start) -> Splits:
    """Return the splits of a block before the anchor, given where it ends.

    Some by chance; and where going on would lead out of the range that splits keep prices in after
    the anchor, there has been one that leads back.
    """
    session = _session(half)
    everyone = np.arange(len(rows))
    change = half.path[:, -1] - half.path[everyone, session]
    price = roster.price[rows] * np.exp(end.level - change) / end.split
    ratio = 2.0 + np.floor(3 * half.events[:, 2])
    split = (half.events[:, 1] < _SPLIT_THEN) & (price > 25) & (price * ratio < _TOO_DEAR)
    split |= price < _TOO_CHEAP_THEN
    joined = (half.events[:, 1] > 1 - _REVERSE_THEN) & (price > 40) & (price < 100)
    joined |= price > _TOO_DEAR
    ratio = np.where(split, ratio, np.where(joined, 0.1, 1.0))
    return Splits(session, np.where(_can_split(roster, rows, half, session), ratio, 1.0))


class Levels:
    """Where the walks have come: per block, the start of each security; NaN where unknown."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._starts: dict[int, Start] = {}

    def knows(self, block: int, rows: Rows) -> bool:
        """Say whether all of them have been there."""
        start = self._starts.get(block)
        return start is not None and not np.isnan(start.level[rows]).any()

    def at(self, block: int, rows: Rows) -> Start:
        """Return where they are before a block."""
        start = self._starts[block]
        return Start(start.level[rows], start.split[rows])

    def remember(self, block: int, rows: Rows, start: Start) -> None:
        """Note where they are before a block: the same whenever it is found out."""
        unknown = Start(np.full(self._count, np.nan), np.full(self._count, np.nan))
        known = self._starts.setdefault(block, unknown)
        known.split[rows] = start.split
        known.level[rows] = start.level


def _session(half: HalfYear) -> Rows:
    count = half.path.shape[1]
    return np.asarray(1 + np.floor(half.events[:, 0] * (count - 2)), np.intp)


def _can_split(roster: Roster, rows: Rows, half: HalfYear, session: Rows) -> Rows:
    everyone = np.arange(len(rows))
    quiet = (half.paid[everyone, session] == 0) & ~half.halted[everyone, session]
    return np.asarray(roster.may_split[rows] & quiet)

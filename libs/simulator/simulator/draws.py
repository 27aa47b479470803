"""Reproducible shocks: what is drawn depends on a seed, a name and a place, and on nothing else."""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK = 130
"""Weekdays in a block: half a year. Long streams are cut in blocks, each drawn by itself, so that a
window in the middle of a history costs what is in it."""
HORIZON = 96 * BLOCK
"""Weekdays that a market can have: 48 years from its epoch."""


class Streams:
    """All streams of a seed, one at a time.

    It has one generator, put at the start of whichever stream is asked for: making a new one costs
    ten times as much as a hundred shocks. Not for several threads at once.
    """

    def __init__(self, seed: int) -> None:
        if not 0 <= seed < 2**64:
            raise ValueError(f"a seed is a whole number below 2**64, not {seed}")
        self._bits = np.random.Philox(key=seed << 64)
        self._generator = np.random.Generator(self._bits)
        start = self._bits.state
        self._key, self._counter = start["state"]["key"], start["state"]["counter"]
        self._start = start

    def at(self, stream: str, block: int = 0) -> np.random.Generator:
        """Return the generator at the start of a block of a stream, until the next is asked for.

        The streams of two names, seeds or blocks are independent: they differ in the key of the
        counter-based generator or in the upper half of its counter.
        """
        # blake2b because Python's own hash() of a string differs from process to process.
        name = blake2b(stream.encode(), digest_size=8).digest()
        self._key[0] = int.from_bytes(name)
        self._counter[2] = block
        self._bits.state = self._start
        return self._generator


def normals(seed: int, stream: str, days: int, width: int = 1) -> Floats:
    """Return standard normal shocks of shape (days, width), one row a day.

    Row `i` depends on the seed, the stream's name, `width` and `i` alone: asking for more days
    appends rows, and no other stream has a say.
    """
    return Streams(seed).at(stream).standard_normal((days, width))


def uniforms(seed: int, stream: str, days: int) -> Floats:
    """Return draws from [0, 1) of shape (days,); more days append to them."""
    return Streams(seed).at(stream).random(days)

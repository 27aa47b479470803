"""What one calculation found out that the next one need not: the chunks of a night share a market.

A memo forgets nothing wrongly, because it knows a thing by a digest of all that it was made from:
another price, curve, name or setting is another digest. And it may give a security's numbers in
other company than they were estimated in, because no engine's numbers depend on company (the order
of rows, or which ones there are); tests hold the engines to that. It is bounded by how many things
and rows are kept, the ones used longest ago going first, and belongs to whoever calculates: a
process of the pool has one for its lifetime, everybody else a new one for each chunk.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import numpy as np

from risk_engine.quant.panel import IntArray

T = TypeVar("T")

THINGS: Final = 12
"""Two markets' worth: what is kept most of is 21 MB of Monte Carlo draws."""
ROWS: Final = 32_768
"""Of a table: a night's shares, or its contracts. A share is 300 bytes in all, a contract 7 KiB."""
AT_ONCE: Final = 512
"""Rows that are made together: as much memory as fits a cache, rather than all of a market's."""

Columns = Mapping[str, np.ndarray[Any, Any]]
"""Arrays with a row for each of something: (rows, ...)."""


class Memo:
    """Things by name and digest, and tables whose rows have digests of their own."""

    def __init__(self) -> None:
        self._things: OrderedDict[tuple[str, bytes], Any] = OrderedDict()

    def once(self, name: str, digest: bytes, make: Callable[[], T]) -> T:
        """Return what `make` makes; `digest` covers all that it depends on. Not to be changed."""
        key = (name, digest)
        if key not in self._things:
            self._things[key] = make()
        self._things.move_to_end(key)
        while len(self._things) > THINGS:
            self._things.popitem(last=False)
        return cast("T", self._things[key])

    def rows(
        self,
        name: str,
        shared: bytes,
        digests: Sequence[bytes],
        make: Callable[[IntArray], Columns],
    ) -> Columns:
        """Return columns with a row for each of `digests`, the caller's to change.

        `make` is asked for the rows not yet known, by their places, at most AT_ONCE at a time. What
        it says of a row depends on nothing but `shared` and the row's digest.
        """
        return self.once(name, shared, _Table).rows(digests, make)


class _Table:
    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self._columns: dict[str, np.ndarray[Any, Any]] = {}

    def rows(self, digests: Sequence[bytes], make: Callable[[IntArray], Columns]) -> Columns:
        if len(self._places.keys() | digests) > ROWS:
            self._places, self._columns = {}, {}
        lacking = {one: place for place, one in enumerate(digests) if one not in self._places}
        # Of no rows at all it is still to be known which columns there are.
        if lacking or not self._columns:
            places = np.array(list(lacking.values()), dtype=np.int64)
            self._add(list(lacking), _in_parts(places, make))
        wanted = np.array([self._places[one] for one in digests], dtype=np.int64)
        return {name: values[wanted] for name, values in self._columns.items()}

    def _add(self, digests: Sequence[bytes], made: Columns) -> None:
        first = len(self._places)
        self._columns = {
            name: np.concatenate((self._columns[name], values)) if self._columns else values
            for name, values in made.items()
        }
        self._places.update((one, first + place) for place, one in enumerate(digests))


def _in_parts(places: IntArray, make: Callable[[IntArray], Columns]) -> Columns:
    firsts = range(0, max(len(places), 1), AT_ONCE)
    parts = [make(places[first : first + AT_ONCE]) for first in firsts]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

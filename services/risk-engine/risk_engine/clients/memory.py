"""A bounded memory of what was fetched."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Weighed(Protocol):
    """What takes memory."""

    @property
    def nbytes(self) -> int:
        """Return how many bytes its arrays take."""
        ...


K = TypeVar("K")
V = TypeVar("V", bound=Weighed)


class Memory(Generic[K, V]):
    """Values by key, up to so many bytes of arrays: the one not used for longest goes first."""

    def __init__(self, *, megabytes: int) -> None:
        self._most = megabytes * 2**20
        self._held = 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def __iter__(self) -> Iterator[K]:
        return iter(self._values)

    @property
    def nbytes(self) -> int:
        """Return how many bytes are kept."""
        return self._held

    def recall(self, key: K) -> V | None:
        """Return what is kept under a key."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def keep(self, key: K, value: V) -> None:
        """Keep a value unless there is one; forget others for it."""
        if key in self._values:
            return
        self._values[key] = value
        self._held += value.nbytes
        while self._held > self._most:
            _, forgotten = self._values.popitem(last=False)
            self._held -= forgotten.nbytes

"""Takes the time of each engine where it runs: in a process of the pool."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from risk_engine.domain import Failure, Market
from risk_engine.engine.chunk import Calculated, StoredBook, calculate
from risk_engine.engine.memo import Memo

_MEMO = Memo()
"""Of this process: its chunks come one at a time, and those of a night share their market."""


class Span(NamedTuple):
    """When a part of the work ran, in nanoseconds since the epoch."""

    name: str
    began: int
    ended: int


def calculate_in_time(
    books: Sequence[StoredBook], market: Market
) -> tuple[list[Calculated | Failure], Sequence[Span]]:
    """Calculate a chunk, and say when each engine ran; its way here and back does not count."""
    spans: list[Span] = []

    @contextmanager
    def stopwatch(name: str) -> Iterator[None]:
        began = time.time_ns()
        yield
        spans.append(Span(name, began, time.time_ns()))

    return calculate(books, market, stopwatch, _MEMO), spans


def seconds_by_part(spans: Sequence[Span]) -> Mapping[str, float]:
    """Return how long each part of a chunk took, by name.

    A chunk that an engine broke on is calculated again in halves: that is one chunk, which took as
    long as all of it did.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    for name, began, ended in spans:
        seconds[name] += (ended - began) / 1e9
    return seconds

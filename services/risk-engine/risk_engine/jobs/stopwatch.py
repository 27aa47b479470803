"""Takes the time of each engine where it runs: in a process of the pool."""

import time
from collections.abc import Iterator, Sequence
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

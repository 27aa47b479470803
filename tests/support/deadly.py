"""A calculation that kills its process for one book: sent to the pool in place of ours."""

import os
import signal
import time
from collections.abc import Sequence

from risk_engine.domain import Failure, Market
from risk_engine.engine.chunk import Calculated, StoredBook
from risk_engine.jobs.stopwatch import Span, calculate_in_time

POISON = "poison"
TAR = "tar"


def deadly(
    books: Sequence[StoredBook], market: Market
) -> tuple[list[Calculated | Failure], Sequence[Span]]:
    """Calculate, unless a book is called poison (then die) or tar (then come to no end)."""
    names = {book.name for book in books}
    if POISON in names:
        os.kill(os.getpid(), signal.SIGKILL)
    if TAR in names:
        time.sleep(3600)
    return calculate_in_time(books, market)

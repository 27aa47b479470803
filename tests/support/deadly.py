"""A calculation that kills its process for one book: sent to the pool in place of ours."""

import os
import signal
import time
from collections.abc import Sequence

from risk_engine.domain import Failure, Prices
from risk_engine.engine.chunk import Calculated, StoredBook, calculate

POISON = "poison"
TAR = "tar"


def deadly(books: Sequence[StoredBook], prices: Prices) -> list[Calculated | Failure]:
    """Calculate, unless a book is called poison (then die) or tar (then come to no end)."""
    names = {book.name for book in books}
    if POISON in names:
        os.kill(os.getpid(), signal.SIGKILL)
    if TAR in names:
        time.sleep(3600)
    return calculate(books, prices)

"""The risk engine's SQL, all of it. Statements take whole chunks, whatever their size."""

from common.unit_of_work import Unit
from risk_engine.repository.books import Books, Standing, Waiting
from risk_engine.repository.history import Histories, Later, Snapshot
from risk_engine.repository.knowledge import EVERY_ENGINE, Knowledge, Known, Result
from risk_engine.repository.results import KEPT, Results

__all__ = [
    "EVERY_ENGINE",
    "KEPT",
    "Known",
    "Later",
    "Result",
    "Snapshot",
    "Standing",
    "Store",
    "Waiting",
]


class Store:
    """The replica of books with the prices that wait for it, the results, and accounts' pasts.

    `results` writes what engines found, `knowledge` reads it.
    """

    def __init__(self, unit: Unit) -> None:
        self.books = Books(unit.connection)
        self.results = Results(unit.connection)
        self.knowledge = Knowledge(unit.connection)
        self.histories = Histories(unit.connection)

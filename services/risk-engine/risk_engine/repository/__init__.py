"""The risk engine's SQL, all of it. Statements take whole chunks, whatever their size."""

from common.unit_of_work import Unit
from risk_engine.repository.books import Books, Standing, Waiting
from risk_engine.repository.results import Known, Result, Results, Snapshot

__all__ = ["Known", "Result", "Snapshot", "Standing", "Store", "Waiting"]


class Store:
    """The replica of books with the prices that wait for it, and the results."""

    def __init__(self, unit: Unit) -> None:
        self.books = Books(unit.connection)
        self.results = Results(unit.connection)

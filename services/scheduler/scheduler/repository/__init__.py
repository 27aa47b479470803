"""The scheduler's SQL, all of it.

Row locks are taken in one order by everyone, so that no two transactions wait for each other:
portfolios, then runs by id, then items. Everything about one run goes through its row's lock.
"""

from common.unit_of_work import Unit
from scheduler.repository.items import Items
from scheduler.repository.portfolios import Portfolios
from scheduler.repository.runs import Runs

__all__ = ["Store"]


class Store:
    """Portfolios, runs and items within one transaction."""

    def __init__(self, unit: Unit) -> None:
        self.portfolios = Portfolios(unit.connection)
        self.runs = Runs(unit.connection)
        self.items = Items(unit.connection)

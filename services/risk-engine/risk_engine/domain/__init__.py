"""What the risk engine knows of books and prices, and what it says about them. Data only.

The ledger (quantities, prices paid, the equity balance) is Decimal; market data and results are
float64, unrounded. Signs: a short position has a negative quantity, market value and cost basis;
profits are positive. Missing is None (NaN inside arrays) with a reason, never zero.
"""

from risk_engine.domain.book import Book, InvestmentClass, Position
from risk_engine.domain.codes import Code
from risk_engine.domain.engines import ENGINES, EngineName, Failure, Note, Status
from risk_engine.domain.history import History
from risk_engine.domain.limits import DEFAULT_LIMITS, ConvexityLimits
from risk_engine.domain.market import (
    PANEL_CURRENCY,
    Benchmark,
    Dividend,
    Market,
    Prices,
    Rates,
    Security,
    Snapshots,
)
from risk_engine.domain.scenarios import Basis, Scenario, ScenarioSet, Window
from risk_engine.domain.valuation import (
    CarriedAt,
    Coverage,
    Daily,
    PositionState,
    PositionValue,
    PriceSource,
    Totals,
    Valuation,
)

__all__ = [
    "DEFAULT_LIMITS",
    "ENGINES",
    "PANEL_CURRENCY",
    "Basis",
    "Benchmark",
    "Book",
    "CarriedAt",
    "Code",
    "ConvexityLimits",
    "Coverage",
    "Daily",
    "Dividend",
    "EngineName",
    "Failure",
    "History",
    "InvestmentClass",
    "Market",
    "Note",
    "Position",
    "PositionState",
    "PositionValue",
    "PriceSource",
    "Prices",
    "Rates",
    "Scenario",
    "ScenarioSet",
    "Security",
    "Snapshots",
    "Status",
    "Totals",
    "Valuation",
    "Window",
]

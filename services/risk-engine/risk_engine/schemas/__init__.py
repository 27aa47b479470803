"""What the risk engine gives over HTTP. Money is in the book's currency; missing is null."""

from risk_engine.schemas.greeks import GreeksAnswer, greeks
from risk_engine.schemas.overview import Overview, overview
from risk_engine.schemas.report import (
    Report,
    Valuations,
    ValuationsRequest,
    report,
    valuations,
)

__all__ = [
    "GreeksAnswer",
    "Overview",
    "Report",
    "Valuations",
    "ValuationsRequest",
    "greeks",
    "overview",
    "report",
    "valuations",
]

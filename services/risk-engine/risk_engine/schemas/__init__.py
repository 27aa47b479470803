"""What the risk engine gives over HTTP. Money is in the book's currency; missing is null."""

from risk_engine.schemas.exposure_reads import (
    ConcentrationMetrics,
    Exposure,
    SectorExposure,
    concentration_metrics,
    exposure,
    sector_exposure,
)
from risk_engine.schemas.greeks import GreeksAnswer, greeks
from risk_engine.schemas.overview import Overview, overview
from risk_engine.schemas.report import (
    Report,
    Valuations,
    ValuationsRequest,
    report,
    valuations,
)
from risk_engine.schemas.stress_reads import Stress, StressTest, stress, stress_test

__all__ = [
    "ConcentrationMetrics",
    "Exposure",
    "GreeksAnswer",
    "Overview",
    "Report",
    "SectorExposure",
    "Stress",
    "StressTest",
    "Valuations",
    "ValuationsRequest",
    "concentration_metrics",
    "exposure",
    "greeks",
    "overview",
    "report",
    "sector_exposure",
    "stress",
    "stress_test",
    "valuations",
]

"""What the risk engine gives over HTTP. Money is in the book's currency; missing is null."""

from risk_engine.schemas.diversification import (
    CorrelationMatrix,
    DiversificationScore,
    correlation_matrix,
    diversification_score,
)
from risk_engine.schemas.exposure_reads import (
    ConcentrationMetrics,
    Exposure,
    SectorExposure,
    concentration_metrics,
    exposure,
    sector_exposure,
)
from risk_engine.schemas.greeks import GreeksAnswer, greeks
from risk_engine.schemas.market_risk_reads import (
    MarketRisk,
    RiskMetrics,
    market_risk,
    risk_metrics,
)
from risk_engine.schemas.overview import Overview, overview
from risk_engine.schemas.performance import SnapshotHistory, snapshot_history
from risk_engine.schemas.report import (
    Report,
    Valuations,
    ValuationsRequest,
    report,
    valuations,
)
from risk_engine.schemas.volatility import Volatility, volatility

__all__ = [
    "ConcentrationMetrics",
    "CorrelationMatrix",
    "DiversificationScore",
    "Exposure",
    "GreeksAnswer",
    "MarketRisk",
    "Overview",
    "Report",
    "RiskMetrics",
    "SectorExposure",
    "SnapshotHistory",
    "Valuations",
    "ValuationsRequest",
    "Volatility",
    "concentration_metrics",
    "correlation_matrix",
    "diversification_score",
    "exposure",
    "greeks",
    "market_risk",
    "overview",
    "report",
    "risk_metrics",
    "sector_exposure",
    "snapshot_history",
    "valuations",
    "volatility",
]

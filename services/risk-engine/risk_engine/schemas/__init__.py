"""What the risk engine gives over HTTP. Money is in the book's currency; missing is null."""

from risk_engine.schemas.beta_reads import (
    BetaComparison,
    CalculatedBetaAnswer,
    MarketBetaAnswer,
    ProviderBetaAnswer,
    beta_comparison,
    calculated_beta,
    market_beta,
    provider_beta,
)
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
from risk_engine.schemas.factor_reads import (
    DataQuality,
    FactorExposures,
    Factors,
    Page,
    PositionsFactorExposures,
    Staleness,
    factor_exposures,
    factors,
    positions_factor_exposures,
)
from risk_engine.schemas.greeks import GreeksAnswer, greeks
from risk_engine.schemas.market_risk_reads import MarketRisk, RiskMetrics, market_risk, risk_metrics
from risk_engine.schemas.overview import Overview, overview
from risk_engine.schemas.performance import SnapshotHistory, snapshot_history
from risk_engine.schemas.report import Report, Valuations, ValuationsRequest, report, valuations
from risk_engine.schemas.spread_reads import SpreadFactors, spread_factors
from risk_engine.schemas.stress_reads import Stress, StressTest, stress, stress_test
from risk_engine.schemas.volatility import Volatility, volatility

__all__ = [
    "BetaComparison",
    "CalculatedBetaAnswer",
    "ConcentrationMetrics",
    "CorrelationMatrix",
    "DataQuality",
    "DiversificationScore",
    "Exposure",
    "FactorExposures",
    "Factors",
    "GreeksAnswer",
    "MarketBetaAnswer",
    "MarketRisk",
    "Overview",
    "Page",
    "PositionsFactorExposures",
    "ProviderBetaAnswer",
    "Report",
    "RiskMetrics",
    "SectorExposure",
    "SnapshotHistory",
    "SpreadFactors",
    "Staleness",
    "Stress",
    "StressTest",
    "Valuations",
    "ValuationsRequest",
    "Volatility",
    "beta_comparison",
    "calculated_beta",
    "concentration_metrics",
    "correlation_matrix",
    "diversification_score",
    "exposure",
    "factor_exposures",
    "factors",
    "greeks",
    "market_beta",
    "market_risk",
    "overview",
    "positions_factor_exposures",
    "provider_beta",
    "report",
    "risk_metrics",
    "sector_exposure",
    "snapshot_history",
    "spread_factors",
    "stress",
    "stress_test",
    "valuations",
    "volatility",
]

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
    SpreadFactors,
    Staleness,
    factor_exposures,
    factors,
    positions_factor_exposures,
    spread_factors,
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

__all__ = [
    "BetaComparison",
    "CalculatedBetaAnswer",
    "ConcentrationMetrics",
    "DataQuality",
    "Exposure",
    "FactorExposures",
    "Factors",
    "GreeksAnswer",
    "MarketBetaAnswer",
    "Overview",
    "Page",
    "PositionsFactorExposures",
    "ProviderBetaAnswer",
    "Report",
    "SectorExposure",
    "SpreadFactors",
    "Staleness",
    "Valuations",
    "ValuationsRequest",
    "beta_comparison",
    "calculated_beta",
    "concentration_metrics",
    "exposure",
    "factor_exposures",
    "factors",
    "greeks",
    "market_beta",
    "overview",
    "positions_factor_exposures",
    "provider_beta",
    "report",
    "sector_exposure",
    "spread_factors",
    "valuations",
]

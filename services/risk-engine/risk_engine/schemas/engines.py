"""The payload models of all engines, by name."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from risk_engine.domain import EngineName
from risk_engine.repository import Known
from risk_engine.schemas.base import Engine
from risk_engine.schemas.correlation import CorrelationOut
from risk_engine.schemas.exposure import ExposureOut
from risk_engine.schemas.factors import FactorsOut
from risk_engine.schemas.greeks import GreeksOut
from risk_engine.schemas.market_risk import MarketRiskOut
from risk_engine.schemas.stress import StressOut
from risk_engine.schemas.summary import read
from risk_engine.schemas.valuation import ValuationOut
from risk_engine.schemas.volatility import VolatilityOut

EngineOut = Annotated[
    ValuationOut
    | GreeksOut
    | ExposureOut
    | FactorsOut
    | VolatilityOut
    | CorrelationOut
    | MarketRiskOut
    | StressOut,
    Field(discriminator="engine"),
]
"""What an engine found; `engine` says which."""

MODELS: Mapping[EngineName, type[Engine]] = {
    "valuation": ValuationOut,
    "greeks": GreeksOut,
    "exposure": ExposureOut,
    "factors": FactorsOut,
    "volatility": VolatilityOut,
    "correlation": CorrelationOut,
    "market_risk": MarketRiskOut,
    "stress": StressOut,
}


def engines_of(known: Known | None) -> dict[EngineName, Any]:
    """Read the results of all engines that have one."""
    if known is None:
        return {}
    found = {name: read(name, known, model) for name, model in MODELS.items()}
    return {name: result for name, result in found.items() if result is not None}

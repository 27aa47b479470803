"""The engines there are, in the order in which they run and are reported."""

from collections.abc import Callable, Mapping
from typing import Final

from risk_engine.domain import EngineName
from risk_engine.engine import (
    correlation,
    exposure,
    factors,
    greeks,
    market_risk,
    stress,
    valuation,
    volatility,
)
from risk_engine.engine.frame import Frame
from risk_engine.engine.payload import to_payload
from risk_engine.engine.performance import performance_of
from risk_engine.engine.results import Answer, EngineResult

Engine = Callable[[Frame], list[Answer]]
"""Calculates all books of a frame; the answers are in their order."""


def _valuation(frame: Frame) -> list[Answer]:
    return [
        EngineResult(one.status, to_payload(one) | {"performance": measured})
        for one, measured in zip(frame.valuations, performance_of(frame), strict=True)
    ]


ENGINES_BY_NAME: Final[Mapping[EngineName, Engine]] = {
    "valuation": _valuation,
    "greeks": greeks.calculate,
    "exposure": exposure.calculate,
    "factors": factors.calculate,
    "volatility": volatility.calculate,
    "correlation": correlation.calculate,
    "market_risk": market_risk.calculate,
    "stress": stress.calculate,
}

MODEL_VERSIONS: Final[Mapping[EngineName, str]] = {
    "valuation": valuation.MODEL_VERSION,
    "greeks": greeks.MODEL_VERSION,
    "exposure": exposure.MODEL_VERSION,
    "factors": factors.MODEL_VERSION,
    "volatility": volatility.MODEL_VERSION,
    "correlation": correlation.MODEL_VERSION,
    "market_risk": market_risk.MODEL_VERSION,
    "stress": stress.MODEL_VERSION,
}
"""Changes whenever an engine may give another number for the same inputs."""

"""The engines there are, in the order in which they run and are reported."""

from collections.abc import Callable, Mapping
from typing import Final

from risk_engine.domain import EngineName
from risk_engine.engine import exposure, greeks, stress, valuation
from risk_engine.engine.frame import Frame
from risk_engine.engine.payload import to_payload
from risk_engine.engine.results import Answer, EngineResult

Engine = Callable[[Frame], list[Answer]]
"""Calculates all books of a frame; the answers are in their order."""


def _valuation(frame: Frame) -> list[Answer]:
    return [EngineResult(one.status, to_payload(one)) for one in frame.valuations]


ENGINES_BY_NAME: Final[Mapping[EngineName, Engine]] = {
    "valuation": _valuation,
    "greeks": greeks.calculate,
    "exposure": exposure.calculate,
    "stress": stress.calculate,
}

MODEL_VERSIONS: Final[Mapping[EngineName, str]] = {
    "valuation": valuation.MODEL_VERSION,
    "greeks": greeks.MODEL_VERSION,
    "exposure": exposure.MODEL_VERSION,
    "stress": stress.MODEL_VERSION,
}
"""Changes whenever an engine may give another number for the same inputs."""

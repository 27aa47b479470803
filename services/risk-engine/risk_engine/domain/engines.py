"""The engines by name, and how a result of one can end."""

from dataclasses import dataclass
from typing import Literal

EngineName = Literal[
    "valuation",
    "greeks",
    "exposure",
    "factors",
    "volatility",
    "correlation",
    "market_risk",
    "stress",
]
ENGINES: tuple[EngineName, ...] = (
    "valuation",
    "greeks",
    "exposure",
    "factors",
    "volatility",
    "correlation",
    "market_risk",
    "stress",
)
BUILT: tuple[EngineName, ...] = ("valuation", "exposure")

Status = Literal["ok", "partial", "insufficient", "stale"]


@dataclass(frozen=True)
class Failure:
    """Why a book has no result: an expected gap, handed back as a value."""

    reason: str
    message: str


@dataclass(frozen=True)
class Note:
    """Something a reader of a result must know, with a code for programs."""

    code: str
    message: str

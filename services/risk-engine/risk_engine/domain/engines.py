"""The engines by name, and how a result of one can end."""

from dataclasses import dataclass, field
from typing import Literal, get_args

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
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
"""All of them, in the order in which they run and are shown."""

Status = Literal["ok", "partial", "insufficient", "stale"]


@dataclass(frozen=True)
class Failure:
    """Why a book has no result, handed back as a value.

    An expected gap, or a fault of ours: then `trace` is for the log, and never shown.
    """

    reason: str
    message: str
    trace: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Note:
    """Something a reader of a result must know, with a code for programs."""

    code: str
    message: str

"""What the risk engine says."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from common.events.base import Event

Status = Literal["ok", "partial", "insufficient", "stale"]


class RiskCalculated(Event):
    """A portfolio's results at (revision, as_of, panel_version) are stored and readable."""

    NAME = "risk.calculated"

    portfolio_id: UUID
    revision: int
    as_of: date
    panel_version: int
    status: Status
    engines: dict[str, Status]
    """Status of every engine that ran, by its name."""
    failed: dict[str, str] = Field(default_factory=dict)
    """Why, for every engine that failed alone."""
    net_asset_value: float | None = None


class CalculationFailed(Event):
    """No engine could give results for this portfolio; what was stored before still stands."""

    NAME = "calculation.failed"

    portfolio_id: UUID
    revision: int
    as_of: date | None = None
    reason: str
    """A short machine-readable word; `superseded` when something newer took its place."""
    message: str


class CalculationProgressed(Event):
    """How far a calculation is. Transient: sent outside any transaction, may be lost."""

    NAME = "calculation.progressed"

    portfolio_id: UUID
    stage: str
    done: int
    total: int

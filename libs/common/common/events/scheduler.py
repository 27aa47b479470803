"""What the scheduler says, and the one command it takes."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.events.base import Command, Event

JobName = Literal["import", "calculate", "nightly"]
ITEMS_IN_REQUEST = 200


class RequestedItem(BaseModel):
    """A portfolio to bring up to date, at the revision known when the run was opened."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    portfolio_id: UUID
    revision: int


class RunRequested(Event):
    """A run asks for fresh prices and results for a chunk of portfolios."""

    NAME = "run.requested"

    job: JobName
    as_of: date
    items: tuple[RequestedItem, ...] = Field(max_length=ITEMS_IN_REQUEST)
    force: bool = False


class RunCompleted(Event):
    """A run has ended: every item has an outcome."""

    NAME = "run.completed"

    job: JobName
    as_of: date | None
    status: Literal["completed", "completed_with_failures", "failed"]
    portfolio_ids: tuple[UUID, ...] = ()
    """The portfolios of a run of up to 200; empty above."""
    calculated: int
    failed: int
    superseded: int


class RunJob(Command):
    """Run a job now: for some portfolios, or for all."""

    NAME = "scheduler.run_job"

    job: JobName = "nightly"
    as_of: date | None = None
    """The NYSE session; the last closed one when not given."""
    portfolio_ids: tuple[UUID, ...] | None = None
    """All portfolios when not given."""
    force: bool = False
    """Open a new run even though one with this scope is open."""
    requested_by: str

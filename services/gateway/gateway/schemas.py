"""What the gateway itself answers with."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.json_schema import models_json_schema


class Welcome(BaseModel):
    """What this is."""

    message: str
    version: str


class ErrorEntry(BaseModel):
    """One row of the list of error codes."""

    service: str
    """Who gives it."""
    code: str
    status: int
    meaning: str
    remedy: str


class Happening(BaseModel):
    """The data of every frame that is named for an event: when, of which flow, and what it says.

    What it says depends on the event: ids, states and counts; see the events' own document.
    """

    model_config = ConfigDict(extra="allow")

    name: str
    occurred_at: datetime
    run_id: UUID | None
    portfolio_id: UUID | None
    trace_id: str | None


class PortfolioStanding(BaseModel):
    """The last happening of each name that concerns a portfolio."""

    portfolio_id: UUID
    events: list[Happening]


class Snapshot(BaseModel):
    """The data of the frame `snapshot`: where things stand as the stream begins."""

    name: Literal["snapshot"]
    portfolios: list[PortfolioStanding]


class Reset(BaseModel):
    """The data of the frame `reset`: what was missed is not kept any more; a snapshot follows."""

    name: Literal["reset"]
    last_event_id: str


class Ending(BaseModel):
    """The data of the last frame: the token has expired, or its session was ended."""

    name: Literal["expired", "revoked"]


FRAMES: dict[str, type[BaseModel]] = {
    "snapshot": Snapshot,
    "reset": Reset,
    "expired": Ending,
    "revoked": Ending,
    "*": Happening,
}
"""The data of a stream's frames by the frame's event; `*` is any other."""


def frame_schemas() -> dict[str, Any]:
    """Return the JSON schemas of all frames' data, for the OpenAPI document's components."""
    models: list[tuple[type[BaseModel], Literal["serialization"]]] = [
        (model, "serialization") for model in dict.fromkeys(FRAMES.values())
    ]
    _, document = models_json_schema(models, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = document["$defs"]
    return schemas


CATALOGUE = TypeAdapter(list[ErrorEntry])
"""The file `errors.json` beside the package: generated from every service's codes."""

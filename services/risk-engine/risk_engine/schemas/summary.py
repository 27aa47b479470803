"""What every answer says first: whether there are results, of which inputs, and if not, why."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, TypeVar

from pydantic import Field

from risk_engine.domain import EngineName, Status
from risk_engine.engine.results import unpack
from risk_engine.repository import EVERY_ENGINE, Known, Result
from risk_engine.schemas.base import Answer, Engine, plain
from risk_engine.schemas.valuation import ValuationOut

Reason = Literal["not_calculated_yet", "calculation_failed", "book_changed"]

EngineT = TypeVar("EngineT", bound=Engine)


class Summary(Answer):
    """Whether there are results, and what they were made of."""

    available: bool
    stale: bool = Field(description="The results are of an older book, or the last attempt failed")
    reason: Reason | None = Field(description="Why there are no results, or only stale ones")
    message: str | None = Field(description="The reason as a sentence")
    as_of: date | None = Field(None, description="The NYSE session at whose close this stands")
    panel_version: int | None = None
    book_revision: int | None = Field(None, description="The revision the results are of")
    provider: str | None = Field(None, description="Where the prices are from")
    status: Status | None = Field(
        None,
        description="Of the engine whose results these are (docs/methodology.md, Statuses); "
        "null where it has none",
    )
    calculated_at: datetime | None = None


def summary(
    known: Known | None, valuation: ValuationOut | None, engine: EngineName = "valuation"
) -> dict[str, Any]:
    """Give the fields of a Summary; None is a portfolio the replica has not heard of.

    The status is that of the engine whose results are shown. Where that one failed and the account
    is valued all the same, the reason is its own.
    """
    reason, message = _reason(known)
    fields: dict[str, Any] = {
        "available": valuation is not None,
        "stale": valuation is not None and reason is not None,
        "reason": reason,
        "message": message,
    }
    if known is None or known.valuation is None or valuation is None:
        return fields
    shown = known.results.get(engine)
    if shown is None:
        fields |= {"available": False, "stale": False}
        if engine in known.failures:
            fields |= {"reason": "calculation_failed", "message": known.failures[engine].message}
    return fields | {
        "as_of": valuation.as_of,
        "panel_version": valuation.panel_version,
        "book_revision": valuation.book_revision,
        "provider": valuation.provider,
        "status": None if shown is None else shown.status,
        "calculated_at": known.valuation.calculated_at,
    }


def valuation_of(known: Known | None) -> ValuationOut | None:
    """Read the newest valuation of a portfolio."""
    return None if known is None else read("valuation", known, ValuationOut)


def read(name: EngineName, known: Known, model: type[EngineT]) -> EngineT | None:
    """Read what an engine found about a portfolio; None where it has found nothing."""
    result = known.results.get(name)
    if result is None:
        return None
    return model.model_validate(
        {
            **plain(payload_of(result)),
            "engine": name,
            "status": result.status,
            "as_of": result.as_of,
            "panel_version": result.panel_version,
            "book_revision": result.revision,
            "model_version": result.model_version,
            "input_hash": result.input_hash,
        }
    )


def payload_of(result: Result) -> Mapping[str, Any]:
    """Unpack what an engine found; JSON is of before it was packed."""
    if result.payload.startswith(b"{"):
        written: Mapping[str, Any] = json.loads(result.payload)
        return written
    return unpack(result.payload)


def _reason(known: Known | None) -> tuple[Reason | None, str | None]:
    failure = None if known is None else known.failures.get(EVERY_ENGINE)
    if failure is not None:
        return "calculation_failed", f"The last calculation failed. {failure.message}"
    if known is None or known.valuation is None:
        return "not_calculated_yet", "The portfolio has not been calculated yet."
    revision = known.valuation.revision
    if revision < known.revision:
        return "book_changed", (
            f"The book has changed since: these results are of revision {revision}, "
            f"the book is at {known.revision}."
        )
    return None, None

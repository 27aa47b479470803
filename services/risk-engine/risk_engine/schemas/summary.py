"""What every answer says first: whether there are results, of which inputs, and if not, why."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from risk_engine.domain import Status
from risk_engine.repository import Known
from risk_engine.schemas.base import Answer
from risk_engine.schemas.valuation import ValuationOut

Reason = Literal["not_calculated_yet", "calculation_failed", "book_changed"]


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
    status: Status | None = None
    calculated_at: datetime | None = None


def summary(known: Known | None, valuation: ValuationOut | None) -> dict[str, Any]:
    """Give the fields of a Summary; None is a portfolio the replica has not heard of."""
    reason, message = _reason(known)
    fields: dict[str, Any] = {
        "available": valuation is not None,
        "stale": valuation is not None and reason is not None,
        "reason": reason,
        "message": message,
    }
    if known is None or known.result is None or valuation is None:
        return fields
    return fields | {
        "as_of": valuation.as_of,
        "panel_version": valuation.panel_version,
        "book_revision": valuation.book_revision,
        "provider": valuation.provider,
        "status": valuation.status,
        "calculated_at": known.result.calculated_at,
    }


def valuation_of(known: Known | None) -> ValuationOut | None:
    """Read the newest valuation of a portfolio."""
    if known is None or known.result is None:
        return None
    return ValuationOut.model_validate_json(known.result.payload)


def _reason(known: Known | None) -> tuple[Reason | None, str | None]:
    if known is not None and known.failure is not None:
        return "calculation_failed", f"The last calculation failed. {known.failure.message}"
    if known is None or known.result is None:
        return "not_calculated_yet", "The portfolio has not been calculated yet."
    if known.result.revision < known.revision:
        return "book_changed", (
            f"The book has changed since: these results are of revision {known.result.revision}, "
            f"the book is at {known.revision}."
        )
    return None, None

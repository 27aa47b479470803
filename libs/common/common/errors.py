"""Errors as values people can act on: a code, a status, a sentence, a row in the docs.

Every service lists its codes in one enum, a subclass of `ErrorCode`; `docs/errors.md` is generated
from them. `ServiceError` carries a code to the edge, where `common.error_answers` writes the one
body that all services answer with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

DOCUMENTATION_URL = "/errors#"
"""Where a code is explained; the gateway serves the generated page."""


@dataclass(frozen=True)
class Spec:
    """What a code means: its HTTP status, when it is given, and how to mend it."""

    status: int
    meaning: str
    remedy: str = ""


class ErrorCode(Enum):
    """Base of every service's list of codes: the member's name is the code."""

    @property
    def spec(self) -> Spec:
        """Return the code's meaning."""
        value = self.value
        if not isinstance(value, Spec):
            raise TypeError(f"{self} has no Spec")
        return value


class CommonCode(ErrorCode):
    """Codes that any service may answer with."""

    ERR_VALIDATION = Spec(
        422, "The request does not have the documented form.", "See details.errors, field by field."
    )
    ERR_AUTH_001 = Spec(
        401, "No valid access token came with the request.", "Log in and send the bearer token."
    )
    ERR_AUTH_002 = Spec(403, "The account's role does not allow this.", "Ask an administrator.")
    ERR_AUTH_003 = Spec(
        403,
        "A change was asked for by cookie alone, without the CSRF header.",
        "Send the header X-CSRF-Token with the value of the cookie csrf_token, or a bearer token.",
    )
    ERR_NOT_FOUND = Spec(404, "There is nothing at this address.", "See /docs for the routes.")
    ERR_METHOD = Spec(405, "This address does not know the method.", "See /docs for the routes.")
    ERR_PORTFOLIO_404 = Spec(
        404,
        "No portfolio with this id belongs to the caller.",
        "GET /api/v1/data/portfolios lists the caller's portfolios.",
    )
    ERR_TOO_LARGE = Spec(413, "The body is larger than this route takes.", "Send less.")
    ERR_HTTP = Spec(400, "The request was refused.", "The sentence says why.")
    ERR_UNAVAILABLE = Spec(
        503, "A part of the system cannot be reached right now.", "Try again in a few seconds."
    )
    ERR_INTERNAL = Spec(
        500, "Something failed that should not have.", "Report the request id of the answer."
    )


class ServiceError(Exception):
    """A refusal with a code. `message` says what, where and how to mend it."""

    def __init__(
        self, code: ErrorCode, message: str | None = None, *, details: dict[str, Any] | None = None
    ) -> None:
        self.code = code
        self.message = message or code.spec.meaning
        self.details = details
        super().__init__(self.message)

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return self.code.spec.status


class Unavailable(Exception):
    """Something outside does not answer; the same request may well succeed later."""


class DatabaseAway(Unavailable):
    """The service's own database does not answer or takes nobody in: nothing can be done here."""


class Refused(Exception):
    """Another service said no to what it was asked, and will say so again."""


class WorkerDied(Exception):
    """The process that did the work died with it, or was killed because it came to no end.

    Whoever had handed it the work lives on, and counts a death of that work.
    """


class LeaseLost(Exception):
    """Somebody else holds the work by now; what was done here must not be committed."""


def said_of(fault: Mapping[str, Any]) -> str:
    """Return the sentence of a fault that Pydantic found: of a validator's own, only its words."""
    words = fault.get("ctx", {}).get("error") if fault["type"] == "value_error" else None
    return str(words or fault["msg"])


def body(code: ErrorCode, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the one error body of every service."""
    error: dict[str, Any] = {"code": code.name, "message": message}
    if details:
        error["details"] = details
    error["documentation_url"] = f"{DOCUMENTATION_URL}{code.name}"
    return {"detail": message, "error": error}

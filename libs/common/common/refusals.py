"""What a route refuses with, said once beside the route and written into the OpenAPI document.

A route or a dependency says so with `may_refuse`. Every code is listed under its status, with the
one error body of all services, and explained by an example.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from common.errors import CommonCode, ErrorCode, body

Function = TypeVar("Function", bound=Callable[..., Any])
Codes = Mapping[str, Sequence[ErrorCode]]
"""By status; `default` stands for every status that is not named."""

_REFUSALS: WeakKeyDictionary[Callable[..., Any], tuple[ErrorCode, ...]] = WeakKeyDictionary()

ERROR_SCHEMAS: dict[str, Any] = {
    "ErrorBody": {
        "title": "ErrorBody",
        "description": "The body of every error of every service.",
        "type": "object",
        "required": ["detail", "error"],
        "properties": {
            "detail": {"type": "string", "description": "A sentence for people."},
            "error": {"$ref": "#/components/schemas/Problem"},
        },
    },
    "Problem": {
        "title": "Problem",
        "description": "The error for programs.",
        "type": "object",
        "required": ["code", "message", "documentation_url"],
        "properties": {
            "code": {"type": "string", "pattern": "^ERR_[A-Z0-9_]+$"},
            "message": {"type": "string", "description": "The same sentence as `detail`."},
            "details": {
                "description": "Absent when there is nothing to add.",
                "type": "object",
                "properties": {
                    "errors": {
                        "description": "Every fault, where there may be several.",
                        "type": "array",
                        "items": {"$ref": "#/components/schemas/Fault"},
                    }
                },
            },
            "documentation_url": {"type": "string", "format": "uri-reference"},
        },
    },
    "Fault": {
        "title": "Fault",
        "description": "One thing that is wrong with a request.",
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": "string"},
            "message": {"type": "string"},
            "row": {"type": "integer", "description": "The line of an uploaded file, from 1."},
            "field": {"type": "string"},
            "value": {"type": "string", "description": "What was given, cut short."},
            "hint": {"type": "string"},
        },
    },
}


def may_refuse(*codes: ErrorCode) -> Callable[[Function], Function]:
    """Say with which codes a route or a dependency refuses; below the router's own decorator."""

    def mark(function: Function) -> Function:
        _REFUSALS[function] = codes
        return function

    return mark


def refusals_of(function: Callable[..., Any]) -> tuple[ErrorCode, ...]:
    """Return what a function said of itself."""
    return _REFUSALS.get(function, ())


def add_refusals(operation: dict[str, Any], codes: Codes) -> None:
    """Add the codes to an operation's responses, beside those that these name already."""
    responses = operation.setdefault("responses", {})
    for status, found in codes.items():
        response = responses.setdefault(status, {"description": ""})
        content = response.setdefault("content", {}).setdefault("application/json", {})
        content["schema"] = {"$ref": "#/components/schemas/ErrorBody"}
        known = content.setdefault("examples", {})
        known |= {code.name: {"$ref": f"#/components/examples/{code.name}"} for code in found}
        names = ", ".join(known)
        response["description"] = (
            f"Any other refusal: {names} and the like." if status == "default" else f"{names}."
        )
    operation["responses"] = dict(sorted(responses.items()))  # `default` comes after all digits


def examples(codes: Iterable[ErrorCode]) -> dict[str, Any]:
    """Return an error body for each code, to be explained once and referred to by every route."""
    return {code.name: _example(code) for code in sorted(codes, key=lambda code: code.name)}


def _example(code: ErrorCode) -> dict[str, Any]:
    spec = code.spec
    details: dict[str, Any] | None = None
    if code is CommonCode.ERR_VALIDATION:
        fault = {"code": "missing", "field": "email", "message": "Field required"}
        details = {"errors": [fault]}
    return {
        "summary": f"{spec.status}: {spec.meaning}",
        "description": spec.remedy,
        "value": body(code, spec.meaning, details),
    }

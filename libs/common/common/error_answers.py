"""Every error as an answer: one body, a status, and a sentence that names what and where."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from common.errors import CommonCode, ErrorCode, ServiceError, Unavailable, body, said_of
from common.text import printable

log = structlog.get_logger()

TRY_AGAIN_SOON = {"Retry-After": "2"}
_SHOWN_CHARACTERS = 200


def answer_errors(app: FastAPI) -> None:
    """Answer whatever a route raises, and whatever FastAPI refuses."""
    app.add_exception_handler(ServiceError, _refuse)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework_error)


def error_response(
    code: ErrorCode,
    message: str | None = None,
    *,
    details: dict[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the one error body of every service, with its status."""
    content = jsonable_encoder(body(code, message or code.spec.meaning, details))
    return JSONResponse(content, code.spec.status, headers=dict(headers or {}))


async def _refuse(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for this type
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return error_response(error.code, error.message, details=error.details, headers=headers)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    log.warning("unavailable", reason=str(error))
    return error_response(CommonCode.ERR_UNAVAILABLE, headers=TRY_AGAIN_SOON)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type
    faults = [
        {
            "code": fault["type"],
            "field": _field(fault),
            "message": said_of(fault),
            **_shown_value(fault),
        }
        for fault in error.errors()
    ]
    sentence = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults[:3])
    return error_response(CommonCode.ERR_VALIDATION, sentence, details={"errors": faults})


def _field(fault: Mapping[str, Any]) -> str:
    where = [str(part) for part in fault["loc"]]
    # What is no JSON has no fields: the place is an offset into the body.
    return where[0] if fault["type"] == "json_invalid" else ".".join(where[1:]) or where[0]


def _shown_value(fault: Mapping[str, Any]) -> dict[str, str]:
    value = fault.get("input")
    if not isinstance(value, str | int | float) or "password" in fault["loc"]:
        return {}
    return {"value": printable(str(value)[:_SHOWN_CHARACTERS])}


async def _framework_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    known = {
        401: CommonCode.ERR_AUTH_001,
        403: CommonCode.ERR_AUTH_002,
        404: CommonCode.ERR_NOT_FOUND,
        405: CommonCode.ERR_METHOD,
        413: CommonCode.ERR_TOO_LARGE,
    }
    code = known.get(error.status_code, CommonCode.ERR_HTTP)
    response = error_response(code, str(error.detail), headers=error.headers)
    response.status_code = error.status_code
    return response

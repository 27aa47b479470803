"""What every HTTP service shares: errors as one body, ids on every request, health, metrics.

`create_app` gives a FastAPI application that has them; routes are the service's own.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Literal
from uuid import uuid4

import structlog
from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.error_answers import TRY_AGAIN_SOON, answer_errors, error_response
from common.errors import CommonCode, Unavailable
from common.metrics import CONTENT_TYPE_LATEST, Metric, Metrics
from common.openapi import Application
from common.telemetry import Span, Telemetry
from common.unit_of_work import Unit, UnitOfWork

log = structlog.get_logger()

Check = Callable[[], Awaitable[None]]
"""Returns when a dependency answers; raises `Unavailable` when it does not."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNSEEN = frozenset({"/health", "/health/ready", "/metrics"})
"""Asked every few seconds by machines: neither logged nor measured nor traced."""
CHECK_SECONDS = 3.0
"""After which a dependency that says nothing counts as away."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Health(BaseModel):
    """The process answers."""

    status: Literal["healthy"] = "healthy"
    service: str


class Readiness(BaseModel):
    """Whether everything answers that the service needs: `ok`, or what is wrong, by name."""

    status: Literal["ready", "not ready"]
    service: str
    checks: dict[str, str]


def create_app(
    name: str,
    description: str,
    unit_of_work: UnitOfWork,
    *,
    openapi_url: str | None = "/openapi.json",
) -> Application:
    """Return an application with error bodies, request ids, `/health*` and `/metrics`.

    The host adds to `app.state.readiness` what must answer before the service is ready. Without
    `openapi_url` the service has no `/docs` of its own.
    """
    app = Application(
        title=f"SigmaSight {name}",
        version="0.2.0",
        description=description,
        openapi_url=openapi_url,
        # RequestContext shows requests; FastAPI's own would show them a second time.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    telemetry = unit_of_work.telemetry
    app.state.unit_of_work = unit_of_work
    app.state.readiness = {"database": unit_of_work.database.health}
    app.add_middleware(RequestContext, service=name, telemetry=telemetry)
    answer_errors(app)
    _add_health(app, name, telemetry.metrics)
    return app


async def unit(request: Request) -> AsyncIterator[Unit]:
    """Give a route its transaction, committed before the answer leaves."""
    unit_of_work: UnitOfWork = request.app.state.unit_of_work
    async with unit_of_work.begin() as opened:
        yield opened


# With scope "function" the commit comes before the answer: a 2xx means that it is stored.
Transaction = Annotated[Unit, Depends(unit, scope="function")]


async def rendered(make: Callable[[], BaseModel]) -> Response:
    """Return a model as JSON, made and written in a thread.

    For answers that grow with a book: ten thousand positions take the better part of a second,
    which the event loop owes to everybody else.
    """
    content = await asyncio.to_thread(lambda: make().model_dump_json())
    return Response(content, media_type="application/json")


class RequestContext:
    """ASGI middleware: joins the caller's trace, names the request, logs and measures it.

    An exception nobody handled becomes a 500 here, inside the context, so that its answer carries
    the request id under which the log has the stack.
    """

    def __init__(self, app: ASGIApp, service: str, telemetry: Telemetry) -> None:
        self.app = app
        self.service = service
        self.telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, inside its context."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        request_id = headers.get(b"x-request-id", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = uuid4().hex
        status, begun = 500, False
        started = time.perf_counter()

        with self.telemetry.tracer.span(
            scope["method"],
            headers.get(b"traceparent"),
            "server",
            {"http.request.method": scope["method"], "url.path": scope["path"]},
            recorded=scope["path"] not in _UNSEEN,
            request_id=request_id,
        ) as span:
            scope.setdefault("state", {})["request_id"] = request_id

            async def send_with_ids(message: Message) -> None:
                nonlocal status, begun
                if message["type"] == "http.response.start":
                    status, begun = message["status"], True
                    message.setdefault("headers", []).extend(
                        [
                            (b"x-request-id", request_id.encode()),
                            (b"traceparent", span.traceparent.encode()),
                        ]
                    )
                await send(message)

            try:
                await self.app(scope, receive, send_with_ids)
            except asyncio.CancelledError:
                # The process ends and this took longer than the grace; another may answer.
                log.warning("request_cut", method=scope["method"], path=scope["path"])
                if not begun:
                    response = error_response(CommonCode.ERR_UNAVAILABLE, headers=TRY_AGAIN_SOON)
                    await response(scope, receive, send_with_ids)
                raise
            except Exception:
                log.exception("request_failed", method=scope["method"], path=scope["path"])
                if begun:  # it can only be cut
                    raise
                response = error_response(CommonCode.ERR_INTERNAL)
                await response(scope, receive, send_with_ids)
            finally:
                self._record(scope, status, time.perf_counter() - started, span)

    def _record(self, scope: Scope, status: int, seconds: float, span: Span) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        if route in _UNSEEN:
            return
        # Whoever calls may invent methods; each label lives as long as the process.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.telemetry.metrics.observe(
            Metric.HTTP_REQUEST_SECONDS, seconds, method=method, route=route, status=str(status)
        )
        span.rename(f"{method} {route}")
        span.note({"http.route": route, "http.response.status_code": status})
        if status >= 500:
            span.fail(f"answered {status}")
        log.info(
            "request",
            service=self.service,
            method=scope["method"],
            path=scope["path"],
            status=status,
            milliseconds=round(seconds * 1000, 1),
        )


async def readiness(app: FastAPI) -> dict[str, str]:
    """Return "ok" or what is wrong, by each thing that must answer before a service is ready."""
    checks: dict[str, Check] = dict(app.state.readiness)
    states = await asyncio.gather(*(_state(check) for check in checks.values()))
    return dict(zip(checks, states, strict=True))


def _add_health(app: FastAPI, name: str, metrics: Metrics) -> None:
    @app.get("/health", tags=["operations"], summary="Whether the process lives")
    async def health() -> Health:
        return Health(service=name)

    @app.get(
        "/health/ready",
        tags=["operations"],
        summary="Whether its dependencies answer",
        responses={503: {"model": Readiness, "description": "Something does not answer."}},
    )
    async def ready(response: Response) -> Readiness:
        checks = await readiness(app)
        fine = all(state == "ok" for state in checks.values())
        response.status_code = 200 if fine else 503
        return Readiness(status="ready" if fine else "not ready", service=name, checks=checks)

    # Not a coroutine: writing some thousand lines is a thread's work.
    @app.get("/metrics", tags=["operations"], include_in_schema=False)
    def exposition() -> Response:
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except Unavailable as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:
        # A check that is broken finds nothing in order; the answer stays a readiness.
        log.exception("check_failed")
        return f"the check failed: {type(error).__name__}"
    return "ok"

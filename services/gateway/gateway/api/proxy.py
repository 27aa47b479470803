"""From an address to the service behind it and back, streaming both ways."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from common.errors import CommonCode, ServiceError
from common.identity import principal
from common.telemetry import current_traceparent, step
from gateway.api.headers import content_length, for_client, for_service, has_body
from gateway.api.limits import Limiter
from gateway.clients.upstream import Outgoing, Silent, Upstream
from gateway.domain.codes import Code
from gateway.domain.routes import Access, Route, find

CLIENT_LEFT = 499
"""Not a status of HTTP's: nobody gets it (nginx notes the same)."""
BODY_SILENCE_SECONDS = 20.0
"""How long a client may pause within a body: each holds a connection to a service."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class _ClientLeft(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class Limits:
    """Requests a minute."""

    attempts: int
    """Of one address, where passwords and invite codes are tried."""
    writes: int
    """Of one user."""


class Proxy:
    """ASGI application: passes on every request the route table knows."""

    def __init__(self, upstreams: Mapping[str, Upstream], limiter: Limiter, limits: Limits) -> None:
        self._upstreams = upstreams
        self._limiter = limiter
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with what the service answers, or say why there is no answer."""
        route = find(scope["raw_path"])
        if route is None:
            raise ServiceError(CommonCode.ERR_NOT_FOUND)
        scope["route"] = route  # metrics go by the prefix
        await self._admit(route, Request(scope))
        with step(f"{scope['method']} {route.service}", "client", {"peer.service": route.service}):
            await self._pass_on(route, scope, receive, send)

    async def _admit(self, route: Route, request: Request) -> None:
        if (content_length(request.scope) or 0) > route.body_limit:
            raise _too_large(route)
        if route.guarded and request.client is not None:
            await self._limiter.admit(f"attempt:{request.client.host}", self._limits.attempts)
        if route.access is Access.PUBLIC:
            return
        caller = await principal(request)
        if route.access is Access.ADMIN and caller.role != "admin":
            raise ServiceError(CommonCode.ERR_AUTH_002, "Only an administrator may do this.")
        if request.method not in _SAFE_METHODS:
            await self._limiter.admit(f"write:{caller.user_id}", self._limits.writes)

    async def _pass_on(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        uploaded = asyncio.Event()
        query = scope["query_string"]
        outgoing = Outgoing(
            method=scope["method"].encode(),
            target=scope["raw_path"] + (b"?" + query if query else b""),
            headers=for_service(scope, scope["state"]["request_id"], current_traceparent()),
            body=_body(route, receive, uploaded) if has_body(scope) else None,
            timeout=route.timeout,
        )
        if outgoing.body is None:
            uploaded.set()
        try:
            await _until_left(
                self._exchange(route, outgoing, send), _client_leaves(receive, uploaded)
            )
        except _ClientLeft:
            # Goes nowhere; it tells the request's log line and metric how it ended.
            await send({"type": "http.response.start", "status": CLIENT_LEFT, "headers": []})
        except Silent as error:
            raise ServiceError(Code.ERR_TIMEOUT) from error

    async def _exchange(self, route: Route, outgoing: Outgoing, send: Send) -> None:
        async with self._upstreams[route.service].exchange(outgoing) as answer:
            await send(
                {
                    "type": "http.response.start",
                    "status": answer.status,
                    "headers": for_client(answer.headers),
                }
            )
            async for chunk in answer.chunks():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _body(route: Route, receive: Receive, uploaded: asyncio.Event) -> AsyncIterator[bytes]:
    size = 0
    while True:
        try:
            async with asyncio.timeout(BODY_SILENCE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise ServiceError(Code.ERR_SLOW_BODY) from None
        if message["type"] == "http.disconnect":
            raise _ClientLeft
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > route.body_limit:
            raise _too_large(route)
        if part:
            yield part
        if not message.get("more_body", False):
            uploaded.set()
            return


async def _client_leaves(receive: Receive, uploaded: asyncio.Event) -> None:
    await uploaded.wait()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_left(
    exchange: Coroutine[Any, Any, None], leaving: Coroutine[Any, Any, None]
) -> None:
    answering, watching = asyncio.create_task(exchange), asyncio.create_task(leaving)
    try:
        await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise _ClientLeft
        answering.result()
    finally:
        for task in (answering, watching):
            task.cancel()
        await asyncio.gather(answering, watching, return_exceptions=True)


def _too_large(route: Route) -> ServiceError:
    return ServiceError(
        CommonCode.ERR_TOO_LARGE,
        f"The body is larger than the {route.body_limit} bytes this address takes.",
        details={"limit": route.body_limit},
    )

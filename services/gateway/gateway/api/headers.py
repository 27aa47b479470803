"""Headers on their way through: which are dropped, which are added."""

from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.clients.upstream import Headers

# One connection's own affair (RFC 9110, section 7.6.1), not the next one's.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# A client may not have these dropped by calling them its connection's: the message needs them.
_NEVER_A_HOPS = frozenset(
    {b"authorization", b"content-encoding", b"content-length", b"content-type", b"cookie", b"host"}
)
# What only the gateway may say to a service.
_OURS_TO_SAY = frozenset(
    {
        b"expect",
        b"forwarded",
        b"host",
        b"traceparent",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-internal-token",
        b"x-real-ip",
        b"x-request-id",
    }
)
_NAMELESS_HOST = b"sigmasight"
# What the gateway's own server and context add to every answer.
_ADDED_HERE = frozenset({b"date", b"server", b"traceparent", b"x-request-id"})

_SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)


def for_service(scope: Scope, request_id: str, traceparent: str | None) -> Headers:
    """Return the headers a service gets of a request."""
    given: Headers = scope["headers"]
    chunked = any(name == b"transfer-encoding" for name, _ in given)
    dropped = _OURS_TO_SAY | {b"content-length"} if chunked else _OURS_TO_SAY
    passed = [pair for pair in _end_to_end(given) if pair[0] not in dropped]
    if chunked:
        passed.append((b"transfer-encoding", b"chunked"))
    host = next((value for name, value in given if name == b"host"), b"")
    address = scope["client"][0] if scope.get("client") else "unknown"
    passed += [
        # HTTP/1.0 may come without one, HTTP/1.1 may not go on without one.
        (b"host", host or _NAMELESS_HOST),
        (b"x-forwarded-for", address.encode()),
        (b"x-forwarded-proto", scope["scheme"].encode()),
        (b"x-forwarded-host", host),
        (b"x-request-id", request_id.encode()),
    ]
    if traceparent:
        passed.append((b"traceparent", traceparent.encode()))
    return passed


def for_client(headers: Headers) -> Headers:
    """Return the headers a client gets of a service's answer."""
    return [pair for pair in _end_to_end(headers) if pair[0] not in _ADDED_HERE]


def has_body(scope: Scope) -> bool:
    """Whether a request announces a body."""
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def content_length(scope: Scope) -> int | None:
    """Return the announced size of a request's body in bytes, if it is announced."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def _end_to_end(headers: Headers) -> Iterable[tuple[bytes, bytes]]:
    named = {
        word.strip().lower()
        for name, value in headers
        if name == b"connection"
        for word in value.split(b",")
    }
    dropped = _HOP_BY_HOP | (named - _NEVER_A_HOPS)
    return (pair for pair in headers if pair[0] not in dropped)


class SecurityHeaders:
    """ASGI middleware: every answer tells browsers to be strict, unless it says how strict."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; add to its answer."""

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY:
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_strictly)

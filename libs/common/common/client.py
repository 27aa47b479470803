"""How one service asks another: the trace goes along, and trouble is `Unavailable`."""

import ssl
from functools import cache
from typing import Any

import httpx
import structlog

from common.errors import Refused, Unavailable
from common.telemetry import current_traceparent, step

INTERNAL_TOKEN_HEADER = "X-Internal-Token"  # noqa: S105 - the name of a header
TIMEOUT = httpx.Timeout(10.0, connect=2.0)
BROKE_OFF = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
"""The connection ended before the answer did."""

MAY_PASS = frozenset({401, 403, 408, 425, 429})
"""Refusals that say more of the moment, or of a token just changed, than of what was asked."""


class ServiceClient:
    """Asks one other service over HTTP, on routes under `/internal` or public ones."""

    def __init__(
        self,
        base_url: str,
        internal_token: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        peer: str = "",
    ) -> None:
        """Name where it is; `peer` is what traces call it, its host when not given."""
        self._peer = peer
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,
            verify=_trusted_authorities(),
            headers={INTERNAL_TOKEN_HEADER: internal_token},
        )

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the answer whatever its status below 500; `Unavailable` for anything else.

        A GET whose connection breaks is sent a second time.
        """
        peer = self._peer or self._http.base_url.host
        with step(
            f"{method} {peer}",
            "client",
            {"http.request.method": method, "url.path": path, "peer.service": peer},
        ) as asking:
            answer = await self._request(method, path, options)
            asking.note({"http.response.status_code": answer.status_code})
        return answer

    async def _request(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        headers: dict[str, str] = dict(options.pop("headers", None) or {})
        if traceparent := current_traceparent():
            headers["traceparent"] = traceparent
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if request_id:
            headers["X-Request-ID"] = str(request_id)
        try:
            try:
                answer = await self._http.request(method, path, headers=headers, **options)
            except BROKE_OFF:
                if method != "GET":
                    raise
                # A service that is being replaced ends its connections; another process is there.
                answer = await self._http.request(method, path, headers=headers, **options)
        except httpx.TransportError as error:
            raise Unavailable(f"{self._http.base_url} does not answer: {error!r}") from error
        if answer.status_code >= 500:
            raise Unavailable(f"{self._http.base_url}{path} answered {answer.status_code}")
        return answer

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Return the answer to a GET."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        """Return the answer to a POST."""
        return await self.request("POST", path, **options)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()


def unexpected(answer: httpx.Response, peer: str, about: str) -> Unavailable | Refused:
    """Return the error that an answer of no use is: it says whether asking again may help."""
    error = Unavailable if answer.status_code in MAY_PASS else Refused
    return error(f"{peer} answered {answer.status_code} about {about}")


@cache
def _trusted_authorities() -> ssl.SSLContext:
    # Reading them takes some 30 ms, and a process has dozens of clients.
    return httpx.create_ssl_context(trust_env=False)

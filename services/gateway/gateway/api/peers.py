"""Who the client is: the other end of the socket, unless that is a proxy the deployment names.

Anybody can write `X-Forwarded-For`. Believed of a stranger, it would give every guess at a password
a fresh address; ignored of our own proxy, it would put all users into one bucket of the limiter.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class ClientBehindProxy:
    """ASGI middleware: puts the client's address in place of a trusted proxy's.

    Only the last hop counts, which the proxy itself has seen; what stands before it is hearsay.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self.app = app
        self.trusted = tuple(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with the client it is from."""
        if scope["type"] == "http" and self._is_trusted(scope.get("client")):
            if (client := _address(_last_hop(scope, b"x-forwarded-for"))) is not None:
                scope["client"] = (str(client), 0)
            if (scheme := _last_hop(scope, b"x-forwarded-proto")) in ("http", "https"):
                scope["scheme"] = scheme
        await self.app(scope, receive, send)

    def _is_trusted(self, peer: tuple[str, int] | None) -> bool:
        address = _address(peer[0]) if peer else None
        return address is not None and any(address in network for network in self.trusted)


def _last_hop(scope: Scope, header: bytes) -> str:
    hops = [value for name, value in scope["headers"] if name == header]
    return hops[-1].rpartition(b",")[2].decode("latin-1").strip() if hops else ""


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # One client, whichever way its address is written.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address

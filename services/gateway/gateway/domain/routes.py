"""Where a request may go: one table, and the only way from an address to a service.

A prefix covers the address itself and everything below it; `{}` stands for one segment; the
longest match wins. What no prefix covers does not exist, and nothing covers `/internal`.
"""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote_to_bytes

MIB = 1024 * 1024
BODY_LIMIT = MIB
UPLOAD_LIMIT = 16 * MIB
ANY_SEGMENT = "{}"


class Access(Enum):
    """Who may pass."""

    PUBLIC = "public"
    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True)
class Route:
    """One row of the table."""

    path: str
    service: str
    access: Access = Access.USER
    timeout: float = 30.0
    """Seconds the service may be silent: before its answer and between parts of it."""
    body_limit: int = BODY_LIMIT
    """Bytes of the largest request body."""
    guarded: bool = False
    """Whether secrets are tried here (password, invite code), so that attempts are counted."""

    @property
    def segments(self) -> tuple[str, ...]:
        """Return the prefix in its parts."""
        return tuple(self.path.strip("/").split("/"))


ROUTES = (
    Route("/.well-known/jwks.json", "auth", Access.PUBLIC),
    Route("/api/v1/auth", "auth"),
    Route("/api/v1/auth/login", "auth", Access.PUBLIC, guarded=True),
    Route("/api/v1/onboarding/register", "auth", Access.PUBLIC, guarded=True),
    Route("/api/v1/onboarding", "onboarding"),
    Route("/api/v1/onboarding/csv-template", "onboarding", Access.PUBLIC),
    Route(
        "/api/v1/onboarding/create-portfolio",
        "onboarding",
        timeout=60.0,
        body_limit=UPLOAD_LIMIT,
    ),
    Route("/api/v1/data/portfolios", "onboarding"),
    Route("/api/v1/data/portfolio", "onboarding"),
    Route("/api/v1/data/positions", "onboarding"),
    Route("/api/v1/data", "marketdata"),
    Route("/api/v1/portfolio/{}/calculate", "scheduler"),
    Route("/api/v1/portfolio/{}/batch-status", "scheduler"),
    Route("/api/v1/analytics/portfolio/{}/calculate", "scheduler"),
    Route("/api/v1/analytics/portfolio/{}/batch-status", "scheduler"),
    Route("/api/v1/admin/batch", "scheduler", Access.ADMIN),
    # Looks through every queue's letters and asks every service for its own.
    Route("/api/v1/admin/dead-letters", "scheduler", Access.ADMIN, timeout=90.0),
    Route("/api/v1/analytics", "risk-engine"),
    # A word about the book, which is onboarding's, under the address that clients know.
    Route("/api/v1/analytics/portfolio/{}/equity", "onboarding"),
    Route("/api/v1/chat", "chat", timeout=120.0),
    Route("/api/v1/insights", "chat", timeout=120.0),
)

_LONGEST_FIRST = tuple(
    (route.segments, route)
    for route in sorted(ROUTES, key=lambda route: len(route.segments), reverse=True)
)


def find(raw_path: bytes) -> Route | None:
    """Return the route of an address as it came over the wire, or None when it leads nowhere.

    An address that a server behind might read as another one leads nowhere either: one with `.`,
    `..`, an empty segment, a backslash or a control character, encoded or not.
    """
    parts = _segments(raw_path)
    if parts is None:
        return None
    for prefix, route in _LONGEST_FIRST:
        if len(prefix) <= len(parts) and all(
            wanted in (ANY_SEGMENT, part) for wanted, part in zip(prefix, parts, strict=False)
        ):
            return route
    return None


def _segments(raw_path: bytes) -> list[str] | None:
    if not raw_path.startswith(b"/"):
        return None
    parts = raw_path[1:].split(b"/")
    if parts[-1] == b"":  # one slash at the end is the service's affair
        parts.pop()
    if not all(_is_plain(unquote_to_bytes(part)) for part in parts):
        return None
    return [part.decode("latin-1") for part in parts]


def _is_plain(segment: bytes) -> bool:
    return segment not in (b"", b".", b"..") and not any(
        byte < 0x20 or byte in b"/\\\x7f" for byte in segment
    )

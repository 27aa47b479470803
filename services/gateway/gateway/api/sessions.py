"""Who is asking, unless their session was ended."""

import time
from collections.abc import Awaitable, Callable

from common.errors import CommonCode, ServiceError
from common.identity import KeySet, Principal, Verifier
from gateway.domain.sessions import RevokedSessions

CHECK_KEPT_SECONDS = 60.0
"""A token's signature is checked again after this; a check costs as much as the rest of a pass."""
CHECKS_KEPT = 10_000


class SessionVerifier(Verifier):
    """Checks tokens as every service does, and refuses those of revoked sessions.

    The services behind verify a token's signature and end, never its session: this is the place.
    """

    def __init__(self, fetch: Callable[[], Awaitable[KeySet]], revoked: RevokedSessions) -> None:
        super().__init__(fetch)
        self._revoked = revoked
        self._checked: dict[str, tuple[float, Principal]] = {}

    async def verify(self, token: str) -> Principal:
        """Return who the token speaks for; ERR_AUTH_001 when it is not valid, or not any more."""
        principal = self._known(token) or await self._check(token)
        if principal.session_id in self._revoked:
            raise ServiceError(CommonCode.ERR_AUTH_001, "This session was ended; log in again.")
        return principal

    def _known(self, token: str) -> Principal | None:
        checked_at, principal = self._checked.get(token, (float("-inf"), None))
        fresh = time.monotonic() - checked_at < CHECK_KEPT_SECONDS
        return principal if principal and fresh and time.time() < principal.expires_at else None

    async def _check(self, token: str) -> Principal:
        principal = await super().verify(token)
        if len(self._checked) >= CHECKS_KEPT:
            self._checked.clear()
        self._checked[token] = (time.monotonic(), principal)
        return principal

"""Who is asking, and whose portfolio it is: the one place where both are decided.

Tokens are EdDSA-signed JWTs (RFC 8037); every service verifies them with auth's public keys.
A bearer token comes first, else the cookie `auth_token`, which for unsafe methods needs the CSRF
header to name the token's session, as the cookie `csrf_token` does for pages to read. Another
tenant's portfolio does not exist.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

import jwt
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from common.claims import ALGORITHM, ISSUER
from common.client import INTERNAL_TOKEN_HEADER, ServiceClient
from common.errors import CommonCode, ServiceError, Unavailable
from common.refusals import may_refuse
from common.telemetry import about

TOKEN_COOKIE = "auth_token"  # noqa: S105 - the name of a cookie
CSRF_COOKIE = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"
JWKS_PATH = "/.well-known/jwks.json"
_KEYS_KEPT_SECONDS = 600.0
_REFETCH_SECONDS = 2.0
CLOCKS_APART_SECONDS = 30.0
"""How far the clocks of two machines of one system may differ."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Principal(BaseModel, frozen=True):
    """The person behind a request."""

    user_id: UUID
    email: str
    role: Literal["user", "admin"]
    session_id: UUID
    expires_at: int
    """Seconds since the epoch at which the token ends."""


KeySet = Mapping[str, Any]
"""A JSON Web Key Set (RFC 7517)."""


class Verifier:
    """Checks access tokens against auth's keys, fetched when needed and kept for a while."""

    def __init__(self, fetch: Callable[[], Awaitable[KeySet]]) -> None:
        self._fetch = fetch
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def verify(self, token: str) -> Principal:
        """Return who the token speaks for; ERR_AUTH_001 when it is not valid."""
        try:
            key_id = jwt.get_unverified_header(token).get("kid", "")
            claims = jwt.decode(
                token,
                (await self._key(key_id)).key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                leeway=CLOCKS_APART_SECONDS,
                options={"require": ["exp", "iat", "sub", "sid"]},
            )
            return Principal(
                user_id=claims["sub"],
                email=claims.get("email", ""),
                role=claims.get("role", "user"),
                session_id=claims["sid"],
                expires_at=claims["exp"],
            )
        except jwt.ExpiredSignatureError as error:
            raise _refused("The access token has expired; log in again.") from error
        except (jwt.PyJWTError, ValidationError) as error:
            raise _refused("The access token is not valid; log in again.") from error

    async def _key(self, key_id: str) -> jwt.PyJWK:
        now = time.monotonic()
        known = key_id in self._keys
        wanted = not known or now - self._fetched_at > _KEYS_KEPT_SECONDS
        # An unknown key may be a new one, but a made-up id, or an auth that is away, must not
        # become a stream of requests.
        if wanted and (now - self._tried_at > _REFETCH_SECONDS or not self._keys):
            try:
                await self._refetch()
            except Unavailable:
                if not known:
                    raise
        try:
            return self._keys[key_id]
        except KeyError:
            raise jwt.InvalidKeyError("no such key") from None

    async def _refetch(self) -> None:
        # A thousand requests that come before the first answer ask once.
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._load(), name="fetch-keys")
        await asyncio.shield(self._fetching)

    async def _load(self) -> None:
        self._tried_at = time.monotonic()
        keys = jwt.PyJWKSet.from_dict(dict(await self._fetch()))
        self._keys = {str(key.key_id): key for key in keys.keys}
        self._fetched_at = time.monotonic()


def fetch_keys(auth: ServiceClient) -> Callable[[], Awaitable[KeySet]]:
    """Return a function that asks auth for its public keys."""

    async def fetch() -> KeySet:
        answer = await auth.get(JWKS_PATH)
        if answer.status_code != 200:
            raise Unavailable(f"auth answered {answer.status_code} when asked for its keys")
        keys: KeySet = answer.json()
        return keys

    return fetch


@dataclass(frozen=True)
class Tenancy:
    """Whose portfolio it is: this service's own knowledge first, then onboarding's word."""

    owner_here: Callable[[UUID], Awaitable[UUID | None]]
    onboarding: ServiceClient | None = None
    """None in onboarding itself, whose own knowledge is the last word."""

    async def owner(self, portfolio_id: UUID) -> UUID | None:
        """Return the owner, or None when there is no such portfolio; `Unavailable` if unknown."""
        known = await self.owner_here(portfolio_id)
        if known is not None or self.onboarding is None:
            return known
        answer = await self.onboarding.get(f"/internal/portfolios/{portfolio_id}")
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise Unavailable(f"onboarding answered {answer.status_code} about a portfolio")
        return UUID(answer.json()["user_id"])


def install(app: Any, verifier: Verifier, internal_token: str, tenancy: Tenancy | None) -> None:
    """Give an application what the dependencies below need."""
    app.state.verifier = verifier
    app.state.internal_token = internal_token
    app.state.tenancy = tenancy


@may_refuse(CommonCode.ERR_AUTH_001, CommonCode.ERR_AUTH_003)
async def principal(request: Request) -> Principal:
    """Return who is asking; ERR_AUTH_001 (401) when the request does not prove it."""
    caller = await _proved(request)
    about(user_id=caller.user_id)
    return caller


async def _proved(request: Request) -> Principal:
    verifier: Verifier = request.app.state.verifier
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return await verifier.verify(token.strip())
    cookie = request.cookies.get(TOKEN_COOKIE)
    if not cookie:
        raise _refused("No access token came with the request; log in and send it as a bearer.")
    caller = await verifier.verify(cookie)
    if request.method not in _SAFE_METHODS:
        # Bound to the session: who can set a cookie of their own choice proves nothing.
        given = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(caller.session_id.hex.encode(), given.encode()):
            raise ServiceError(CommonCode.ERR_AUTH_003)
    return caller


Caller = Annotated[Principal, Depends(principal)]


@may_refuse(CommonCode.ERR_AUTH_002)
async def administrator(caller: Caller) -> Principal:
    """Return who is asking if they are an administrator; ERR_AUTH_002 (403) otherwise."""
    if caller.role != "admin":
        raise ServiceError(CommonCode.ERR_AUTH_002, "Only an administrator may do this.")
    return caller


Administrator = Annotated[Principal, Depends(administrator)]


async def internal(request: Request) -> None:
    """Let only other services in; for them these addresses exist, for anyone else they do not."""
    expected: str = request.app.state.internal_token
    given = request.headers.get(INTERNAL_TOKEN_HEADER, "")
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        raise ServiceError(CommonCode.ERR_NOT_FOUND, "Not Found")


@may_refuse(CommonCode.ERR_PORTFOLIO_404)
async def owned_portfolio(portfolio_id: UUID, request: Request, caller: Caller) -> UUID:
    """Return the path's portfolio id if it is the caller's; ERR_PORTFOLIO_404 otherwise."""
    tenancy: Tenancy = request.app.state.tenancy
    if await tenancy.owner(portfolio_id) != caller.user_id:
        raise ServiceError(
            CommonCode.ERR_PORTFOLIO_404, f"You have no portfolio with the id {portfolio_id}."
        )
    return portfolio_id


OwnedPortfolio = Annotated[UUID, Depends(owned_portfolio)]


def _refused(message: str) -> ServiceError:
    return ServiceError(CommonCode.ERR_AUTH_001, message)

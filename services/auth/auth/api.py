"""Auth over HTTP: accounts, logins and the public keys."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pwdlib import PasswordHash

from auth.domain import (
    SESSION_LIFE,
    Code,
    KeyRing,
    Session,
    User,
    check_invite,
    check_password,
    normal_email,
    trimmed_name,
    user_id,
)
from auth.repository import Store
from auth.schemas import (
    Credentials,
    KeySet,
    LoggedOut,
    Me,
    NextStep,
    Registered,
    Registration,
    Token,
)
from common.errors import ServiceError
from common.events.auth import SessionRevoked, UserRegistered
from common.http import Transaction
from common.identity import CSRF_COOKIE, JWKS_PATH, TOKEN_COOKIE, Caller
from common.refusals import may_refuse
from common.unit_of_work import UnitOfWork

router = APIRouter()


@dataclass(frozen=True)
class Policy:
    """What the deployment decides about accounts."""

    invite_code: str
    admin_email: str
    deterministic_ids: bool
    secure_cookies: bool
    passwords: PasswordHash
    unknown_password_hash: str
    """Checked when the account is unknown, so that both answers take as long."""


def policy_of(request: Request) -> Policy:
    """Return the deployment's decisions."""
    policy: Policy = request.app.state.policy
    return policy


def key_ring_of(request: Request) -> KeyRing:
    """Return the keys."""
    key_ring: KeyRing = request.app.state.key_ring
    return key_ring


def transactions_of(request: Request) -> UnitOfWork:
    """Return what opens transactions, for a route that has slow work to do between two."""
    unit_of_work: UnitOfWork = request.app.state.unit_of_work
    return unit_of_work


CurrentPolicy = Annotated[Policy, Depends(policy_of)]
Keys = Annotated[KeyRing, Depends(key_ring_of)]
Transactions = Annotated[UnitOfWork, Depends(transactions_of)]


@router.post(
    "/api/v1/onboarding/register", status_code=201, tags=["auth"], summary="Make an account"
)
@may_refuse(
    Code.ERR_INVITE_001,
    Code.ERR_USER_001,
    Code.ERR_USER_002,
    Code.ERR_USER_003,
    Code.ERR_USER_004,
)
async def register(
    body: Registration, transactions: Transactions, policy: CurrentPolicy
) -> Registered:
    """Make an account. Needs an invite code; gives no token and makes no portfolio."""
    check_invite(body.invite_code, policy.invite_code)
    email = normal_email(body.email)
    taken = ServiceError(
        Code.ERR_USER_001, f"An account with the e-mail {email} exists.", details={"email": email}
    )
    async with transactions.begin() as unit:
        if await Store(unit).email_is_taken(email):
            raise taken
    password = body.password.get_secret_value()
    check_password(password)
    full_name = trimmed_name(body.full_name)
    # Argon2 is slow on purpose: not in the event loop, and not with a connection in hand.
    password_hash = await asyncio.to_thread(policy.passwords.hash, password)
    async with transactions.begin() as unit:
        store = Store(unit)
        user = User(
            id=user_id(email, deterministic=policy.deterministic_ids),
            email=email,
            full_name=full_name,
            role=await store.role_for(email, policy.admin_email),
            is_active=True,
            created_at=unit.now,
        )
        if not await store.add_user(user, password_hash):
            raise taken
        unit.publish(
            UserRegistered(user_id=user.id, email=email, full_name=full_name), user_id=user.id
        )
    return Registered(
        user_id=user.id,
        email=email,
        full_name=user.full_name,
        message="The account was made. Log in to go on.",
        next_step=NextStep(
            action="login",
            endpoint="/api/v1/auth/login",
            description="POST e-mail and password there to get an access token.",
        ),
    )


@router.post("/api/v1/auth/login", tags=["auth"], summary="Log in")
@may_refuse(Code.ERR_LOGIN_001, Code.ERR_LOGIN_002)
async def login(
    body: Credentials,
    response: Response,
    transactions: Transactions,
    policy: CurrentPolicy,
    keys: Keys,
) -> Token:
    """Exchange e-mail and password for an access token (24 h) and the cookies that carry it."""
    async with transactions.begin() as unit:
        found = await Store(unit).user_by_email(body.email.strip().lower())
    user, password_hash = found or (None, policy.unknown_password_hash)
    right = await asyncio.to_thread(
        policy.passwords.verify, body.password.get_secret_value(), password_hash
    )
    if user is None or not right:
        raise ServiceError(Code.ERR_LOGIN_001)
    if not user.is_active:
        raise ServiceError(Code.ERR_LOGIN_002)
    async with transactions.begin() as unit:
        store = Store(unit)
        session = await store.open_session(user.id, unit.now + SESSION_LIFE)
        return await _issue(
            store, user, session, now=unit.now, response=response, policy=policy, keys=keys
        )


@router.post("/api/v1/auth/refresh", tags=["auth"], summary="Renew an access token")
@may_refuse(Code.ERR_SESSION_001, Code.ERR_LOGIN_002)
async def refresh(
    caller: Caller, response: Response, unit: Transaction, policy: CurrentPolicy, keys: Keys
) -> Token:
    """Exchange the token of a live session for a fresh one."""
    store = Store(unit)
    user = await store.user(caller.user_id)
    until = unit.now + SESSION_LIFE
    if user is None or not await store.extend_session(caller.session_id, unit.now, until):
        raise ServiceError(Code.ERR_SESSION_001)
    if not user.is_active:
        raise ServiceError(Code.ERR_LOGIN_002)
    session = Session(caller.session_id, user.id, until)
    return await _issue(
        store, user, session, now=unit.now, response=response, policy=policy, keys=keys
    )


@router.post("/api/v1/auth/logout", tags=["auth"], summary="Log out")
async def logout(caller: Caller, response: Response, unit: Transaction) -> LoggedOut:
    """End the session: every token issued for it is refused within a second."""
    ended = await Store(unit).revoke_session(caller.session_id)
    if ended is not None:
        unit.publish(
            SessionRevoked(session_id=ended.id, user_id=ended.user_id, expires_at=ended.expires_at),
            user_id=ended.user_id,
        )
    response.delete_cookie(TOKEN_COOKIE, path="/")
    response.delete_cookie(CSRF_COOKIE, path="/")
    return LoggedOut(message="Logged out.", success=True)


@router.get("/api/v1/auth/me", tags=["auth"], summary="Who is asking")
@may_refuse(Code.ERR_SESSION_001)
async def me(caller: Caller, unit: Transaction) -> Me:
    """Return the account behind the token and its portfolio, if it has one."""
    store = Store(unit)
    user = await store.user(caller.user_id)
    if user is None:
        raise ServiceError(Code.ERR_SESSION_001)
    return Me(
        id=user.id,
        email=user.email,
        full_name=user.full_name,
        role=user.role,
        is_active=user.is_active,
        created_at=user.created_at,
        portfolio_id=await store.first_portfolio(user.id),
    )


@router.get(JWKS_PATH, tags=["auth"], summary="The keys by which tokens are checked")
async def public_keys(keys: Keys, response: Response) -> KeySet:
    """Return the public keys by which anyone can check a token."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return KeySet(keys=[dict(key) for key in keys.public_keys])


async def _issue(
    store: Store,
    user: User,
    session: Session,
    *,
    now: datetime,
    response: Response,
    policy: Policy,
    keys: KeyRing,
) -> Token:
    token = keys.token(user, session, await store.first_portfolio(user.id), now)
    seconds = int(SESSION_LIFE.total_seconds())
    for name, value, http_only in (
        (TOKEN_COOKIE, token, True),
        # The page reads this one and sends it back as a header: proof against CSRF.
        (CSRF_COOKIE, session.id.hex, False),
    ):
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            httponly=http_only,
            secure=policy.secure_cookies,
            samesite="lax",
        )
    return Token(access_token=token, expires_in=seconds)

"""The rules of accounts: invite codes, addresses, passwords, names, ids."""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

from common.errors import ErrorCode, ServiceError, Spec

SESSION_LIFE = timedelta(hours=24)
SHORTEST_PASSWORD = 8
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")

Role = Literal["user", "admin"]


class Code(ErrorCode):
    """What auth refuses, and why."""

    ERR_INVITE_001 = Spec(
        401, "The invite code is not valid.", "Check the code you were sent, or ask for one."
    )
    ERR_USER_001 = Spec(409, "An account with this e-mail exists.", "Log in instead.")
    ERR_USER_002 = Spec(422, "The e-mail address is not valid.", "Write it as name@domain.tld.")
    ERR_USER_003 = Spec(
        422,
        "The password is too weak.",
        "Use at least 8 characters with an upper-case letter, a lower-case letter and a digit.",
    )
    ERR_USER_004 = Spec(422, "The name is blank.", "Give the name to be shown.")
    ERR_LOGIN_001 = Spec(
        401, "E-mail or password is wrong.", "Check both; e-mail is not case-sensitive."
    )
    ERR_LOGIN_002 = Spec(401, "The account is not active.", "Ask an administrator.")
    ERR_SESSION_001 = Spec(401, "The session has ended.", "Log in again.")


@dataclass(frozen=True)
class User:
    """An account."""

    id: UUID
    email: str
    full_name: str
    role: Role
    is_active: bool
    created_at: datetime


@dataclass(frozen=True)
class Session:
    """A login, named in every token issued for it."""

    id: UUID
    user_id: UUID
    expires_at: datetime


def check_invite(given: str, expected: str) -> None:
    """Refuse a code that differs from the expected one, blanks around and case aside."""
    if not hmac.compare_digest(given.strip().upper().encode(), expected.strip().upper().encode()):
        raise ServiceError(Code.ERR_INVITE_001)


def normal_email(given: str) -> str:
    """Return the address as it is stored and compared: trimmed, lower case."""
    email = given.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise ServiceError(Code.ERR_USER_002, details={"email": email})
    return email


def check_password(password: str) -> None:
    """Refuse a password that is short or of too few kinds of characters."""
    kinds = {
        "has_uppercase": any(character.isupper() for character in password),
        "has_lowercase": any(character.islower() for character in password),
        "has_digit": any(character.isdigit() for character in password),
    }
    lacking = [kind.removeprefix("has_") for kind, has in kinds.items() if not has]
    if len(password) < SHORTEST_PASSWORD:
        lacking.insert(0, f"{SHORTEST_PASSWORD} characters")
    if lacking:
        reason = f"The password lacks: {', '.join(lacking)}."
        raise ServiceError(Code.ERR_USER_003, reason, details={"reason": reason, **kinds})


def trimmed_name(given: str) -> str:
    """Return the name without blanks around; refuse a blank one."""
    name = given.strip()
    if not name:
        raise ServiceError(Code.ERR_USER_004)
    return name


def user_id(email: str, *, deterministic: bool) -> UUID:
    """Return a new user's id: derived from the normal address, or random."""
    return uuid5(NAMESPACE_DNS, email) if deterministic else uuid4()

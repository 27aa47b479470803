"""The rules of accounts and tokens, without I/O."""

from auth.domain.accounts import (
    SESSION_LIFE,
    Code,
    Role,
    Session,
    User,
    check_invite,
    check_password,
    normal_email,
    trimmed_name,
    user_id,
)
from auth.domain.tokens import KeyRing, SigningKey, new_key, unseal

__all__ = [
    "SESSION_LIFE",
    "Code",
    "KeyRing",
    "Role",
    "Session",
    "SigningKey",
    "User",
    "check_invite",
    "check_password",
    "new_key",
    "normal_email",
    "trimmed_name",
    "unseal",
    "user_id",
]

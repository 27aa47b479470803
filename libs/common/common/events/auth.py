"""What auth says."""

from datetime import datetime
from uuid import UUID

from common.events.base import Event


class UserRegistered(Event):
    """Somebody has an account."""

    NAME = "user.registered"

    user_id: UUID
    email: str
    full_name: str


class SessionRevoked(Event):
    """A session's tokens are refused from now on, until they would have ended anyway."""

    NAME = "session.revoked"

    session_id: UUID
    user_id: UUID
    expires_at: datetime

"""The sessions whose tokens are refused although they have not expired."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID


class RevokedSessions:
    """Held in memory, so that asking costs nothing; the table of the same name is the truth."""

    def __init__(self) -> None:
        self._until: dict[UUID, datetime] = {}

    def __contains__(self, session_id: UUID) -> bool:
        return session_id in self._until

    def __len__(self) -> int:
        return len(self._until)

    def revoke(self, session_id: UUID, until: datetime) -> None:
        """Refuse a session until its last token would have ended anyway."""
        self._until[session_id] = until

    def learn(self, known: Mapping[UUID, datetime]) -> None:
        """Add what the table says; nothing is ever taken back before its time."""
        self._until |= known

    def forget_expired(self, now: datetime) -> None:
        """Drop those whose tokens have ended by themselves."""
        self._until = {session: until for session, until in self._until.items() if until > now}

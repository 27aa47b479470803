"""Auth's SQL, all of it."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from auth.domain import Role, Session, User
from auth.tables import PORTFOLIOS, SESSIONS, SIGNING_KEYS, USERS
from common.unit_of_work import Unit


class Store:
    """Users, sessions, keys and the replica of who owns which portfolio."""

    def __init__(self, unit: Unit) -> None:
        self._connection = unit.connection

    async def email_is_taken(self, email: str) -> bool:
        """Whether an account has this (normal) address."""
        found = await self._connection.execute(select(USERS.c.id).where(USERS.c.email == email))
        return found.first() is not None

    async def add_user(self, user: User, password_hash: str) -> bool:
        """Add an account; False when another request took the address first."""
        written = await self._connection.execute(
            upsert(USERS)
            .values(
                id=user.id,
                email=user.email,
                full_name=user.full_name,
                password_hash=password_hash,
                role=user.role,
                is_active=user.is_active,
                created_at=user.created_at,
            )
            .on_conflict_do_nothing()
        )
        return written.rowcount == 1

    async def role_for(self, email: str, admin_email: str) -> Role:
        """Return `admin` for the configured address while there is no administrator yet."""
        if not admin_email or email != admin_email.strip().lower():
            return "user"
        found = await self._connection.execute(select(USERS.c.id).where(USERS.c.role == "admin"))
        return "admin" if found.first() is None else "user"

    async def user_by_email(self, email: str) -> tuple[User, str] | None:
        """Return the account of a (normal) address and its password's hash."""
        found = await self._connection.execute(select(USERS).where(USERS.c.email == email))
        row = found.mappings().first()
        return None if row is None else (_user(row), row["password_hash"])

    async def user(self, user_id: UUID) -> User | None:
        """Return an account."""
        found = await self._connection.execute(select(USERS).where(USERS.c.id == user_id))
        row = found.mappings().first()
        return None if row is None else _user(row)

    async def open_session(self, user_id: UUID, expires_at: datetime) -> Session:
        """Begin a login."""
        session = Session(uuid4(), user_id, expires_at)
        await self._connection.execute(
            insert(SESSIONS).values(id=session.id, user_id=user_id, expires_at=expires_at)
        )
        return session

    async def extend_session(self, session_id: UUID, now: datetime, until: datetime) -> bool:
        """Move a live session's end; False when it has ended or was revoked."""
        moved = await self._connection.execute(
            update(SESSIONS)
            .where(
                SESSIONS.c.id == session_id,
                SESSIONS.c.revoked_at.is_(None),
                SESSIONS.c.expires_at > now,
            )
            .values(expires_at=until)
        )
        return moved.rowcount == 1

    async def revoke_session(self, session_id: UUID) -> Session | None:
        """End a session and return it; None when it had been revoked before."""
        ended = await self._connection.execute(
            update(SESSIONS)
            .where(SESSIONS.c.id == session_id, SESSIONS.c.revoked_at.is_(None))
            .values(revoked_at=func.now())
            .returning(SESSIONS.c.id, SESSIONS.c.user_id, SESSIONS.c.expires_at)
        )
        row = ended.first()
        return None if row is None else Session(row.id, row.user_id, row.expires_at)

    async def first_portfolio(self, user_id: UUID) -> UUID | None:
        """Return the user's oldest portfolio that still exists."""
        found = await self._connection.execute(
            select(PORTFOLIOS.c.portfolio_id)
            .where(PORTFOLIOS.c.user_id == user_id, ~PORTFOLIOS.c.deleted)
            .order_by(PORTFOLIOS.c.created_at, PORTFOLIOS.c.portfolio_id)
            .limit(1)
        )
        return found.scalar()

    async def note_portfolio(
        self, portfolio_id: UUID, user_id: UUID, revision: int, at: datetime, *, deleted: bool
    ) -> None:
        """Remember an owner's portfolio unless a newer revision is known.

        Of two messages at one revision the deletion is the later one, whichever comes first.
        """
        row = upsert(PORTFOLIOS).values(
            portfolio_id=portfolio_id,
            user_id=user_id,
            revision=revision,
            deleted=deleted,
            created_at=at,
        )
        known = PORTFOLIOS.c.revision
        older = known <= revision if deleted else known < revision
        await self._connection.execute(
            row.on_conflict_do_update(
                index_elements=[PORTFOLIOS.c.portfolio_id],
                set_={"revision": revision, "deleted": deleted},
                where=older,
            )
        )

    async def lock_signing_keys(self) -> None:
        """Let only one instance at a time decide whether a new key is needed."""
        await self._connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('auth:signing_keys'))")
        )

    async def signing_keys(self) -> list[RowMapping]:
        """Return all keys, newest first: `id`, `public_key`, `sealed_private_key`."""
        found = await self._connection.execute(
            select(SIGNING_KEYS).order_by(SIGNING_KEYS.c.created_at.desc(), SIGNING_KEYS.c.id)
        )
        return list(found.mappings())

    async def add_signing_key(
        self, key_id: str, public_key: dict[str, Any], sealed_private_key: bytes
    ) -> None:
        """Keep a new key."""
        await self._connection.execute(
            insert(SIGNING_KEYS).values(
                id=key_id, public_key=public_key, sealed_private_key=sealed_private_key
            )
        )


def _user(row: RowMapping) -> User:
    return User(
        id=row["id"],
        email=row["email"],
        full_name=row["full_name"],
        role=row["role"],
        is_active=row["is_active"],
        created_at=row["created_at"],
    )

"""Locks by name, for what has no row yet to lock."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection


async def lock(connection: AsyncConnection, name: str) -> None:
    """Let one transaction at a time go on under a name, until it ends."""
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))

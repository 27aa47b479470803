"""The three tables every service's schema has: inbox, outbox and work."""

from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB


class MessagingTables(NamedTuple):
    """Inbox, outbox and work of one schema."""

    inbox: Table
    outbox: Table
    work: Table


def messaging_tables(registry: MetaData) -> MessagingTables:
    """Return the messaging tables of a registry's schema, adding them on the first call."""
    schema = registry.schema
    if f"{schema}.inbox" in registry.tables:
        return MessagingTables(
            *(registry.tables[f"{schema}.{name}"] for name in MessagingTables._fields)
        )
    inbox = Table(
        "inbox",
        registry,
        Column("message_id", Uuid, primary_key=True),
        Column("name", Text, nullable=False),
        _timestamp("received_at", set_to_now=True),
        Index("ix_inbox_received_at", "received_at"),
    )
    outbox = Table(
        "outbox",
        registry,
        Column("sequence", BigInteger, Identity(always=True), primary_key=True),
        Column("envelope", JSONB, nullable=False),
        _timestamp("created_at", set_to_now=True),
    )
    work = Table(
        "work",
        registry,
        Column("id", Uuid, primary_key=True),
        Column("kind", Text, nullable=False),
        Column("payload", JSONB, nullable=False),
        Column("cause", JSONB, nullable=False),
        _timestamp("created_at", set_to_now=True),
        _timestamp("available_at", set_to_now=True),
        _timestamp("expires_at", nullable=False),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("deaths", Integer, nullable=False, server_default="0"),
        _timestamp("lease_until"),
        Column("lease_token", Uuid),
        _timestamp("died_at"),
        Column("reason", Text),
        Column("stack", Text),
        Index("ix_work_available_at", "available_at", postgresql_where=text("died_at IS NULL")),
    )
    return MessagingTables(inbox, outbox, work)


def _timestamp(name: str, *, nullable: bool = True, set_to_now: bool = False) -> Column[Any]:
    return Column(
        name,
        DateTime(timezone=True),
        nullable=nullable and not set_to_now,
        server_default=func.now() if set_to_now else None,
    )

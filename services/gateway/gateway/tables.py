"""The gateway's tables: the event log, whose portfolio it is, revoked sessions, rate counters."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from common.db import metadata

METADATA = metadata("gateway")


def _circumstances() -> tuple[Column[Any], ...]:
    return (
        Column("run_id", Uuid),
        Column("trace_id", Text),
        Column("occurred_at", DateTime(timezone=True), nullable=False),
        Column("payload", JSONB, nullable=False),
    )


# One row per user, locked while a `seq` is taken: a user's events become visible in their order.
STREAMS = Table(
    "streams",
    METADATA,
    Column("user_id", Uuid, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
)

EVENT_LOG = Table(
    "event_log",
    METADATA,
    Column("user_id", Uuid, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("name", Text, nullable=False),
    Column("portfolio_id", Uuid),
    *_circumstances(),
    # The clock, not the transaction's start: within a user it then grows with `seq`.
    Column(
        "recorded_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
    ),
    Index("ix_event_log_recorded_at", "recorded_at"),
)

# The last event of each name, kept for good: where a portfolio stands.
LATEST = Table(
    "latest",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    *_circumstances(),
    Index("ix_latest_user_id", "user_id"),
)

# A replica of whose portfolio it is. A deleted one stays as a tombstone against late news.
PORTFOLIOS = Table(
    "portfolios",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=text("false")),
)

REVOKED_SESSIONS = Table(
    "revoked_sessions",
    METADATA,
    Column("session_id", Uuid, primary_key=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

# Not written ahead: a crash may empty it, and counting is then free of a wait for the disk.
RATE_COUNTERS = Table(
    "rate_counters",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("window_start", DateTime(timezone=True), primary_key=True),
    Column("hits", Integer, nullable=False),
    prefixes=["UNLOGGED"],
)

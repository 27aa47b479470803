"""The event log, its positions, portfolios' owners, revoked sessions and rate counters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from common.migrations import create_messaging_tables

revision = "0001"
down_revision = None
SCHEMA = "gateway"


def upgrade() -> None:
    create_messaging_tables(SCHEMA)
    op.create_table(
        "streams",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_streams"),
        schema=SCHEMA,
    )
    op.create_table(
        "event_log",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("run_id", sa.Uuid),
        sa.Column("trace_id", sa.Text),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        sa.PrimaryKeyConstraint("user_id", "seq", name="pk_event_log"),
        schema=SCHEMA,
    )
    op.create_index("ix_event_log_recorded_at", "event_log", ["recorded_at"], schema=SCHEMA)
    op.create_table(
        "latest",
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("run_id", sa.Uuid),
        sa.Column("trace_id", sa.Text),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "name", name="pk_latest"),
        schema=SCHEMA,
    )
    op.create_index("ix_latest_user_id", "latest", ["user_id"], schema=SCHEMA)
    op.create_table(
        "portfolios",
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.PrimaryKeyConstraint("portfolio_id", name="pk_portfolios"),
        schema=SCHEMA,
    )
    op.create_table(
        "revoked_sessions",
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_revoked_sessions"),
        schema=SCHEMA,
    )
    op.create_table(
        "rate_counters",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hits", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("key", "window_start", name="pk_rate_counters"),
        schema=SCHEMA,
        prefixes=["UNLOGGED"],
    )

"""Onboarding's tables. Only the repository knows them.

What can change about a portfolio lives in `revisions`; a position says in which revisions it
stands. So the book at any revision can be read again, and a change writes only what changed.
"""

from sqlalchemy import (
    ARRAY,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)

from common.db import metadata

METADATA = metadata("onboarding")

PORTFOLIOS = Table(
    "portfolios",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    Index("ix_portfolios_user_id", "user_id"),
    Index(
        "uq_portfolios_user_id",
        "user_id",
        unique=True,
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

REVISIONS = Table(
    "revisions",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("currency", Text, nullable=False),
    Column("equity_balance", Numeric(16, 2), nullable=False),
    Column("opening_session", Date, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(
        ["portfolio_id"], [PORTFOLIOS.c.id], name="fk_revisions_portfolio_id", ondelete="CASCADE"
    ),
)

POSITIONS = Table(
    "positions",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("position_id", Uuid, primary_key=True),
    # The first revision with this version of the lot, and the first without; null: it stands.
    Column("since_revision", Integer, primary_key=True, autoincrement=False),
    Column("until_revision", Integer),
    # The lot's place in the user's own order.
    Column("place", Integer, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("position_type", Text, nullable=False),
    Column("investment_class", Text, nullable=False),
    Column("investment_subtype", Text),
    Column("quantity", Numeric(20, 6), nullable=False),
    Column("multiplier", Numeric(10, 4), nullable=False),
    Column("entry_price", Numeric(18, 4), nullable=False),
    Column("entry_date", Date, nullable=False),
    Column("exit_date", Date),
    Column("exit_price", Numeric(18, 4)),
    Column("underlying_symbol", Text),
    Column("strike_price", Numeric(18, 4)),
    Column("expiration_date", Date),
    # Of the prices. The default is for the release before, which runs on while this one starts.
    Column("currency", Text, nullable=False, server_default="USD"),
    ForeignKeyConstraint(
        ["portfolio_id", "since_revision"],
        [REVISIONS.c.portfolio_id, REVISIONS.c.revision],
        name="fk_positions_portfolio_id",
        ondelete="CASCADE",
    ),
)

IMPORTS = Table(
    "imports",
    METADATA,
    Column("run_id", Uuid, primary_key=True),
    Column("portfolio_id", Uuid, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("filename", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("positions", Integer, nullable=False),
    Column("ignored_columns", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(
        ["portfolio_id", "revision"],
        [REVISIONS.c.portfolio_id, REVISIONS.c.revision],
        name="fk_imports_portfolio_id",
        ondelete="CASCADE",
    ),
    Index("ix_imports_portfolio_id", "portfolio_id"),
)

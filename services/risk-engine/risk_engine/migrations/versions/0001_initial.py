"""The replica of books, waiting prices, results, failures, snapshots and openings.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from common.migrations import create_messaging_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "risk_engine"


def upgrade() -> None:
    create_messaging_tables(SCHEMA)
    op.create_table(
        "books",
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("currency", sa.Text),
        sa.Column("equity_balance", sa.Numeric),
        sa.Column("opening_session", sa.Date),
        sa.Column("created_at", sa.DateTime(timezone=True)),
        sa.Column("symbols", sa.ARRAY(sa.Text)),
        sa.Column("positions", sa.JSON),
        sa.PrimaryKeyConstraint("portfolio_id", name="pk_books"),
        schema=SCHEMA,
    )
    op.create_table(
        "waiting",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("panel_version", sa.Integer, nullable=False),
        sa.Column("cause", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_waiting"),
        schema=SCHEMA,
    )
    op.create_index("ix_waiting_portfolio_id", "waiting", ["portfolio_id"], schema=SCHEMA)
    op.create_table(
        "results",
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("as_of", sa.Date),
        sa.Column("engine", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("panel_version", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("input_hash", sa.Text, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("calculated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "as_of", "engine", name="pk_results"),
        schema=SCHEMA,
    )
    op.create_table(
        "failures",
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("engine", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("panel_version", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "engine", name="pk_failures"),
        schema=SCHEMA,
    )
    op.create_table(
        "snapshots",
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("session", sa.Date),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("panel_version", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("net_asset_value", sa.Double, nullable=False),
        sa.Column("cash", sa.Double, nullable=False),
        sa.Column("long_market_value", sa.Double),
        sa.Column("short_market_value", sa.Double),
        sa.Column("gross_market_value", sa.Double),
        sa.Column("net_market_value", sa.Double),
        sa.Column("carried_value", sa.Double, nullable=False),
        sa.Column("cost_basis", sa.Double, nullable=False),
        sa.Column("unrealized_pnl", sa.Double),
        sa.Column("realized_pnl", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "session", name="pk_snapshots"),
        schema=SCHEMA,
    )
    op.create_table(
        "openings",
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("session", sa.Date),
        sa.Column("opening_cash", sa.Numeric, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "session", name="pk_openings"),
        schema=SCHEMA,
    )

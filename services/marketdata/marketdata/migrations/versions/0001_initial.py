"""Securities, bars, panels and the replica of holdings.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from common.migrations import create_messaging_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "marketdata"


def upgrade() -> None:
    create_messaging_tables(SCHEMA)
    op.create_table(
        "securities",
        sa.Column("symbol", sa.Text),
        sa.Column("column_version", sa.Integer, autoincrement=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("kind", sa.Text),
        sa.Column("sector", sa.Text),
        sa.Column("industry", sa.Text),
        sa.Column("exchange", sa.Text),
        sa.Column("country", sa.Text),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("loaded_from", sa.Date),
        sa.Column("loaded_through", sa.Date),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "column_version", name="pk_securities"),
        sa.CheckConstraint("status IN ('known', 'unknown')", name="ck_securities_status"),
        schema=SCHEMA,
    )
    op.create_table(
        "bars",
        sa.Column("symbol", sa.Text),
        sa.Column("column_version", sa.Integer, autoincrement=False),
        sa.Column("session", sa.Date),
        sa.Column("open", sa.Double, nullable=False),
        sa.Column("high", sa.Double, nullable=False),
        sa.Column("low", sa.Double, nullable=False),
        sa.Column("close", sa.Double, nullable=False),
        sa.Column("volume", sa.BigInteger, nullable=False),
        sa.Column("split_ratio", sa.Double, nullable=False),
        sa.Column("dividend", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("symbol", "column_version", "session", name="pk_bars"),
        sa.CheckConstraint("close > 0 AND close < 'Infinity'", name="ck_bars_close"),
        schema=SCHEMA,
    )
    op.create_table(
        "panels",
        sa.Column("as_of", sa.Date),
        sa.Column("version", sa.Integer, autoincrement=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("first_session", sa.Date, nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.PrimaryKeyConstraint("as_of", "version", name="pk_panels"),
        schema=SCHEMA,
    )
    op.create_table(
        "panel_columns",
        sa.Column("as_of", sa.Date),
        sa.Column("symbol", sa.Text),
        sa.Column("since_version", sa.Integer, autoincrement=False),
        sa.Column("column_version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("as_of", "symbol", "since_version", name="pk_panel_columns"),
        schema=SCHEMA,
    )
    op.create_table(
        "holdings",
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("symbols", ARRAY(sa.Text)),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", name="pk_holdings"),
        schema=SCHEMA,
    )

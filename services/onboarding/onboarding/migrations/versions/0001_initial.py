"""Portfolios, their revisions and positions, and the imports they came from.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from common.migrations import create_messaging_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "onboarding"


def upgrade() -> None:
    create_messaging_tables(SCHEMA)
    op.create_table(
        "portfolios",
        sa.Column("id", sa.Uuid),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_portfolios"),
        schema=SCHEMA,
    )
    op.create_index("ix_portfolios_user_id", "portfolios", ["user_id"], schema=SCHEMA)
    op.create_index(
        "uq_portfolios_user_id",
        "portfolios",
        ["user_id"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "revisions",
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("revision", sa.Integer, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("equity_balance", sa.Numeric(16, 2), nullable=False),
        sa.Column("opening_session", sa.Date, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "revision", name="pk_revisions"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"],
            [f"{SCHEMA}.portfolios.id"],
            name="fk_revisions_portfolio_id",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )
    op.create_table(
        "positions",
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("position_id", sa.Uuid),
        sa.Column("since_revision", sa.Integer, autoincrement=False),
        sa.Column("until_revision", sa.Integer),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("position_type", sa.Text, nullable=False),
        sa.Column("investment_class", sa.Text, nullable=False),
        sa.Column("investment_subtype", sa.Text),
        sa.Column("quantity", sa.Numeric(20, 6), nullable=False),
        sa.Column("multiplier", sa.Numeric(10, 4), nullable=False),
        sa.Column("entry_price", sa.Numeric(18, 4), nullable=False),
        sa.Column("entry_date", sa.Date, nullable=False),
        sa.Column("exit_date", sa.Date),
        sa.Column("exit_price", sa.Numeric(18, 4)),
        sa.Column("underlying_symbol", sa.Text),
        sa.Column("strike_price", sa.Numeric(18, 4)),
        sa.Column("expiration_date", sa.Date),
        sa.PrimaryKeyConstraint(
            "portfolio_id", "position_id", "since_revision", name="pk_positions"
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id", "since_revision"],
            [f"{SCHEMA}.revisions.portfolio_id", f"{SCHEMA}.revisions.revision"],
            name="fk_positions_portfolio_id",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )
    op.create_table(
        "imports",
        sa.Column("run_id", sa.Uuid),
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("positions", sa.Integer, nullable=False),
        sa.Column("ignored_columns", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_imports"),
        sa.ForeignKeyConstraint(
            ["portfolio_id", "revision"],
            [f"{SCHEMA}.revisions.portfolio_id", f"{SCHEMA}.revisions.revision"],
            name="fk_imports_portfolio_id",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )
    op.create_index("ix_imports_portfolio_id", "imports", ["portfolio_id"], schema=SCHEMA)

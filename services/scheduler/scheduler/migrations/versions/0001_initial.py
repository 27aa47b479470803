"""The replica of portfolios, runs and their items.

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

SCHEMA = "scheduler"


def upgrade() -> None:
    create_messaging_tables(SCHEMA)
    op.create_table(
        "portfolios",
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", name="pk_portfolios"),
        schema=SCHEMA,
    )
    _create_runs()
    _create_run_items()


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Uuid),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("as_of", sa.Date),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Text),
        sa.Column("user_id", sa.Uuid),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("total", sa.Integer),
        sa.Column("calculated", sa.Integer),
        sa.Column("failed", sa.Integer),
        sa.Column("superseded", sa.Integer),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
        schema=SCHEMA,
    )
    op.create_index(
        "uq_runs_open",
        "runs",
        ["job", "as_of", "scope"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("status = 'open' AND NOT forced AND job <> 'import'"),
    )
    op.create_index(
        "ix_runs_deadline",
        "runs",
        ["deadline"],
        schema=SCHEMA,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("ix_runs_opened_at", "runs", ["opened_at"], schema=SCHEMA)


def _create_run_items() -> None:
    op.create_table(
        "run_items",
        sa.Column("run_id", sa.Uuid, nullable=False),
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer),
        sa.Column("outcome", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("priced_at", sa.DateTime(timezone=True)),
        sa.Column("panel_version", sa.Integer),
        sa.Column("symbols", sa.Integer),
        sa.Column("coverage", sa.Double),
        sa.Column("missing", JSONB),
        sa.Column("sufficient", sa.Boolean),
        sa.PrimaryKeyConstraint("run_id", "portfolio_id", name="pk_run_items"),
        sa.ForeignKeyConstraint(["run_id"], [f"{SCHEMA}.runs.run_id"], name="fk_run_items_run_id"),
        schema=SCHEMA,
    )
    unended = sa.text("outcome IS NULL")
    op.create_index(
        "ix_run_items_open_run", "run_items", ["run_id"], schema=SCHEMA, postgresql_where=unended
    )
    op.create_index(
        "ix_run_items_open_portfolio",
        "run_items",
        ["portfolio_id"],
        schema=SCHEMA,
        postgresql_where=unended,
    )
    op.create_index(
        "ix_run_items_priced",
        "run_items",
        ["portfolio_id", "priced_at"],
        schema=SCHEMA,
        postgresql_where=sa.text("priced_at IS NOT NULL"),
    )

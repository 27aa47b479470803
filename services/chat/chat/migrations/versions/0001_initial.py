"""The ages of each portfolio's newest results.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from common.migrations import create_messaging_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "chat"


def upgrade() -> None:
    create_messaging_tables(SCHEMA)
    op.create_table(
        "ages",
        sa.Column("portfolio_id", sa.Uuid),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("panel_version", sa.Integer, nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", name="pk_ages"),
        schema=SCHEMA,
    )

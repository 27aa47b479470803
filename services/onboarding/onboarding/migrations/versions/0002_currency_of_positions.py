"""Positions say what their prices are in; those that did not were in dollars.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "positions",
        sa.Column("currency", sa.Text, nullable=False, server_default="USD"),
        schema="onboarding",
    )

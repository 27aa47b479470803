"""Dividends that had been declared at a session's close, beside what else was said.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = "marketdata"


def upgrade() -> None:
    # Null in rows of before: nothing had been asked, and what was published stays as it is.
    op.add_column("snapshots", sa.Column("ex_dates", ARRAY(sa.Date)), schema=SCHEMA)
    op.add_column("snapshots", sa.Column("dividends", ARRAY(sa.Double)), schema=SCHEMA)

"""Results as packed arrays, of as many engines as there are.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "risk_engine"


def upgrade() -> None:
    # A replica of before still writes JSON while the last ones go, and reads what it wrote; a row
    # of ours it takes for a portfolio that is not calculated yet.
    op.add_column("results", sa.Column("packed", sa.LargeBinary), schema=SCHEMA)
    op.alter_column("results", "payload", nullable=True, schema=SCHEMA)

"""What a session changed, and what options were priced at on it.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "risk_engine"


def upgrade() -> None:
    # Sessions of before have no change: they count as missing, and are calculated once more.
    op.add_column("snapshots", sa.Column("daily_pnl", sa.Double), schema=SCHEMA)
    op.add_column("snapshots", sa.Column("daily_return", sa.Double), schema=SCHEMA)
    op.add_column("snapshots", sa.Column("option_prices", sa.JSON), schema=SCHEMA)

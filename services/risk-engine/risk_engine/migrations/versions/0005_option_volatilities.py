"""What quotes of options implied on a session.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = "risk_engine"


def upgrade() -> None:
    # Of sessions of before nothing is known: their prices do not say which were quoted.
    op.add_column("snapshots", sa.Column("option_volatilities", sa.JSON), schema=SCHEMA)

"""Through which session a panel shows rates: a curve may come later than the panel.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCHEMA = "marketdata"


def upgrade() -> None:
    # Null in what was published before: those show all that there is up to their own session.
    op.add_column("panels", sa.Column("curves_through", sa.Date), schema=SCHEMA)

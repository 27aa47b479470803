"""The cross-section of a panel: the shares it shows whoever holds what.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What was published has none, and stays as it is: the next panel begins a new edition.
    op.add_column("panels", sa.Column("cross_section", ARRAY(sa.Text)), schema="marketdata")

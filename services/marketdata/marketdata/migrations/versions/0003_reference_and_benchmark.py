"""The reference of a panel: funds and indices over ten years, and what the benchmark is made of.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "marketdata"


def upgrade() -> None:
    op.create_table(
        "benchmarks",
        sa.Column("provider", sa.Text),
        sa.Column("model_version", sa.Text),
        sa.Column("session", sa.Date),
        sa.Column("name", sa.Text),
        sa.Column("as_of", sa.Date),
        sa.Column("weights", JSONB),
        sa.PrimaryKeyConstraint("provider", "model_version", "session", name="pk_benchmarks"),
        schema=SCHEMA,
    )
    # What was published has no reference, and stays as it is: the next panel begins a new edition.
    op.add_column("panels", sa.Column("reference_from", sa.Date), schema=SCHEMA)
    op.add_column("panels", sa.Column("reference", ARRAY(sa.Text)), schema=SCHEMA)

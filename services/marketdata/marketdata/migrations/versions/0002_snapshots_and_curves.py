"""What is said of securities beside their bars: quotes, fundamentals, options; and rates.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "marketdata"


def upgrade() -> None:
    op.create_table(
        "snapshots",
        sa.Column("symbol", sa.Text),
        sa.Column("column_version", sa.Integer, autoincrement=False),
        sa.Column("session", sa.Date),
        sa.Column("bid", sa.Double),
        sa.Column("ask", sa.Double),
        sa.Column("market_cap", sa.Double),
        sa.Column("dividend_yield", sa.Double),
        sa.Column("beta", sa.Double),
        sa.Column("volume", sa.BigInteger),
        sa.Column("open_interest", sa.BigInteger),
        sa.Column("underlying_price", sa.Double),
        sa.PrimaryKeyConstraint("symbol", "column_version", "session", name="pk_snapshots"),
        schema=SCHEMA,
    )
    op.create_table(
        "curves",
        sa.Column("provider", sa.Text),
        sa.Column("model_version", sa.Text),
        sa.Column("session", sa.Date),
        sa.Column("rates", ARRAY(sa.Double), nullable=False),
        sa.PrimaryKeyConstraint("provider", "model_version", "session", name="pk_curves"),
        schema=SCHEMA,
    )
    op.create_table(
        "curves_loaded",
        sa.Column("provider", sa.Text),
        sa.Column("model_version", sa.Text),
        sa.Column("loaded_from", sa.Date, nullable=False),
        sa.Column("loaded_through", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("provider", "model_version", name="pk_curves_loaded"),
        schema=SCHEMA,
    )
    # What was published shows neither, and stays as it is: the next panel begins a new edition. The
    # default is what a replica of the version before still writes while the last ones go.
    op.add_column(
        "panels",
        sa.Column("format", sa.Integer, nullable=False, server_default=sa.text("1")),
        schema=SCHEMA,
    )
    op.add_column("panels", sa.Column("curves_from", sa.Date), schema=SCHEMA)
    # Null says that nobody here knows which options a book holds: it is asked for when next prices
    # are wanted.
    op.add_column("holdings", sa.Column("contracts", ARRAY(sa.Text)), schema=SCHEMA)

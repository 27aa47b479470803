"""The scheduler's tables. Only the repository knows them."""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from common.db import metadata

METADATA = metadata("scheduler")

PORTFOLIOS = Table(
    "portfolios",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
)

ONE_AT_A_TIME = text("status = 'open' AND NOT forced AND job <> 'import'")
"""The runs of which only one may be open per job, session and scope."""

RUNS = Table(
    "runs",
    METADATA,
    Column("run_id", Uuid, primary_key=True),
    Column("job", Text, nullable=False),
    Column("as_of", Date),
    Column("scope", Text, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("requested_by", Text),
    Column("user_id", Uuid),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("deadline", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    # Counted once, at the end; until then the items are counted when somebody asks.
    Column("total", Integer),
    Column("calculated", Integer),
    Column("failed", Integer),
    Column("superseded", Integer),
    Index("uq_runs_open", "job", "as_of", "scope", unique=True, postgresql_where=ONE_AT_A_TIME),
    Index("ix_runs_deadline", "deadline", postgresql_where=text("status = 'open'")),
    Index("ix_runs_opened_at", "opened_at"),
)

RUN_ITEMS = Table(
    "run_items",
    METADATA,
    Column("run_id", Uuid, ForeignKey(RUNS.c.run_id), nullable=False),
    Column("portfolio_id", Uuid, nullable=False),
    Column("revision", Integer),
    Column("outcome", Text),
    Column("reason", Text),
    Column("ended_at", DateTime(timezone=True)),
    # What prices.* said of it in this run.
    Column("priced_at", DateTime(timezone=True)),
    Column("panel_version", Integer),
    Column("symbols", Integer),
    Column("coverage", Double),
    Column("missing", JSONB(none_as_null=True)),
    Column("sufficient", Boolean),
    PrimaryKeyConstraint("run_id", "portfolio_id"),
    Index("ix_run_items_open_run", "run_id", postgresql_where=text("outcome IS NULL")),
    Index("ix_run_items_open_portfolio", "portfolio_id", postgresql_where=text("outcome IS NULL")),
    Index(
        "ix_run_items_priced",
        "portfolio_id",
        "priced_at",
        postgresql_where=text("priced_at IS NOT NULL"),
    ),
)

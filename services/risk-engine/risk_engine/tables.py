"""The risk engine's tables. Only the repository knows them.

Positions are JSON, kept as the text they were written as, and results are packed arrays: both
travel to and from the processes that calculate without being read on the way.
"""

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from common.db import metadata

METADATA = metadata("risk_engine")

# A deleted portfolio stays as a tombstone: owner and revision. Without positions though not
# deleted is a book too large for its event, until the first calculation has fetched it.
BOOKS = Table(
    "books",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("name", Text),
    Column("currency", Text),
    Column("equity_balance", Numeric),
    Column("opening_session", Date),
    Column("created_at", DateTime(timezone=True)),
    Column("symbols", ARRAY(Text)),
    Column("positions", JSON(none_as_null=True)),
)

# Prices of a revision that the replica has not reached; its update releases them.
WAITING = Table(
    "waiting",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("portfolio_id", Uuid, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("panel_version", Integer, nullable=False),
    Column("cause", JSONB, nullable=False),
    Index("ix_waiting_portfolio_id", "portfolio_id"),
)

RESULTS = Table(
    "results",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("as_of", Date, primary_key=True),
    Column("engine", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("panel_version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("input_hash", Text, nullable=False),
    # What was stored before the arrays: JSON, until it is calculated anew.
    Column("payload", JSON),
    Column("packed", LargeBinary),
    Column("calculated_at", DateTime(timezone=True), nullable=False),
)

# Why the last attempt of an engine failed; gone with the next success. Results stay beside it.
FAILURES = Table(
    "failures",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("engine", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("panel_version", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("failed_at", DateTime(timezone=True), nullable=False),
)

# The history of an account: one row per session, as last calculated.
SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("session", Date, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("panel_version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("net_asset_value", Double, nullable=False),
    Column("cash", Double, nullable=False),
    Column("long_market_value", Double),
    Column("short_market_value", Double),
    Column("gross_market_value", Double),
    Column("net_market_value", Double),
    Column("carried_value", Double, nullable=False),
    Column("cost_basis", Double, nullable=False),
    Column("unrealized_pnl", Double),
    Column("realized_pnl", Double, nullable=False),
    # Since the session before; null on the first one, and in rows that are older than the columns.
    Column("daily_pnl", Double),
    Column("daily_return", Double),
    # What its options were priced at per share, by contract; null if it had none.
    Column("option_prices", JSON(none_as_null=True)),
    # What their quotes implied, per year, by contract; null if none had a usable one.
    Column("option_volatilities", JSON(none_as_null=True)),
)

# Opening cash as calculated while the panel still reached the opening session.
OPENINGS = Table(
    "openings",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("session", Date, primary_key=True),
    Column("opening_cash", Numeric, nullable=False),
)

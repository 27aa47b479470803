"""Marketdata's tables. Only the repository knows them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from common.db import metadata

METADATA = metadata("marketdata")

SECURITIES = Table(
    "securities",
    METADATA,
    Column("symbol", Text, primary_key=True),
    Column("column_version", Integer, primary_key=True, autoincrement=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("name", Text),
    Column("kind", Text),
    Column("sector", Text),
    Column("industry", Text),
    Column("exchange", Text),
    Column("country", Text),
    Column("provider", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("loaded_from", Date),
    Column("loaded_through", Date),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("status IN ('known', 'unknown')", name="status"),
)
"""The security master, a row per column version. What a panel shows of a row never changes; the
loaded range grows at its ends, and `asked_at` moves."""

BARS = Table(
    "bars",
    METADATA,
    Column("symbol", Text, primary_key=True),
    Column("column_version", Integer, primary_key=True, autoincrement=False),
    Column("session", Date, primary_key=True),
    Column("open", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("close", Double, nullable=False),
    Column("volume", BigInteger, nullable=False),
    Column("split_ratio", Double, nullable=False),
    Column("dividend", Double, nullable=False),
    # In Postgres NaN is above every number, infinity included: this refuses it too.
    CheckConstraint("close > 0 AND close < 'Infinity'", name="close"),
)
"""Raw daily bars, only ever added. No foreign key: a row arrives in the transaction that moved its
security's loaded range, and a check per row would double the time of a load."""

SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    Column("symbol", Text, primary_key=True),
    Column("column_version", Integer, primary_key=True, autoincrement=False),
    Column("session", Date, primary_key=True),
    Column("bid", Double),
    Column("ask", Double),
    Column("market_cap", Double),
    Column("dividend_yield", Double),
    Column("beta", Double),
    Column("volume", BigInteger),
    Column("open_interest", BigInteger),
    Column("underlying_price", Double),
    Column("ex_dates", ARRAY(Date)),
    Column("dividends", ARRAY(Double)),
)
"""What was said of a column at a session's close, only ever added; all null where it was nothing,
so that nobody asks again. `dividends` are in cash per share, one for each of `ex_dates`; both null
where none had been declared."""

CURVES = Table(
    "curves",
    METADATA,
    Column("provider", Text, primary_key=True),
    Column("model_version", Text, primary_key=True),
    Column("session", Date, primary_key=True),
    Column("rates", ARRAY(Double), nullable=False),
)
"""The Treasury's curve by `domain.TENORS`, a row per session that has one, only ever added."""

CURVES_LOADED = Table(
    "curves_loaded",
    METADATA,
    Column("provider", Text, primary_key=True),
    Column("model_version", Text, primary_key=True),
    Column("loaded_from", Date, nullable=False),
    Column("loaded_through", Date, nullable=False),
)
"""The days whose rates a source has given: to the last session of which it had a curve."""

BENCHMARKS = Table(
    "benchmarks",
    METADATA,
    Column("provider", Text, primary_key=True),
    Column("model_version", Text, primary_key=True),
    Column("session", Date, primary_key=True),
    Column("name", Text),
    Column("as_of", Date),
    Column("weights", JSONB),
)
"""What a source's benchmark was made of at a session's close, only ever added; all null where it
was not said. Weights are fractions by sector."""

PANELS = Table(
    "panels",
    METADATA,
    Column("as_of", Date, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("provider", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("first_session", Date, nullable=False),
    Column("format", Integer, nullable=False, server_default=text("1")),
    Column("curves_from", Date),
    Column("curves_through", Date),
    Column("reference_from", Date),
    Column("reference", ARRAY(Text)),
    Column("cross_section", ARRAY(Text)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
"""Every panel that was ever announced. Format 1 is from before there were snapshots and rates;
`curves_from` is the oldest session of its rates, null where they came later, `curves_through` the
newest that was there, null for the panel's own; `reference_from` the oldest of its `reference`,
whose symbols are sorted, both null before there was one; so is `cross_section`."""

PANEL_COLUMNS = Table(
    "panel_columns",
    METADATA,
    Column("as_of", Date, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("since_version", Integer, primary_key=True, autoincrement=False),
    Column("column_version", Integer, nullable=False),
)
"""Which column a panel shows: per symbol the newest row, not newer than the panel, of those that
came in with a panel of its edition. A new panel so costs a row per changed symbol, not one each."""

HOLDINGS = Table(
    "holdings",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("symbols", ARRAY(Text)),
    Column("contracts", ARRAY(Text)),
    Column("deleted", Boolean, nullable=False),
)
"""A replica of the books, as far as prices need it; `symbols` is null until the book is fetched,
and `contracts` where a replica of the version before kept it."""

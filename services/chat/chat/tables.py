"""Chat's tables. Only the repository knows them."""

from sqlalchemy import Column, Date, DateTime, Integer, Table, Uuid

from common.db import metadata

METADATA = metadata("chat")

AGES = Table(
    "ages",
    METADATA,
    Column("portfolio_id", Uuid, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("panel_version", Integer, nullable=False),
    Column("heard_at", DateTime(timezone=True), nullable=False),
)

"""Marketdata's Alembic environment."""

from common.migrations import run
from marketdata.tables import METADATA

run(METADATA)

"""The risk engine's Alembic environment."""

from common.migrations import run
from risk_engine.tables import METADATA

run(METADATA)

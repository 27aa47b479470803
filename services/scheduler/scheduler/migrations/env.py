"""The scheduler's Alembic environment."""

from common.migrations import run
from scheduler.tables import METADATA

run(METADATA)

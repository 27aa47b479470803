"""Chat's Alembic environment."""

from chat.tables import METADATA
from common.migrations import run

run(METADATA)

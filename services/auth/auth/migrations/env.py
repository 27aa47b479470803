"""Auth's Alembic environment."""

from auth.tables import METADATA
from common.migrations import run

run(METADATA)

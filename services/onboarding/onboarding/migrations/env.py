"""Onboarding's Alembic environment."""

from common.migrations import run
from onboarding.tables import METADATA

run(METADATA)

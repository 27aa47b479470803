"""Alembic's entry: migrates the gateway's schema."""

from common.migrations import run
from gateway.tables import METADATA

run(METADATA)

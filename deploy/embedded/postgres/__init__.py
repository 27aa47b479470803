"""A private Postgres for hosts that are given none: found, made, started and ended by us.

Standard library only, so that any Python that can run the host can run this.
"""

from deploy.embedded.postgres.errors import (
    EmbeddedPostgresError,
    HomeInUse,
    HomeNotWritable,
    PostgresFailed,
)
from deploy.embedded.postgres.home import HomeLock, make_home
from deploy.embedded.postgres.server import EmbeddedPostgres

__all__ = [
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "HomeInUse",
    "HomeLock",
    "HomeNotWritable",
    "PostgresFailed",
    "make_home",
]

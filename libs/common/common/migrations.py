"""One Alembic history per service, applied at start-up under a lock.

Each service's `migrations/env.py` is one call of `run`; its version table lives in its own schema.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command, context, op
from alembic.config import Config
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.dialects.postgresql import JSONB

from common.crash_points import crash_point
from common.db import Database, unavailable_when_away


async def upgrade(database: Database, package: str, revision: str = "head") -> None:
    """Bring a service's schema to a revision; instances starting together wait for each other."""
    with unavailable_when_away():
        async with database.engine.begin() as connection:
            # The lock is the transaction's, so a kill at any line releases it.
            await connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtext(:name))"),
                {"name": f"migrations:{database.schema}"},
            )
            await connection.run_sync(_upgrade, package, revision)
            crash_point("migration.before_commit", database.schema)
    crash_point("migration.after_commit", database.schema)


def _upgrade(connection: Connection, package: str, revision: str) -> None:
    command.upgrade(config(package, connection), revision)


def config(package: str, connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for a service's history."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"there is no package {package}")
    configuration = Config()
    location = Path(found.submodule_search_locations[0]) / "migrations"
    configuration.set_main_option("script_location", str(location))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    return configuration


def run(registry: MetaData) -> None:
    """Migrate the schema of these tables on the caller's connection; each `env.py` calls it."""
    connection = context.config.attributes["connection"]
    schema = registry.schema

    def only_own_schema(name: str | None, kind: str, _parents: Any) -> bool:
        return kind != "schema" or name == schema

    context.configure(
        connection=connection,
        target_metadata=registry,
        version_table_schema=schema,
        include_schemas=True,
        include_name=only_own_schema,
        compare_server_default=False,
    )
    with context.begin_transaction():
        context.run_migrations()


def create_messaging_tables(schema: str) -> None:
    """Create inbox, outbox and work, as they are in every service's first revision."""
    now = sa.func.now()

    def moment(name: str, **options: Any) -> sa.Column[Any]:
        return sa.Column(name, sa.DateTime(timezone=True), **options)

    op.create_table(
        "inbox",
        sa.Column("message_id", sa.Uuid),
        sa.Column("name", sa.Text, nullable=False),
        moment("received_at", nullable=False, server_default=now),
        sa.PrimaryKeyConstraint("message_id", name="pk_inbox"),
        schema=schema,
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"], schema=schema)
    op.create_table(
        "outbox",
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("envelope", JSONB, nullable=False),
        moment("created_at", nullable=False, server_default=now),
        sa.PrimaryKeyConstraint("sequence", name="pk_outbox"),
        schema=schema,
    )
    op.create_table(
        "work",
        sa.Column("id", sa.Uuid),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("cause", JSONB, nullable=False),
        moment("created_at", nullable=False, server_default=now),
        moment("available_at", nullable=False, server_default=now),
        moment("expires_at", nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("deaths", sa.Integer, nullable=False, server_default="0"),
        moment("lease_until"),
        sa.Column("lease_token", sa.Uuid),
        moment("died_at"),
        sa.Column("reason", sa.Text),
        sa.Column("stack", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_work"),
        schema=schema,
    )
    op.create_index(
        "ix_work_available_at",
        "work",
        ["available_at"],
        schema=schema,
        postgresql_where=sa.text("died_at IS NULL"),
    )

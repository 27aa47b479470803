"""The migrated schema against the one the code describes."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from common.db import Database


async def assert_migrated(database: Database, registry: MetaData) -> None:
    """Fail with the differences between a service's tables and what its migrations made."""

    def difference(connection: Connection) -> object:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == registry.schema,
                "version_table_schema": registry.schema,
            },
        )
        return compare_metadata(context, registry)

    async with database.engine.connect() as connection:
        assert await connection.run_sync(difference) == []

"""Makes the roles and schemas that the services and the Postgres transport live in.

It needs a role that may create roles; when `DATABASE_URL` may not, an operator runs
`sigmasight db bootstrap --admin-url …` once. Existing roles keep their passwords.
"""

import asyncpg
from sqlalchemy.engine import URL

from common.crash_points import crash_point
from common.db import dsn, role_name, role_password
from common.errors import Unavailable
from common.settings import SERVICES, schema_of

BUS_SCHEMA = "bus"
SCHEMAS = (*(schema_of(service) for service in SERVICES), BUS_SCHEMA)


_PASSING = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
)
"""Refusals that say nothing of the address: a server that starts, or has no connection to give."""


class NotBootstrapped(Exception):
    """The address leads to no database with our roles and schemas, and may not make them."""


async def bootstrap(admin: URL, *, namespace: str = "", secret: str = "") -> list[str]:
    """Create what is missing, return the names of the schemas made; harmless when repeated.

    Instances starting together wait for each other. Raises `NotBootstrapped` when not allowed to,
    `Unavailable` when the server does not answer.
    """
    try:
        connection = await asyncpg.connect(dsn(admin), timeout=10)
    except _PASSING as error:
        raise Unavailable(f"the database does not answer: {error}") from error
    except asyncpg.PostgresError as error:
        # No such database, wrong password and the like: the server's own sentence says it.
        raise NotBootstrapped(f"the database refuses DATABASE_URL: {error}") from error
    try:
        missing = await _missing(connection, namespace)
        if not missing:
            return []
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('bootstrap'))")
            missing = await _missing(connection, namespace)
            for schema in missing:
                await _create(connection, schema, role_name(namespace, schema), secret)
            crash_point("bootstrap.before_commit", "bootstrap")
        crash_point("bootstrap.after_commit", "bootstrap")
    except asyncpg.DuplicateSchemaError as error:
        raise NotBootstrapped(
            f"another system lives in this database ({error}): give each NAMESPACE its own"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise NotBootstrapped(
            f"the schemas {', '.join(missing)} are missing and this role may not make them: run "
            "`sigmasight db bootstrap --admin-url …` once with one that may"
        ) from error
    else:
        return missing
    finally:
        await connection.close()


async def check_login(url: URL) -> None:
    """Return when a role may log in; `NotBootstrapped` says how to mend it when not."""
    try:
        connection = await asyncpg.connect(dsn(url), timeout=10)
    except _PASSING as error:
        raise Unavailable(f"the database does not answer: {error}") from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise NotBootstrapped(
            f"the role {url.username} has another password ({error}): start with the "
            "SERVICE_ROLE_SECRET, the password in DATABASE_URL or the SIGMASIGHT_HOME with which "
            "it was made, or drop the role"
        ) from error
    except asyncpg.PostgresError as error:
        raise NotBootstrapped(f"the database refuses the role {url.username}: {error}") from error
    await connection.close()


async def _missing(connection: asyncpg.Connection, namespace: str) -> list[str]:
    owners = {
        row["nspname"]: row["rolname"]
        for row in await connection.fetch(
            "SELECT nspname, rolname FROM pg_namespace JOIN pg_roles r ON r.oid = nspowner"
        )
    }
    return [schema for schema in SCHEMAS if owners.get(schema) != role_name(namespace, schema)]


async def _create(connection: asyncpg.Connection, schema: str, role: str, secret: str) -> None:
    # Names come from the fixed list above and a checked namespace; the password is hexadecimal.
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    if not exists:
        await connection.execute(
            f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{role_password(secret, role)}'"
        )
    superuser = await connection.fetchval(
        "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    )
    if not superuser:
        # Without being a member one may not give a schema away.
        await connection.execute(f'GRANT "{role}" TO CURRENT_USER')
    database = await connection.fetchval("SELECT current_database()")
    await connection.execute(f'GRANT CONNECT ON DATABASE "{database}" TO "{role}"')
    await connection.execute(f'CREATE SCHEMA "{schema}" AUTHORIZATION "{role}"')
    await connection.execute(f'REVOKE ALL ON SCHEMA "{schema}" FROM PUBLIC')

"""One Postgres database, one schema and one role per service."""

import hashlib
import hmac
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import asyncpg
from sqlalchemy import MetaData, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from common.errors import DatabaseAway, Unavailable

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

READ_ONLY = text("SELECT current_setting('transaction_read_only') = 'on'")
"""Whether nothing can be written: a replica, a failover under way, a disk that is nearly full."""

# Postgres reports these when a repeat of the same transaction may well succeed.
_PASSING = (
    "40001",  # two transactions cannot both go on
    "40P01",
    "53200",  # no memory for it: the statement may be to blame
    "53400",  # nor room within a configured limit
    "55P03",  # a lock was not given in time
    "57014",  # cancelled, by a person or a time limit
)
# By these it says that nobody gets anywhere until somebody mends it, or it has mended itself. Two
# characters are a whole class.
_REFUSING = (
    "08",  # the connection broke
    "25006",  # read-only: a failover is under way
    "28",  # a role that may not log in, a password that has changed
    "3D000",  # the database is not there: it is being restored
    "3F000",  # nor is the schema
    "53",  # no connection or disk left
    "57",  # it stops, starts or recovers
    "58",  # the system below it fails
)

# Of a table that every service has they say that nobody gets anywhere; of another they may be a
# mistake of one statement's.
_MISSING = ("42P01", "42501")
_EVERYBODYS = re.compile(r"\b(inbox|outbox|work)\b|\bschema\b", re.IGNORECASE)

_AWAY = (
    OperationalError,
    PoolTimeout,
    # The driver's word for a pooled session that the server has ended.
    asyncpg.InternalClientError,
)


def parse_url(url: str) -> URL:
    """Read any common form of a Postgres address; ValueError names what is wrong."""
    if not url:
        raise ValueError("DATABASE_URL is not set")
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # The text itself may hold a password: it is not repeated.
        raise ValueError("DATABASE_URL cannot be read as an address") from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ValueError(f"DATABASE_URL must be a Postgres address, not {parsed.drivername}://")
    return parsed.set(drivername="postgresql")


def dsn(url: URL) -> str:
    """Return the address as asyncpg reads it, password included."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def role_password(secret: str, role: str) -> str:
    """Return a role's password: HMAC-SHA256 of its name, so that replicas and restarts agree."""
    return hmac.new(secret.encode(), role.encode(), hashlib.sha256).hexdigest()


def role_name(namespace: str, schema: str) -> str:
    """Return the role that owns a schema; roles belong to a whole server, hence the namespace."""
    return f"{namespace}_{schema}" if namespace else schema


@dataclass(frozen=True)
class Database:
    """A service's own corner: its schema, reached with its own role."""

    url: URL
    schema: str
    pool_size: int = 8
    """Seven services and the bus must fit into the 100 connections of a Postgres as it comes."""

    @cached_property
    def engine(self) -> AsyncEngine:
        """Return the pool of connections."""
        engine = create_async_engine(
            self.url.set(drivername="postgresql+asyncpg"),
            pool_size=self.pool_size,
            # A connection beyond the pool would be made, with a password, for one transaction.
            max_overflow=0,
            # The one given back last goes out first: what a backend of Postgres learns of tables
            # and statements (3 MiB) is learned by those in use, and not by all in turn.
            pool_use_lifo=True,
            pool_timeout=10,
            # Errors go to logs and dead letters: without parameters, they hold people's data.
            hide_parameters=True,
            connect_args={
                "timeout": 10,
                "command_timeout": 60,
                "server_settings": {
                    # Tables are always named with their schema; with the default path Alembic
                    # would take the role's own schema for the unnamed one.
                    "search_path": "public",
                    "application_name": f"sigmasight-{self.schema}",
                },
            },
        )
        event.listen(engine.sync_engine, "checkout", _replace_if_closed)
        return engine

    async def health(self) -> None:
        """Return when the database can be written; raise `Unavailable` when it cannot."""
        with unavailable_when_away():
            async with self.engine.connect() as connection:
                read_only = await connection.scalar(READ_ONLY)
        if read_only:
            raise DatabaseAway("the database is read-only")

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def _replace_if_closed(adapted: DBAPIConnection, *_: object) -> None:
    # A connection whose server went away knows it: asyncio has read its end. `pool_pre_ping` would
    # ask the server, in three round trips, before every transaction.
    connection: asyncpg.Connection[asyncpg.Record] = adapted.driver_connection
    if connection.is_closed():
        raise DisconnectionError


@contextmanager
def unavailable_when_away(*, connecting: bool = True) -> Iterator[None]:
    """Turn the many faces of a database that is away into `DatabaseAway`, of a busy one into
    `Unavailable`.

    Without `connecting` a plain OSError or time-out passes: statements fail with errors of the
    driver's own, so it is not the database's. So does what the driver has against a statement, be
    it that it has more arguments than fit: only of a closed connection is it the database's.
    """
    try:
        yield
    except _AWAY as error:
        raise DatabaseAway(f"the database does not answer: {error}") from error
    except (InterfaceError, asyncpg.InterfaceError) as error:
        if not connecting and not _closed(error):
            raise
        raise DatabaseAway(f"the database does not answer: {error}") from error
    except OSError as error:  # TimeoutError is one of them
        if not connecting:
            raise
        raise DatabaseAway(f"the database does not answer: {error}") from error
    except asyncpg.PostgresError as error:
        if refused := refusal(error):
            raise refused from error
        raise
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseAway(f"the database does not answer: {error.orig}") from error
        if refused := refusal(error.orig):
            raise refused from error
        raise


def _closed(error: InterfaceError | asyncpg.InterfaceError) -> bool:
    if isinstance(error, InterfaceError) and error.connection_invalidated:
        return True
    # So ends every sentence of the driver's about it, whatever was to be done.
    return "connection is closed" in str(error)


def refusal(error: BaseException | None) -> Unavailable | None:
    """Return as what a server's error counts that is nobody's fault; None for every other."""
    state = str(getattr(error, "sqlstate", None) or "")
    if state in _PASSING:
        return Unavailable(f"the database refused for now: {error}")
    if state.startswith(_REFUSING):
        return DatabaseAway(f"the database takes nobody in: {error}")
    if state in _MISSING and _EVERYBODYS.search(str(error)):
        return DatabaseAway(f"the service's schema is not there: {error}")
    return None


def metadata(schema: str) -> MetaData:
    """Return a service's table registry, with the three messaging tables in it."""
    from common.messaging import messaging_tables  # messaging builds on this module

    registry = MetaData(schema=schema, naming_convention=NAMING)
    messaging_tables(registry)
    return registry

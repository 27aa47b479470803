"""A fresh database with all roles and schemas, and its end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex

import asyncpg

from common import migrations
from common.bootstrap import SCHEMAS, bootstrap
from common.db import Database, dsn, parse_url, role_name, role_password
from common.settings import SERVICES, schema_of

ROLE_SECRET = "only-for-tests"


PATIENCE = 60.0


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Lend a connection, waiting for a server that is starting or has none to give."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection = await asyncpg.connect(url)
            break
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
    try:
        yield connection
    finally:
        await connection.close()


@dataclass(frozen=True)
class FreshDatabase:
    """A database nobody else uses, and the namespace of its roles, exchanges and queues."""

    url: str
    namespace: str


@asynccontextmanager
async def empty_database(admin_url: str) -> AsyncIterator[FreshDatabase]:
    """Lend a database with nothing in it; it and the roles that were made are gone afterwards."""
    namespace = f"t{token_hex(4)}"
    admin = parse_url(admin_url)
    await _execute(dsn(admin), f'CREATE DATABASE "{namespace}"')
    url = admin.set(database=namespace)
    try:
        yield FreshDatabase(dsn(url), namespace)
    finally:
        await _execute(dsn(admin), f'DROP DATABASE "{namespace}" WITH (FORCE)')
        for schema in SCHEMAS:
            await _execute(dsn(admin), f'DROP ROLE IF EXISTS "{role_name(namespace, schema)}"')


@asynccontextmanager
async def fresh_database(admin_url: str) -> AsyncIterator[FreshDatabase]:
    """Lend a bootstrapped database; it and its roles are gone afterwards."""
    async with empty_database(admin_url) as empty:
        await bootstrap(parse_url(empty.url), namespace=empty.namespace, secret=ROLE_SECRET)
        yield empty


@asynccontextmanager
async def migrated_template(admin_url: str) -> AsyncIterator[FreshDatabase]:
    """Lend a database with every service's schema migrated, to make copies of."""
    async with fresh_database(admin_url) as template:
        for service in SERVICES:
            schema = schema_of(service)
            role = role_name(template.namespace, schema)
            url = parse_url(template.url).set(
                username=role, password=role_password(ROLE_SECRET, role)
            )
            database = Database(url, schema)
            await migrations.upgrade(database, schema)
            await database.close()
        yield template


@asynccontextmanager
async def copied_database(admin_url: str, template: FreshDatabase) -> AsyncIterator[FreshDatabase]:
    """Lend a copy of a template: a quarter of a second sooner than one made from nothing."""
    admin, name = parse_url(admin_url), f"t{token_hex(4)}"
    await _execute(dsn(admin), f'CREATE DATABASE "{name}" TEMPLATE "{template.namespace}"')
    try:
        yield FreshDatabase(dsn(admin.set(database=name)), template.namespace)
    finally:
        await _execute(dsn(admin), f'DROP DATABASE "{name}" WITH (FORCE)')


async def _execute(url: str, statement: str) -> None:
    async with connected(url) as connection:
        await connection.execute(statement)

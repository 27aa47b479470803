"""Each service's role owns its schema and can see no other; making them is safe to repeat."""

import asyncio

import asyncpg
import pytest

from common.bootstrap import SCHEMAS, NotBootstrapped, bootstrap
from common.db import dsn, parse_url, role_name, role_password
from tests.support.databases import ROLE_SECRET


def as_role(database, schema: str) -> str:
    role = role_name(database.namespace, schema)
    password = role_password(ROLE_SECRET, role)
    return dsn(parse_url(database.url).set(username=role, password=password))


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_role_can_neither_read_nor_write_nor_make_anything_in_another_schema(
    database, schema
):
    for other in SCHEMAS:
        connection = await asyncpg.connect(as_role(database, other))
        await connection.execute(f'CREATE TABLE "{other}".kept (secret text)')
        await connection.close()
    connection = await asyncpg.connect(as_role(database, schema))
    assert await connection.fetch(f'SELECT * FROM "{schema}".kept') == []
    for other in set(SCHEMAS) - {schema}:
        for statement in (
            f'SELECT * FROM "{other}".kept',
            f"INSERT INTO \"{other}\".kept VALUES ('x')",
            f'CREATE TABLE "{other}".intruder (x int)',
            f'DROP TABLE "{other}".kept',
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("CREATE TABLE public.intruder (x int)")
    await connection.close()


async def test_bootstrapping_again_and_at_the_same_time_changes_nothing(database):
    url = parse_url(database.url)
    again = await asyncio.gather(
        *(bootstrap(url, namespace=database.namespace, secret="another") for _ in range(4))
    )
    assert again == [[], [], [], []]
    connection = await asyncpg.connect(as_role(database, "auth"))
    await connection.close()


async def test_a_role_that_may_not_make_roles_is_told_what_to_run(database):
    with pytest.raises(NotBootstrapped, match="sigmasight db bootstrap"):
        await bootstrap(parse_url(as_role(database, "auth")), namespace="elsewhere", secret="x")


async def test_a_database_that_is_not_there_or_is_anothers_is_named_in_a_sentence(database):
    missing = parse_url(database.url).set(database="no_such_database")
    with pytest.raises(NotBootstrapped, match="no_such_database"):
        await bootstrap(missing, namespace=database.namespace, secret="x")
    with pytest.raises(NotBootstrapped, match="give each NAMESPACE its own"):
        await bootstrap(parse_url(database.url), namespace="another", secret="x")


@pytest.mark.parametrize(
    "given",
    [
        "postgres://u:p%40ss@h:5/d",
        "postgresql://u:p%40ss@h:5/d",
        "postgresql+asyncpg://u:p%40ss@h:5/d",
    ],
)
def test_any_common_form_of_a_postgres_address_is_read(given):
    url = parse_url(given)
    assert (url.drivername, url.password, dsn(url)) == (
        "postgresql",
        "p@ss",
        "postgresql://u:p%40ss@h:5/d",
    )


@pytest.mark.parametrize("given", ["", "mysql://h/d", "nonsense"])
def test_another_address_is_refused_by_name(given):
    with pytest.raises(ValueError, match=r"DATABASE_URL|URL"):
        parse_url(given)

"""Many rows in one statement of a fixed form: one array per column, put together by `unnest`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Select,
    Text,
    Uuid,
    any_,
    cast,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import Column, Table


def among(candidate: ColumnElement[UUID], ids: Iterable[UUID]) -> ColumnElement[bool]:
    """Return the condition that an id is one of these."""
    return candidate == any_(literal(list(ids), ARRAY(Uuid)))


def these(columns: Sequence[Column[Any]], rows: Sequence[Mapping[str, Any]]) -> Select[Any]:
    """Return the rows as a query; JSON is given as text."""
    arrays = [literal([row[one.name] for row in rows], ARRAY(_sent_as(one))) for one in columns]
    given = (
        func.unnest(*arrays)
        .table_valued(*(column(one.name, _sent_as(one)) for one in columns))
        .render_derived(name="given")
    )
    return select(
        *(
            cast(given.c[one.name], one.type) if isinstance(one.type, JSON) else given.c[one.name]
            for one in columns
        )
    )


async def copy(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Add rows by COPY, in the transaction already open."""
    if not rows:
        return
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    names = table.c.keys()
    await driver.copy_records_to_table(
        table.name,
        schema_name=table.schema,
        columns=names,
        records=[tuple(row[name] for name in names) for row in rows],
    )


async def put(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows, or replace the ones with the same key."""
    if not rows:
        return
    insertion = upsert(table).from_select(table.c.keys(), these(list(table.c), rows))
    await connection.execute(
        insertion.on_conflict_do_update(
            index_elements=list(table.primary_key), set_=others(table, insertion.excluded)
        )
    )


def others(table: Table, excluded: Any) -> dict[str, Any]:
    """Return what an upsert sets: every column beside the key."""
    return {column.name: excluded[column.name] for column in table.c if not column.primary_key}


def _sent_as(one: Column[Any]) -> Any:
    return Text() if isinstance(one.type, JSON) else one.type

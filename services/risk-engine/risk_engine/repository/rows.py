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
from sqlalchemy.schema import Column


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


def _sent_as(one: Column[Any]) -> Any:
    return Text() if isinstance(one.type, JSON) else one.type

"""Random messages: everything that a contract's class can hold, as its producers fill it."""

import types
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

from annotated_types import BaseMetadata, Ge, Le, MaxLen
from hypothesis import strategies as st
from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)
MOST_ITEMS = 4

_PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    UUID: st.uuids(),
    date: st.dates(),
    # Every time of ours knows its zone.
    datetime: st.datetimes(timezones=st.just(UTC)),
    type(None): st.none(),
}


def instances(model: type[Model]) -> st.SearchStrategy[Model]:
    """Return a strategy of a model's instances; optional fields may be left out."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in model.model_fields.items():
        values = _values(field.annotation, field.metadata)
        (required if field.is_required() else optional)[name] = values
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: model(**given))


def _values(annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    bounds: dict[type, Any] = {
        type(limit): limit for limit in metadata if isinstance(limit, BaseMetadata)
    }
    if unknown := bounds.keys() - {Ge, Le, MaxLen}:
        raise TypeError(f"no way to keep to {unknown}")
    if annotation is float and bounds:
        return st.floats(bounds[Ge].ge, bounds[Le].le)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    arguments = get_args(annotation)
    kind = get_origin(annotation)
    if kind is Annotated:
        return _values(arguments[0], list(arguments[1:]))
    if kind is Literal:
        return st.sampled_from(arguments)
    if kind in (Union, types.UnionType):
        return st.one_of([_values(one, metadata) for one in arguments])
    if kind is tuple:
        return st.lists(_values(arguments[0], []), max_size=MOST_ITEMS).map(tuple)
    if kind is dict:
        keys, values = (_values(one, []) for one in arguments)
        return st.dictionaries(keys, values, max_size=MOST_ITEMS)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return instances(annotation)
    raise TypeError(f"no strategy for {annotation}")

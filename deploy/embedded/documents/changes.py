"""What has changed between two JSON schemas, and which way: what is valid became less, or more.

Only what validation looks at counts; titles, descriptions and examples may say what they like. A
keyword this module does not know counts as a change of meaning, so that nothing slips through.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Schema = Mapping[str, Any]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("format", "pattern", "multipleOf", "uniqueItems", "contentMediaType", "contentEncoding")
_INSIDE = ("items", "additionalProperties", "propertyNames")
_SEPARATELY = ("type", "enum", "const", "default", "properties", "required", "anyOf", "oneOf")
_ANNOTATIONS = ("title", "description", "examples", "example", "deprecated", "discriminator")
_COMPARED = {
    *(*_LOWER, *_UPPER, *_EXACT, *_INSIDE, *_SEPARATELY, *_ANNOTATIONS),
    *("$ref", "$defs", "definitions", "$schema", "$id", "$comment"),
}


class Effect(Enum):
    """What a change does to what is valid."""

    NARROWER = "what was valid may be refused"
    WIDER = "what was never sent may come"
    MEANING = "the same bytes mean something else"
    DEFAULT = "an absent field means something else"


@dataclass(frozen=True)
class Change:
    """One difference, by its place in the message."""

    where: str
    what: str
    effect: Effect

    def __str__(self) -> str:
        return f"{self.where or 'the whole'}: {self.what}"


def changes(
    old: Schema, new: Schema, *, old_root: Schema | None = None, new_root: Schema | None = None
) -> list[Change]:
    """Return every change but an added optional field; roots are where references lead."""
    return list(_Comparison(old_root or old, new_root or new).of(old, new, ""))


class _Comparison:
    def __init__(self, old_root: Schema, new_root: Schema) -> None:
        self._old_root, self._new_root = old_root, new_root
        self._seen: set[tuple[str, str]] = set()

    def of(self, old: Any, new: Any, where: str) -> Iterator[Change]:
        names = (_reference(old), _reference(new))
        if all(names):  # a schema that contains itself
            if names in self._seen:
                return
            self._seen.add(names)
        old, new = _resolved(old, self._old_root), _resolved(new, self._new_root)
        yield from _default(old, new, where)
        if _is_free(old) != _is_free(new):
            effect = Effect.NARROWER if _is_free(old) else Effect.WIDER
            what = "is restricted" if _is_free(old) else "may be anything"
            yield Change(where, f"{what} now", effect)
        elif not _is_free(old):
            yield from self._alternatives(_branches(old), _branches(new), where)
        if all(names):
            self._seen.discard(names)

    def _alternatives(self, old: list[Any], new: list[Any], where: str) -> Iterator[Change]:
        before = [_resolved(one, self._old_root) for one in old]
        after = [_resolved(one, self._new_root) for one in new]
        for alike in (_same_kind, _same_type, _both_numbers):  # the closest pairs first
            for one in list(before):
                match = next((other for other in after if alike(one, other)), None)
                if match is not None:
                    before.remove(one)
                    after.remove(match)
                    yield from self._single(one, match, where)
        for gone in before:
            yield Change(where, f"{_described(gone)} is not allowed any more", Effect.NARROWER)
        for added in after:
            yield Change(where, f"{_described(added)} is allowed now", Effect.WIDER)

    def _single(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        yield from _type(old, new, where)
        yield from _values(old, new, where)
        yield from _bounds(old, new, where)
        for keyword in _EXACT:
            yield from _exact(keyword, old.get(keyword), new.get(keyword), where)
        yield from self._properties(old, new, where)
        for keyword in _INSIDE:
            yield from self._inside(keyword, old.get(keyword), new.get(keyword), where)
        for keyword in sorted((old.keys() | new.keys()) - _COMPARED):
            if not keyword.startswith("x-") and old.get(keyword) != new.get(keyword):
                yield Change(where, f"{keyword} changed", Effect.MEANING)

    def _properties(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in before.keys() - after.keys():
            yield Change(_join(where, name), "the field was removed or renamed", Effect.MEANING)
        for name in sorted(needs - needed):
            what = "is required now" if name in before else "was added as a required field"
            yield Change(_join(where, name), what, Effect.NARROWER)
        for name in sorted(needed - needs):
            if name in after:
                yield Change(_join(where, name), "may be absent now", Effect.WIDER)
        for name in before:
            if name in after:
                yield from self.of(before[name], after[name], _join(where, name))

    def _inside(self, keyword: str, old: Any, new: Any, where: str) -> Iterator[Change]:
        place = f"{where}[]" if keyword == "items" else f"{where}.*"
        if (old is False) != (new is False):
            effect = Effect.NARROWER if new is False else Effect.WIDER
            what = "is forbidden" if new is False else "is allowed"
            yield Change(place, f"{what} now", effect)
        elif new is not False and (old or new):
            yield from self.of(old or {}, new or {}, place)


def _reference(schema: Any) -> str:
    return str(schema.get("$ref", "")) if isinstance(schema, Mapping) else ""


def _resolved(given: Any, root: Schema) -> dict[str, Any]:
    schema: dict[str, Any] = {} if given is True else dict(given)
    while "$ref" in schema or len(schema.get("allOf", ())) == 1:
        if "$ref" in schema:
            target: Any = root
            for step in schema.pop("$ref").removeprefix("#/").split("/"):
                target = target[step]
        else:
            (target,) = schema.pop("allOf")
        schema = {**target, **schema}
    return schema


def _branches(schema: Schema) -> list[Any]:
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return list(schema[keyword])
    kinds = schema.get("type")
    return [{**schema, "type": kind} for kind in kinds] if isinstance(kinds, list) else [schema]


def _same_kind(old: Schema, new: Schema) -> bool:
    return _same_type(old, new) and old.get("title") == new.get("title")


def _same_type(old: Schema, new: Schema) -> bool:
    return bool(old.get("type") == new.get("type"))


def _both_numbers(old: Schema, new: Schema) -> bool:
    return {old.get("type"), new.get("type")} == {"integer", "number"}


def _described(schema: Schema) -> str:
    if "enum" in schema or "const" in schema:
        return ", ".join(map(repr, schema.get("enum", [schema.get("const")])))
    return str(schema.get("type") or "anything")


def _is_free(schema: Schema) -> bool:
    return not schema.keys() - {*_ANNOTATIONS, "default"}


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _default(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    before, after = old.get("default", ...), new.get("default", ...)
    if before != after and ... not in (before, after):
        what = f"the default changed from {before!r} to {after!r}"
        yield Change(where, what, Effect.DEFAULT)


def _type(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    before, after = old.get("type"), new.get("type")
    if before != after:  # paired all the same: an integer is a number
        effect = Effect.WIDER if after == "number" else Effect.NARROWER
        yield Change(where, f"{before} became {after}", effect)


def _values(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    before, after = _listed(old), _listed(new)
    if before is None and after is not None:
        yield Change(where, f"only {after} are allowed now", Effect.NARROWER)
    elif before is not None and after is None:
        yield Change(where, f"more than {before} is allowed now", Effect.WIDER)
    elif before is not None and after is not None:
        if gone := [value for value in before if value not in after]:
            yield Change(where, f"{gone} is not allowed any more", Effect.NARROWER)
        if added := [value for value in after if value not in before]:
            yield Change(where, f"{added} is allowed now", Effect.WIDER)


def _listed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _bounds(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    for keyword in (*_LOWER, *_UPPER):
        before, after = old.get(keyword), new.get(keyword)
        if before == after:
            continue
        raised = before is not None and after is not None and after > before
        narrower = before is None or (after is not None and raised == (keyword in _LOWER))
        effect = Effect.NARROWER if narrower else Effect.WIDER
        yield Change(where, f"{keyword} changed from {before} to {after}", effect)


def _exact(keyword: str, old: Any, new: Any, where: str) -> Iterator[Change]:
    if old == new:
        return
    removed = Effect.WIDER if new is None else Effect.MEANING
    effect = Effect.NARROWER if old is None else removed
    yield Change(where, f"{keyword} changed from {old} to {new}", effect)

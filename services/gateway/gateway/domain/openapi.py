"""The services' OpenAPI documents as one: what the route table leads to, and nothing else."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.domain.routes import Access, find

Document = Mapping[str, Any]

_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_BEARER_OR_COOKIE: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]


def merge(own: Document, others: Mapping[str, Document], silent: Sequence[str]) -> dict[str, Any]:
    """Return the gateway's own document with the routed paths of the others in it.

    `others` is by service. Services that did not answer are named in the description. A component
    that two services define differently gets its service's name before its own.
    """
    documents = {
        "gateway": own,
        **{service: _routed(service, others[service]) for service in sorted(others)},
    }
    clashing = _clashing({name: _schemas(document) for name, document in documents.items()})
    merged: dict[str, Any] = {"paths": {}, "schemas": {}}
    for service, document in documents.items():
        renamed = _renamed(document, service, clashing)
        merged["paths"] |= renamed.get("paths", {})
        used = _reachable(renamed.get("paths", {}), _schemas(renamed))
        merged["schemas"] |= {name: _schemas(renamed)[name] for name in used}
    return {
        "openapi": own["openapi"],
        "info": {**own["info"], "description": _description(own, silent)},
        "paths": {path: _secured(path, merged["paths"][path]) for path in sorted(merged["paths"])},
        "components": {
            "schemas": dict(sorted(merged["schemas"].items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "auth_token"},
            },
        },
    }


def _routed(service: str, document: Document) -> dict[str, Any]:
    paths = {
        path: operations
        for path, operations in document.get("paths", {}).items()
        if (route := find(path.encode())) is not None and route.service == service
    }
    return {**document, "paths": paths}


def _schemas(document: Document) -> dict[str, Any]:
    schemas: dict[str, Any] = document.get("components", {}).get("schemas", {})
    return schemas


def _references(part: Any) -> set[str]:
    return set(_REFERENCE.findall(json.dumps(part)))


def _clashing(schemas: Mapping[str, Mapping[str, Any]]) -> set[str]:
    definitions: dict[str, list[Any]] = {}
    for own in schemas.values():
        for name, schema in own.items():
            definitions.setdefault(name, []).append(schema)
    clashing = {
        name for name, found in definitions.items() if any(schema != found[0] for schema in found)
    }
    # Equal words that refer to a clashing name do not mean the same.
    grown = True
    while grown:
        more = {
            name
            for name, found in definitions.items()
            if len(found) > 1 and name not in clashing and _references(found[0]) & clashing
        }
        clashing |= more
        grown = bool(more)
    return clashing


def _renamed(document: Document, service: str, clashing: set[str]) -> dict[str, Any]:
    prefix = "".join(word.capitalize() for word in service.split("-"))

    def new_name(name: str) -> str:
        return f"{prefix}{name}" if name in clashing else name

    text = _REFERENCE.sub(
        lambda match: f'"#/components/schemas/{new_name(match[1])}"',
        json.dumps({"paths": document.get("paths", {}), "schemas": _schemas(document)}),
    )
    renamed = json.loads(text)
    schemas = {new_name(name): schema for name, schema in renamed["schemas"].items()}
    return {"paths": renamed["paths"], "components": {"schemas": schemas}}


def _reachable(paths: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    reached: set[str] = set()
    waiting = _references(paths)
    while waiting:
        reached |= waiting
        waiting = set().union(*(_references(schemas.get(name)) for name in waiting)) - reached
    return reached & schemas.keys()


def _secured(path: str, item: Mapping[str, Any]) -> dict[str, Any]:
    route = find(path.encode())
    public = route.access is Access.PUBLIC if route else not path.startswith("/api/")
    security: list[Any] = [] if public else _BEARER_OR_COOKIE
    return {
        key: {**value, "security": security} if key in _METHODS else value
        for key, value in item.items()
    }


def _description(own: Document, silent: Sequence[str]) -> str:
    def sentences() -> Iterator[str]:
        if own["info"].get("description"):
            yield own["info"]["description"]
        if silent:
            yield f"Not answering right now, so not described here: {', '.join(sorted(silent))}."

    return " ".join(sentences())

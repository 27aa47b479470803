"""The services' OpenAPI documents as one: what the route table leads to, and nothing else."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from common.errors import CommonCode, ErrorCode
from common.refusals import add_refusals, examples
from gateway.domain.codes import Code
from gateway.domain.routes import Access, Route, find

Document = Mapping[str, Any]

_EDGE = (
    CommonCode.ERR_NOT_FOUND,
    CommonCode.ERR_TOO_LARGE,
    Code.ERR_RATE_LIMITED,
    Code.ERR_SLOW_BODY,
    Code.ERR_TIMEOUT,
)

_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_SAFE_METHODS = frozenset({"get", "head", "options"})
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
    merged: dict[str, Any] = {"paths": {}, "schemas": {}, "examples": examples(_EDGE)}
    for service, document in documents.items():
        renamed = _renamed(document, service, clashing)
        merged["paths"] |= renamed.get("paths", {})
        used = _reachable(renamed.get("paths", {}), _schemas(renamed))
        merged["schemas"] |= {name: _schemas(renamed)[name] for name in used}
        # An example is named for an error code, which means the same everywhere.
        merged["examples"] |= document.get("components", {}).get("examples", {})
    return {
        "openapi": own["openapi"],
        "info": {**own["info"], "title": "SigmaSight", "description": _description(own, silent)},
        "paths": {path: _at_edge(path, merged["paths"][path]) for path in sorted(merged["paths"])},
        "components": {
            "examples": dict(sorted(merged["examples"].items())),
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


def _at_edge(path: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Add what the gateway asks of a request before it passes it on, and what it may refuse."""
    route = find(path.encode())
    public = route.access is Access.PUBLIC if route else not path.startswith("/api/")
    edged: dict[str, Any] = {}
    for key, value in item.items():
        if key in _METHODS:
            operation = {**value, "security": [] if public else _BEARER_OR_COOKIE}
            if route is not None:
                add_refusals(operation, _edge_codes(path, key, route, operation))
            edged[key] = operation
        else:
            edged[key] = value
    return edged


def _edge_codes(
    path: str, method: str, route: Route, operation: Mapping[str, Any]
) -> dict[str, list[ErrorCode]]:
    codes: dict[str, list[ErrorCode]] = {"default": [Code.ERR_TIMEOUT]}
    if "{" in path:  # what is filled in may make it an address that leads nowhere
        codes["404"] = [CommonCode.ERR_NOT_FOUND]
    if route.guarded or (route.access is not Access.PUBLIC and method not in _SAFE_METHODS):
        codes["429"] = [Code.ERR_RATE_LIMITED]
    if "requestBody" in operation:
        codes |= {"408": [Code.ERR_SLOW_BODY], "413": [CommonCode.ERR_TOO_LARGE]}
    return codes


def _description(own: Document, silent: Sequence[str]) -> str:
    def sentences() -> Iterator[str]:
        if own["info"].get("description"):
            yield own["info"]["description"]
        if silent:
            yield f"Not answering right now, so not described here: {', '.join(sorted(silent))}."

    return " ".join(sentences())

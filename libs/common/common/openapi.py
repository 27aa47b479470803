"""An application whose OpenAPI document is whole: ids that last, every route's refusals."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from common.errors import CommonCode, ErrorCode
from common.refusals import ERROR_SCHEMAS, Codes, add_refusals, examples, refusals_of

_ALWAYS = (CommonCode.ERR_INTERNAL, CommonCode.ERR_UNAVAILABLE)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Application(FastAPI):
    """A FastAPI application whose document lists the refusals of every route."""

    def __init__(self, **options: Any) -> None:
        super().__init__(generate_unique_id_function=operation_id, **options)
        self.further_schemas: dict[str, Any] = {}
        """Components that FastAPI does not find by itself, by name."""
        self._described: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        """Return the document; it is made once."""
        document = super().openapi()
        if document is not self._described:
            self._describe(document)
            self._described = document
        return document

    def _describe(self, document: dict[str, Any]) -> None:
        named: set[ErrorCode] = set()
        for route in iter_route_contexts(self.routes):
            if not isinstance(route.original_route, APIRoute) or not route.include_in_schema:
                continue
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                codes = _codes(route.dependant, method, operation)
                add_refusals(operation, codes)
                named.update(code for found in codes.values() for code in found)
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas |= ERROR_SCHEMAS | self.further_schemas
        components["examples"] = examples(named)


def operation_id(route: APIRoute) -> str:
    """Return a name that lasts as long as the address does, whatever the function is called."""
    words = re.findall(r"[A-Za-z0-9]+", route.path_format.removeprefix("/api/v1"))
    return "_".join([min(route.methods or {"any"}).lower(), *(words or ["root"])])


def _codes(dependant: Dependant, method: str, operation: dict[str, Any]) -> Codes:
    codes: dict[str, list[ErrorCode]] = defaultdict(list)
    found = [*_declared(dependant), *_ALWAYS]
    if operation["responses"].pop("422", None):  # FastAPI's own, with a body that is not ours
        found.append(CommonCode.ERR_VALIDATION)
    if "requestBody" in operation:
        found.append(CommonCode.ERR_HTTP)  # a body that cannot be read at all
    for code in dict.fromkeys(found):
        if code is CommonCode.ERR_AUTH_003 and method in _SAFE_METHODS:
            continue
        codes["default" if code in _ALWAYS else str(code.spec.status)].append(code)
    return codes


def _declared(dependant: Dependant) -> Iterator[ErrorCode]:
    for dependency in dependant.dependencies:
        yield from _declared(dependency)
    if dependant.call is not None:
        yield from refusals_of(dependant.call)

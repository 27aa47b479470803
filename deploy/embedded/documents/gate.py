"""What a change of a contract would break. The rules and their reasons are ADR 11's.

Both ends of an event may be of this release or of the one before, and old messages wait in queues
and dead letters; so within a version an event only gains optional fields. Over HTTP only the client
may be old: requests may be taken more freely, answers may say more, never the other way round.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.embedded.documents.changes import Change, Effect, changes

Document = Mapping[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")
_FOR_REQUESTS = {Effect.NARROWER, Effect.MEANING, Effect.DEFAULT}
_FOR_ANSWERS = {Effect.WIDER, Effect.MEANING}


def breaking_changes(old: Document, new: Document) -> list[str]:
    """Return what breaks between two JSON schemas of one event or command; empty when nothing."""
    return [str(change) for change in changes(old, new)]


def breaking_routes(old: Document, new: Document) -> list[str]:
    """Return what breaks for the clients of one OpenAPI document when they meet another."""
    return list(_Routes(old, new).broken())


class _Routes:
    def __init__(self, old: Document, new: Document) -> None:
        self._old, self._new = old, new

    def broken(self) -> Iterator[str]:
        for path, item in self._old["paths"].items():
            for method in METHODS:
                if method not in item:
                    continue
                name = f"{method.upper()} {path}"
                operation = self._new["paths"].get(path, {}).get(method)
                if operation is None:
                    yield f"{name}: was removed"
                else:
                    for fault in self._operation(item[method], operation):
                        yield f"{name}: {fault}"

    def _operation(self, old: Document, new: Document) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"its id changed from {old['operationId']} to {new['operationId']}"
        if not old.get("security") and new.get("security"):
            yield "needs a token now"
        yield from self._parameters(_parameters(old), _parameters(new))
        yield from self._body(old.get("requestBody"), new.get("requestBody"))
        yield from self._answers(old["responses"], new["responses"])
        yield from _codes(old["responses"], new["responses"])

    def _parameters(self, old: Document, new: Document) -> Iterator[str]:
        for name in old.keys() - new.keys():
            yield f"{name} was removed"
        for name, parameter in new.items():
            known = old.get(name)
            if parameter.get("required") and not (known or {}).get("required"):
                yield f"{name} is required now"
            if known is not None:
                yield from self._schemas(name, known["schema"], parameter["schema"], _FOR_REQUESTS)

    def _body(self, old: Document | None, new: Document | None) -> Iterator[str]:
        if old is None or new is None:
            if old is not None:
                yield "takes no body any more"
            elif new is not None and new.get("required"):
                yield "a body is required now"
            return
        if new.get("required") and not old.get("required"):
            yield "a body is required now"
        yield from self._contents("body", old["content"], new["content"], _FOR_REQUESTS)

    def _answers(self, old: Document, new: Document) -> Iterator[str]:
        for status in sorted(status for status in old.keys() | new.keys() if status[0] == "2"):
            if status not in new:
                yield f"does not answer {status} any more"
            elif status not in old:
                yield f"may answer {status} now"
            else:
                before, after = old[status].get("content", {}), new[status].get("content", {})
                yield from self._contents(status, before, after, _FOR_ANSWERS)

    def _contents(
        self, where: str, old: Document, new: Document, refused: set[Effect]
    ) -> Iterator[str]:
        for media in old.keys() - new.keys():
            yield f"{where} is not {media} any more"
        for media in old.keys() & new.keys():
            before, after = old[media].get("schema", {}), new[media].get("schema", {})
            yield from self._schemas(where, before, after, refused)

    def _schemas(
        self, where: str, old: Document, new: Document, refused: set[Effect]
    ) -> Iterator[str]:
        found: list[Change] = changes(old, new, old_root=self._old, new_root=self._new)
        yield from (f"{where}, {change}" for change in found if change.effect in refused)


def _parameters(operation: Document) -> dict[str, Any]:
    return {
        f"{parameter['in']} parameter {parameter['name']}": parameter
        for parameter in operation.get("parameters", ())
    }


def _codes(old: Document, new: Document) -> Iterator[str]:
    """Return the error codes that have moved to another status: clients decide by both."""
    after: dict[str, set[str]] = {}
    for status, code in _statuses(new):
        after.setdefault(code, set()).add(status)
    for status, code in _statuses(old):
        if status not in after.get(code, {status}):
            yield f"{code} has left status {status}"


def _statuses(responses: Document) -> Iterator[tuple[str, str]]:
    for status, response in responses.items():
        for media in response.get("content", {}).values():
            yield from ((status, code) for code in media.get("examples", ()))

"""The committed AsyncAPI document as a judge of messages, whichever way they were caught."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft7Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT7

from common.bus.rabbitmq.messages import message_of
from common.events import Envelope
from deploy.embedded.documents import ASYNCAPI, ROOT

_URI = "urn:sigmasight:events"
FORMATS = FormatChecker()
"""Every format there is a library for; draft 7's own checker leaves `uuid` out."""


@cache
def committed_asyncapi() -> dict[str, Any]:
    """Return the document as it is committed."""
    document: dict[str, Any] = json.loads((ROOT / ASYNCAPI).read_text())
    return document


def faults_of(routing_key: str, body: Any, headers: Mapping[str, Any] | None = None) -> list[str]:
    """Return what the document does not allow in a delivery; empty when it is as described.

    The body is the parsed JSON. Without headers only the body is judged.
    """
    if routing_key not in committed_asyncapi()["components"]["messages"]:
        return [f"the document knows no {routing_key}"]
    found = _faults(_judge(f"{_place(routing_key)}/payload"), body)
    if headers is not None:
        found += [f"headers: {fault}" for fault in _faults(_judge(_headers()), dict(headers))]
    return [f"{routing_key}: {fault}" for fault in found]


def faults_of_envelope(envelope: Envelope) -> list[str]:
    """Return what the document does not allow in a message that is about to be sent."""
    body = json.loads(envelope.to_bytes())
    return faults_of(envelope.routing_key, body, message_of(envelope).headers)


@cache
def _judge(reference: str) -> Draft7Validator:
    # AsyncAPI reads schemas as JSON Schema draft 7 unless told otherwise.
    resource = DRAFT7.create_resource(committed_asyncapi())
    registry: Registry[Any] = Registry().with_resource(_URI, resource)
    return Draft7Validator(
        {"$ref": f"{_URI}#{reference}"},
        registry=registry,
        format_checker=FORMATS,
    )


def _faults(judge: Draft7Validator, instance: Any) -> list[str]:
    assert {"date", "date-time", "uuid"} <= FORMATS.checkers.keys(), "a format is only a word"
    return [
        f"{'.'.join(str(step) for step in error.absolute_path) or 'the whole'}: {error.message}"
        for error in judge.iter_errors(instance)
    ]


def _place(routing_key: str) -> str:
    return f"/components/messages/{routing_key}"


def _headers() -> str:
    return "/components/schemas/Headers"

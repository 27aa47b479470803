"""The AsyncAPI 3 document: every message, who says it, who hears it, and how it travels."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.events import COMMANDS, EVENTS, Command, Envelope, Message
from common.events.topology import COMMANDS_EXCHANGE, EVENTS_EXCHANGE, TOPOLOGY, Queue

BINDING_VERSION = "0.3.0"
"""Of AsyncAPI's AMQP binding."""
CONTRACTS: tuple[type[Message], ...] = (*EVENTS, *COMMANDS)
Named = Iterator[tuple[str, dict[str, Any]]]

HEADERS: dict[str, Any] = {
    "title": "Headers",
    "description": (
        "What RabbitMQ carries beside the body, so that tools need not read it; Postgres has "
        "columns for the id and the trace. A message published by hand needs none of them."
    ),
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid", "description": "The envelope's id."},
        "producer": {"type": "string", "description": "The envelope's producer."},
        "traceparent": {
            "type": "string",
            "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
            "description": "W3C Trace Context of whoever said it.",
        },
    },
    "required": ["id", "producer"],
}


def asyncapi(golden: Path) -> dict[str, Any]:
    """Return the document; `golden` is the folder of the messages that serve as examples."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:sigmasight:events",
        "info": {
            "title": "SigmaSight events",
            "version": "0.2.0",
            "description": (
                "Facts that services announce, and the one request they take. Every body is an "
                "envelope around its payload. Delivery is at least once and in no promised order; "
                "a consumer drops what it has seen by the envelope's id. Within a version, "
                "optional fields may be added and nothing else changes: ignore what you do not "
                "know. How a contract may change: docs/contracts.md."
            ),
        },
        "defaultContentType": "application/json",
        "servers": {
            "rabbitmq": _server("localhost:5672", "amqp", "The bus where there is a broker."),
            "postgres": _server(
                "localhost:5432", "postgresql", "The bus without one: `SELECT bus.send(key, body)`."
            ),
        },
        "channels": dict(_addresses()) | dict(_queues()),
        "operations": dict(_sends()) | dict(_receives()),
        "components": {
            "messages": {
                contract.routing_key(): _message(contract, golden) for contract in CONTRACTS
            },
            "schemas": {
                "Headers": HEADERS,
                "Envelope": _schema("Envelope", Envelope),
                **{key: _schema(key, contract) for key, contract in _by_key()},
            },
        },
    }


def producer_of(contract: type[Message]) -> str:
    """Return the service that says it: contracts are kept in a module of its name."""
    return contract.__module__.rpartition(".")[2].replace("_", "-")


def examples_of(routing_key: str, golden: Path) -> dict[str, Any]:
    """Return the golden messages of a contract by name, as they are kept."""
    return {
        path.stem: json.loads(path.read_text())
        for path in sorted((golden / routing_key).glob("*.json"))
    }


def _by_key() -> Iterator[tuple[str, type[Message]]]:
    return ((contract.routing_key(), contract) for contract in CONTRACTS)


def _server(host: str, protocol: str, description: str) -> dict[str, Any]:
    return {
        "host": "{host}",
        "protocol": protocol,
        "description": description,
        "variables": {"host": {"default": host}},
    }


def _addresses() -> Named:
    for key, contract in _by_key():
        command = issubclass(contract, Command)
        exchange = {
            "name": COMMANDS_EXCHANGE if command else EVENTS_EXCHANGE,
            "type": "direct" if command else "topic",
            "durable": True,
            "autoDelete": False,
        }
        yield (
            key,
            {
                "address": key,
                "messages": {key: {"$ref": f"#/components/messages/{key}"}},
                "bindings": _amqp({"is": "routingKey", "exchange": exchange}),
            },
        )


def _queues() -> Named:
    for queue in TOPOLOGY.queues:
        properties = {
            "name": queue.name,
            "durable": True,
            "exclusive": False,
            "autoDelete": False,
        }
        yield (
            f"queue.{queue.name}",
            {
                "address": queue.name,
                "description": (
                    f"Bound to {', '.join((*queue.patterns, *queue.commands))}. What cannot be "
                    f"taken waits on a ladder of pauses, then goes to {queue.name}.dlq."
                ),
                "messages": {
                    key: {"$ref": f"#/components/messages/{key}"} for key in _heard(queue)
                },
                "bindings": _amqp({"is": "queue", "queue": properties}),
            },
        )


def _sends() -> Named:
    for key, contract in _by_key():
        command = issubclass(contract, Command)
        yield (
            f"operator.asks.{key}" if command else f"{producer_of(contract)}.says.{key}",
            {
                "action": "send",
                "channel": {"$ref": f"#/channels/{key}"},
                "summary": _first_line(contract),
                "messages": [{"$ref": f"#/channels/{key}/messages/{key}"}],
                "bindings": _amqp({"deliveryMode": 2, "mandatory": False}),
            },
        )


def _receives() -> Named:
    for queue in TOPOLOGY.queues:
        channel = f"#/channels/queue.{queue.name}"
        for key in _heard(queue):
            yield (
                f"{queue.name}.hears.{key}",
                {
                    "action": "receive",
                    "channel": {"$ref": channel},
                    "messages": [{"$ref": f"{channel}/messages/{key}"}],
                    "bindings": _amqp({"ack": True}),
                },
            )


def _heard(queue: Queue) -> list[str]:
    return [key for key, _ in _by_key() if queue.wants(key)]


def _message(contract: type[Message], golden: Path) -> dict[str, Any]:
    key = contract.routing_key()
    return {
        "name": key,
        "title": contract.__name__,
        "summary": _first_line(contract),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/Headers"},
        "correlationId": {
            "description": "The flow that the message belongs to, if any.",
            "location": "$message.payload#/run_id",
        },
        "payload": _body(contract),
        "examples": [
            {"name": name, "payload": example["body"]}
            for name, example in examples_of(key, golden).items()
        ],
    }


def _body(contract: type[Message]) -> dict[str, Any]:
    """Return the schema of the whole body: what a service sends carries every circumstance."""
    key = contract.routing_key()
    circumstances: dict[str, Any] = {
        "name": {"const": contract.NAME},
        "version": {"const": contract.VERSION},
        "payload": {"$ref": f"#/components/schemas/{key}"},
    }
    if issubclass(contract, Command):
        required = ["name", "payload"]
    else:
        circumstances["producer"] = {"const": producer_of(contract)}
        required = ["id", "name", "version", "occurred_at", "producer", "payload"]
    enveloped = {
        "allOf": [
            {"$ref": "#/components/schemas/Envelope"},
            {"properties": circumstances, "required": required},
        ]
    }
    if not issubclass(contract, Command):
        return enveloped
    bare = {
        "description": "By hand: the bare payload; the routing key says what it is.",
        "allOf": [{"$ref": f"#/components/schemas/{key}"}, {"not": {"required": ["payload"]}}],
    }
    return {"anyOf": [enveloped, bare]}


def _schema(name: str, model: type[Message] | type[Envelope]) -> dict[str, Any]:
    # What a schema defines for itself stays inside it, under the name it has in the document.
    template = f"#/components/schemas/{name}/$defs/{{model}}"
    return model.model_json_schema(ref_template=template)


def _amqp(binding: dict[str, Any]) -> dict[str, Any]:
    return {"amqp": {**binding, "bindingVersion": BINDING_VERSION}}


def _first_line(contract: type[Message]) -> str:
    return (contract.__doc__ or "").strip().splitlines()[0]

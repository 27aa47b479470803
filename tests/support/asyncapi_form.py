"""The form of an AsyncAPI 3.0 document, as strictly as the specification has it, for what we use.

No library on PyPI carries the specification's own schema. When this form was written, our document
and every spoilt one of the test were put before that schema (npm `@asyncapi/specs`) as well: it
refused the same ones, but for references, which it does not follow.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from jsonschema import Draft7Validator
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$")]


class Form(BaseModel):
    """Anything of the document: what it does not name is not allowed, but `x-` extensions."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)


class Reference(Form):
    """A pointer into the document."""

    ref: Annotated[str, StringConstraints(pattern=r"^#/")] = Field(alias="$ref")


class Info(Form):
    """What the document is about."""

    title: str
    version: str
    description: str | None = None


class Variable(Form):
    """What is filled into a server's address."""

    default: str


class Server(Form):
    """Where messages pass."""

    host: str
    protocol: str
    description: str | None = None
    variables: dict[Key, Variable] = Field(default_factory=dict)


class Exchange(Form):
    """AMQP binding 0.3.0: an exchange."""

    name: Annotated[str, StringConstraints(max_length=255)]
    type: Literal["topic", "direct", "fanout", "default", "headers"]
    durable: bool
    autoDelete: bool  # noqa: N815 - the specification's name


class AmqpQueue(Form):
    """AMQP binding 0.3.0: a queue."""

    name: Annotated[str, StringConstraints(max_length=255)]
    durable: bool
    exclusive: bool
    autoDelete: bool  # noqa: N815


class RoutingKeyChannel(Form):
    """AMQP binding 0.3.0 of a channel that is a routing key."""

    kind: Literal["routingKey"] = Field(alias="is")
    exchange: Exchange
    bindingVersion: Literal["0.3.0"]  # noqa: N815


class QueueChannel(Form):
    """AMQP binding 0.3.0 of a channel that is a queue."""

    kind: Literal["queue"] = Field(alias="is")
    queue: AmqpQueue
    bindingVersion: Literal["0.3.0"]  # noqa: N815


class ChannelBindings(Form):
    """By protocol."""

    amqp: Annotated[RoutingKeyChannel | QueueChannel, Field(discriminator="kind")]


class Channel(Form):
    """Where messages of some kinds go."""

    address: str
    description: str | None = None
    messages: dict[Key, Reference]
    bindings: ChannelBindings


class AmqpOperation(Form):
    """AMQP binding 0.3.0 of an operation."""

    deliveryMode: Literal[1, 2] | None = None  # noqa: N815
    mandatory: bool | None = None
    ack: bool | None = None
    bindingVersion: Literal["0.3.0"]  # noqa: N815


class OperationBindings(Form):
    """By protocol."""

    amqp: AmqpOperation


class Operation(Form):
    """Who says or hears what."""

    action: Literal["send", "receive"]
    channel: Reference
    summary: str | None = None
    messages: Annotated[list[Reference], Field(min_length=1)]
    bindings: OperationBindings


class CorrelationId(Form):
    """Where it says which flow a message belongs to."""

    description: str
    location: Annotated[str, StringConstraints(pattern=r"^\$message\.(header|payload)#(\/.*)*$")]


class Example(Form):
    """A message as it may come."""

    name: str
    payload: dict[str, Any]


class MessageForm(Form):
    """A kind of message."""

    name: str
    title: str
    summary: str
    contentType: Literal["application/json"]  # noqa: N815
    headers: Reference
    correlationId: CorrelationId  # noqa: N815
    payload: dict[str, Any]
    examples: Annotated[list[Example], Field(min_length=1)]


class Components(Form):
    """What others refer to."""

    messages: dict[Key, MessageForm]
    schemas: dict[Key, dict[str, Any]]


class Document(Form):
    """An AsyncAPI document."""

    asyncapi: Literal["3.0.0"]
    id: str
    info: Info
    defaultContentType: str  # noqa: N815
    servers: dict[Key, Server]
    channels: dict[Key, Channel]
    operations: dict[Key, Operation]
    components: Components


def assert_well_formed(document: dict[str, Any]) -> None:
    """Fail where the document is not AsyncAPI 3.0, or a reference leads nowhere or astray."""
    form = Document.model_validate(document)
    for reference in references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert isinstance(place, dict), reference
            assert step in place, reference
            place = place[step]
    for name, channel in form.channels.items():
        for key, message in channel.messages.items():
            assert message.ref == f"#/components/messages/{key}", name
    for name, operation in form.operations.items():
        prefix = "#/channels/"
        assert operation.channel.ref.startswith(prefix), name
        assert "/" not in operation.channel.ref.removeprefix(prefix), name
        for message in operation.messages:
            assert message.ref.startswith(f"{operation.channel.ref}/messages/"), name
    for schema in form.components.schemas.values():
        assert_draft_7(schema)
    for message_form in form.components.messages.values():
        assert_draft_7(message_form.payload)


def assert_draft_7(schema: dict[str, Any]) -> None:
    """Fail for a schema that draft 7, which AsyncAPI speaks by default, reads otherwise than we."""
    Draft7Validator.check_schema(schema)
    later = {"prefixItems", "dependentRequired", "unevaluatedProperties", "$dynamicRef"}
    assert not later & set(keys(schema))


def references(node: Any) -> Iterator[str]:
    """Return every `$ref` below."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def keys(node: Any) -> Iterator[str]:
    """Return every key below."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield name
            yield from keys(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys(value)

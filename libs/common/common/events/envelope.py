"""What travels around a message: identity, flow, owner and trace.

The envelope is the JSON body of every delivery; transports repeat a few of its fields as headers.
"""

import json
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.events.base import Message
from common.events.catalogue import message_class

FAULTS_TOLD = 3
"""A book of a thousand positions may have as many faults."""


class Unparseable(Exception):
    """A delivery no retry can mend: not JSON, no envelope, an unknown name, a broken payload."""


class Envelope(BaseModel):
    """One message and its circumstances."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True
    )

    id: UUID = Field(default_factory=uuid4)
    name: str
    version: int = 1
    occurred_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    producer: str = "unknown"
    run_id: UUID | None = None
    """The flow this message belongs to."""
    causation_id: UUID | None = None
    """The message that led to this one."""
    user_id: UUID | None = None
    """Whose data it is; none when it is nobody's in particular."""
    traceparent: str | None = None
    payload: dict[str, Any]

    @property
    def routing_key(self) -> str:
        """Return `name.v<version>`."""
        return f"{self.name}.v{self.version}"

    @classmethod
    def of(
        cls,
        message: Message,
        *,
        producer: str,
        occurred_at: datetime | None = None,
        run_id: UUID | None = None,
        causation_id: UUID | None = None,
        user_id: UUID | None = None,
        traceparent: str | None = None,
    ) -> Self:
        """Wrap a message in a new envelope with an id of its own."""
        return cls(
            name=message.NAME,
            version=message.VERSION,
            occurred_at=occurred_at or datetime.now(UTC),
            producer=producer,
            run_id=run_id,
            causation_id=causation_id,
            user_id=user_id,
            traceparent=traceparent,
            payload=message.model_dump(mode="json"),
        )

    def message(self) -> Message:
        """Return the typed message inside; `Unparseable` names what is wrong with it."""
        contract = message_class(self.routing_key)
        if contract is None:
            raise Unparseable(f"no contract is called {self.routing_key}")
        try:
            return contract.model_validate(self.payload)
        except ValidationError as error:
            raise Unparseable(f"{self.routing_key}: {_faults(error)}") from error

    def to_bytes(self) -> bytes:
        """Return the JSON body that goes over the wire."""
        return self.model_dump_json().encode()

    @classmethod
    def from_bytes(cls, body: bytes, routing_key: str) -> Self:
        """Read a delivery.

        A command may be published by hand as its bare payload: then the routing key says what it
        is and it gets an id here. A repeat of such a delivery is a new message with another id;
        that is harmless because a job joins the open run of its scope, unless it was sent with
        `force`: then a repeat opens another run, which calculates the same again.
        """
        try:
            document = json.loads(body)
        except (UnicodeDecodeError, ValueError) as error:
            raise Unparseable(f"the body is not JSON: {error}") from error
        except RecursionError as error:
            raise Unparseable("the body is nested too deeply to be read") from error
        if not isinstance(document, dict):
            raise Unparseable(f"the body is a JSON {type(document).__name__}, not an object")
        if "payload" not in document:
            name, _, version = routing_key.rpartition(".v")
            document = {"name": name, "version": version, "payload": document}
        try:
            envelope = cls.model_validate(document)
        except ValidationError as error:
            raise Unparseable(f"the envelope is broken: {_faults(error)}") from error
        return envelope


def _faults(error: ValidationError) -> str:
    """Return which fields are wrong and how, on one line and without what was in them."""
    faults = [
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    ]
    more = f"; and {len(faults) - FAULTS_TOLD} more" if len(faults) > FAULTS_TOLD else ""
    return "; ".join(faults[:FAULTS_TOLD]) + more

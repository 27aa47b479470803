"""Envelopes, deliveries and dead letters as AMQP messages, and back.

A message that moves to a rung or to the dead letters is a new message to the broker, so what must
not be forgotten on the way (its routing key, its attempts, its cause) travels in headers.
"""

import time
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID, uuid4

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage, HeadersType

from common.bus import HEAD_BYTES, DeadLetter
from common.bus.delivery import Delivery, Failure
from common.bus.rabbitmq.layout import DELIVERY_LIMIT
from common.events.envelope import Envelope

CARRIED = ("id", "traceparent", "producer")
"""Headers of the original that every copy keeps."""
LABEL = 255
"""Characters of the longest text that is carried. A hand may write anything, but a copy must always
be possible: its headers have to fit into one frame, and to be of kinds that can be written."""
MOST = 2**31
"""What a number in a header counts for at most."""
SKEW = 60.0
"""Seconds that another host's clock may be ahead of ours."""


def message_of(envelope: Envelope) -> Message:
    """Return the message that carries an envelope."""
    headers: HeadersType = {"id": str(envelope.id), "producer": envelope.producer}
    if envelope.traceparent is not None:
        headers["traceparent"] = envelope.traceparent
    return _message(envelope.to_bytes(), str(envelope.id), headers)


def delivery_of(message: AbstractIncomingMessage, queue: str, forgiven: int = 0) -> Delivery:
    """Return what was delivered; a return to the queue means that a worker fell silent.

    `forgiven`: how many of its returns came of a connection that was lost, by us who live.
    """
    # The broker counts returns of this copy; what earlier copies had travels in a header.
    unanswered = _number(message, "unanswered") + max(returns(message) - forgiven, 0)
    return Delivery(
        queue=queue,
        routing_key=_routing_key(message),
        body=message.body,
        attempts=_number(message, "attempts") + unanswered + 1,
        unanswered=unanswered,
    )


def returns(message: AbstractIncomingMessage) -> int:
    """Return how often the broker has had this copy back from a consumer that did not answer."""
    # At the first delivery the broker writes no count: then this is a hand's.
    return _number(message, "x-delivery-count") if message.redelivered else 0


def name_of(message: AbstractIncomingMessage) -> str | None:
    """Return what a message and all its copies are called, if anything."""
    return _label(message, "id") or message.message_id


def published_at(message: AbstractIncomingMessage) -> float:
    """Return when it came to its queue or rung, in seconds since the epoch.

    0 if nobody knows: a hand writes no time, or one that is not seconds.
    """
    written = message.timestamp.timestamp() if message.timestamp else 0.0
    return written if written < time.time() + SKEW else 0.0


def repeat_of(message: AbstractIncomingMessage, failure: Failure) -> Message:
    """Return the copy that waits on a rung for the next attempt."""
    return _copy(message, {"attempts": failure.attempts, "reason": failure.reason})


def handed_back(message: AbstractIncomingMessage, unanswered: int) -> Message:
    """Return the copy that goes back to the queue although nobody has tried it to the end."""
    kept = {"attempts": _number(message, "attempts"), "unanswered": min(unanswered, MOST)}
    return _copy(message, {**kept})


def buried(message: AbstractIncomingMessage, failure: Failure) -> Message:
    """Return the copy that goes to the dead letters."""
    return _copy(
        message,
        {
            "letter-id": str(uuid4()),
            "attempts": failure.attempts,
            "reason": failure.reason,
            "stack": failure.stack,
            "died-at": datetime.now(UTC).isoformat(),
        },
    )


def redriven(message: AbstractIncomingMessage) -> Message:
    """Return the copy that goes back to the queue, as new."""
    return _copy(message, {})


def letter_id(message: AbstractIncomingMessage) -> str:
    """Return what names a dead letter within its queue."""
    given = _label(message, "letter-id") or message.message_id
    return given or sha256(message.body).hexdigest()


def dead_letter_of(
    message: AbstractIncomingMessage, queue: str, *, head: bool = False
) -> DeadLetter:
    """Return the dead letter that a message of the dead letter queue is, or only its head."""
    died_at = _text(message, "died-at")
    if died_at is None:  # the broker buried it: every worker died before it could count
        reason = f"WorkerDied: the broker gave up after {DELIVERY_LIMIT} returns"
        attempts = _number(message, "attempts") + DELIVERY_LIMIT + 1
    else:
        reason, attempts = _text(message, "reason") or "", _number(message, "attempts")
    return DeadLetter(
        id=letter_id(message),
        queue=queue,
        routing_key=_routing_key(message),
        body=message.body[:HEAD_BYTES] if head else message.body,
        size=len(message.body),
        message_id=_uuid(_label(message, "id")),
        reason=reason,
        stack="" if head else _text(message, "stack") or "",
        attempts=attempts,
        traceparent=_label(message, "traceparent"),
        died_at=_died_at(message, died_at),
    )


def _copy(message: AbstractIncomingMessage, headers: HeadersType) -> Message:
    carried = {name: _label(message, name) for name in CARRIED}
    present = {name: text for name, text in carried.items() if text is not None}
    kept: HeadersType = {**present, "routing-key": _routing_key(message), **headers}
    return _message(message.body, message.message_id, kept)


def _message(body: bytes, message_id: str | None, headers: HeadersType) -> Message:
    return Message(
        body,
        headers=headers,
        message_id=message_id,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        timestamp=datetime.now(UTC),
    )


def _routing_key(message: AbstractIncomingMessage) -> str:
    given = _label(message, "routing-key") or _first_routing_key(message)
    return given or message.routing_key or ""


def _first_routing_key(message: AbstractIncomingMessage) -> str | None:
    # A message that the broker itself buried has its key only in the broker's own notes.
    match message.headers.get("x-death"):
        case [*_, {"routing-keys": [str() as key, *_]}]:
            return key
        case _:
            return None


def _died_at(message: AbstractIncomingMessage, written: str | None) -> datetime:
    found = _time(written)
    if found is None:
        match message.headers.get("x-death"):
            case [{"time": datetime() as time}, *_]:
                found = time
            case _:
                found = message.timestamp or datetime.now(UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:  # a hand may write anything
        return None


def _text(message: AbstractIncomingMessage, header: str) -> str | None:
    value = message.headers.get(header)
    return value if isinstance(value, str) else None


def _label(message: AbstractIncomingMessage, header: str) -> str | None:
    text = _text(message, header)
    return text if text is not None and len(text) <= LABEL else None


def _number(message: AbstractIncomingMessage, header: str) -> int:
    # A hand may write anything: below 0 it would add to the attempts that a message gets, and one
    # more than the largest could not be written any more.
    value = message.headers.get(header)
    return min(max(value, 0), MOST) if isinstance(value, int) else 0


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:  # a hand may write anything
        return None

"""One interface to move envelopes; two transports keep it: `rabbitmq` and `postgres`.

Delivery is at least once. A handler that returns has taken the message; one that raises
`errors.Unavailable` sees it again down the whole ladder, any other error gets a few attempts, and
then the message becomes a dead letter with its cause. A body that cannot be read becomes a dead
letter at once. Nothing here knows what an event means.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from common.events.envelope import Envelope
from common.retry import Retry

__all__ = [
    "HEAD_BYTES",
    "Backlog",
    "Bus",
    "DeadLetter",
    "FailureListener",
    "Handler",
    "Retry",
    "Subscription",
    "Where",
    "nobody",
]

HEAD_BYTES = 2_048
"""How much of a body a head keeps: an envelope's fields are in it, they come before its payload."""

Handler = Callable[[Envelope], Awaitable[None]]
"""Takes one message; returning is the acknowledgement."""

FailureListener = Callable[[str, float | None], None]
"""Is told the routing key of a message that was not taken, and the seconds until it is tried again;
None when it becomes a dead letter."""


def nobody(_routing_key: str, _pause: float | None) -> None:
    """Listen to no failure."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up, with what a person needs to decide about it."""

    id: str
    """Names the letter within its queue, for `redrive` and `discard`."""
    queue: str
    routing_key: str
    body: bytes
    size: int
    """Bytes of the whole body; more than `body` holds when this is only a head."""
    message_id: UUID | None
    reason: str
    """One line: the error's type and sentence."""
    stack: str
    attempts: int
    traceparent: str | None
    died_at: datetime


Where = Callable[[DeadLetter], bool]
"""Chooses letters by their heads."""


@dataclass(frozen=True)
class Backlog:
    """How far behind the consumers of a queue are."""

    depth: int
    """Messages that wait, are in hand or on the ladder: `Bus.depth`."""
    age: float
    """Seconds that the message first in line has waited for a consumer; 0 when none waits.

    Exact on Postgres. AMQP does not tell of a queue's head, so on RabbitMQ it is the least upper
    bound that this process knows: nothing in a queue is older than the last moment at which it was
    seen empty, or than a message that was taken from it. What is in hand or on the ladder does not
    wait for a consumer.
    """
    dead_letters: int


class Subscription(Protocol):
    """A running consumer of one queue."""

    @property
    def healthy(self) -> bool:
        """Whether messages are being taken; False while the transport is reconnecting."""
        ...

    async def close(self) -> None:
        """Stop taking messages, let those in hand finish, hand back the rest."""
        ...


class Bus(Protocol):
    """A transport."""

    async def declare(self) -> None:
        """Make every exchange, queue and binding of the topology; harmless when repeated."""
        ...

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return when all are durably accepted for every queue that wants them.

        Raises `errors.Unavailable` when that could not be confirmed; some may have been accepted.
        """
        ...

    async def subscribe(
        self,
        queue: str,
        handler: Handler,
        *,
        retry: Retry | None = None,
        concurrency: int = 8,
        on_failure: FailureListener = nobody,
    ) -> Subscription:
        """Give each message of a queue to `handler`, at most `concurrency` at a time."""
        ...

    async def dead_letters(
        self, queue: str, *, limit: int = 100, heads: bool = False
    ) -> list[DeadLetter]:
        """Return the oldest dead letters of a queue; they stay where they are.

        With `heads` each comes without its stack and with no more than the first `HEAD_BYTES` of
        its body.
        """
        ...

    async def dead_letter(self, queue: str, letter_id: str) -> DeadLetter | None:
        """Return one dead letter of a queue, or None when it has none of this id."""
        ...

    async def dead_letter_count(self, queue: str) -> int:
        """Return how many dead letters a queue has."""
        ...

    async def redrive(
        self, queue: str, ids: Sequence[str] | None = None, *, where: Where | None = None
    ) -> int:
        """Give dead letters back to their queue as new; return how many.

        Those named, those that `where` chooses among the ones there now, or all. A letter that two
        ask for at once is moved once.
        """
        ...

    async def discard(
        self, queue: str, ids: Sequence[str] | None = None, *, where: Where | None = None
    ) -> int:
        """Delete dead letters, chosen as for `redrive`; return how many."""
        ...

    async def depth(self, queue: str) -> int:
        """Return how many messages wait for a queue or are in hand or on its ladder."""
        ...

    async def backlog(self, queue: str) -> Backlog:
        """Return how far behind a queue's consumers are."""
        ...

    async def health(self) -> None:
        """Return when the transport answers; raise `errors.Unavailable` when it does not."""
        ...

    async def close(self) -> None:
        """Close every subscription and connection."""
        ...

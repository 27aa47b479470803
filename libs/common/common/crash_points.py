"""Places where a process may die, by name, so that tests can kill it at each of them in turn.

A transaction commits, a message is published, confirmed or acknowledged: between any two of these a
process can end, and whatever it has promised must hold after its restart (`docs/invariants.md`).
In production nobody listens and a crash point is one comparison; only a test's launcher arms them,
so no setting can make a process end.
"""

from collections.abc import Callable
from typing import Literal, get_args

CrashPoint = Literal[
    "unit.before_commit",  # everything of a transaction is written, nothing holds yet
    "unit.after_commit",  # it holds, and nobody has been told: no answer, no relay, no worker
    "outbox.before_publish",  # rows are locked, the bus has not seen them
    "outbox.confirmed",  # the bus has them, the rows are still there
    "message.before_publish",  # whoever publishes: the bus is about to be given a batch
    "message.confirmed",  # the bus has one of them (RabbitMQ) or all (Postgres)
    "delivery.received",  # a message is in hand, its handler has not begun
    "delivery.before_ack",  # the outcome is known here, the bus does not know it
    "delivery.acked",  # the bus knows
    "delivery.moved",  # its copy (a rung, the dead letters) is confirmed, it is still there
    "delivery.handed_back",  # stopping: what is unfinished goes to another consumer
    "letter.redriven",  # the copy in the queue is confirmed, the dead letter is still there
    "work.claimed",  # a row is leased, nothing is done
    "work.before_finish",  # computed outside any transaction, nothing is written
    "bootstrap.before_commit",  # roles and schemas are made, nothing holds yet
    "bootstrap.after_commit",  # they are there, and empty
    "migration.before_commit",  # a schema is at its new revision, nothing holds yet
    "migration.after_commit",  # it holds, and other schemas are behind
    "topology.half_declared",  # some queues stand, others do not
]

CRASH_POINTS: tuple[CrashPoint, ...] = get_args(CrashPoint)

Listener = Callable[[CrashPoint, str], None]
"""Is told which point was reached, and in whose hands: a service's or a queue's name."""

_listener: Listener | None = None


def crash_point(name: CrashPoint, place: str) -> None:
    """Say that this place is reached."""
    if _listener is not None:
        _listener(name, place)


def arm(listener: Listener | None) -> None:
    """Tell `listener` from now on; None disarms."""
    global _listener  # noqa: PLW0603 - a hook of the process, by its nature
    _listener = listener

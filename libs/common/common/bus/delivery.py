"""What both transports decide alike about one delivery: taken, to be tried again, or given up."""

import asyncio
from dataclasses import dataclass

import structlog

from common.bus import Handler
from common.errors import DatabaseAway
from common.events.envelope import Envelope, Unparseable
from common.failures import reason_and_stack
from common.retry import Retry

log = structlog.get_logger()


@dataclass(frozen=True)
class Delivery:
    """One message on its way to one queue's handler."""

    queue: str
    routing_key: str
    body: bytes
    attempts: int
    """The number of this attempt, from 1, those counted whose worker died."""
    unanswered: int = 0
    """How many attempts just before this one ended without a word, because their worker died.

    A lost connection of a worker that lives is none of them.
    """


@dataclass(frozen=True)
class Failure:
    """Why a message was not taken, and what happens to it now."""

    reason: str
    stack: str
    attempts: int
    """How many have failed, this one included; what its workers died of is not among them, unless
    that is why it is given up."""
    pause: float | None
    """Seconds until the next attempt; None makes it a dead letter."""


async def attempt(delivery: Delivery, handler: Handler, retry: Retry) -> Failure | None:
    """Give a delivery to its handler and return None when it was taken, else what is to be done.

    A cancellation from outside passes through: such a delivery is handed back, it has not failed.
    """
    if delivery.unanswered >= retry.deaths:
        failure = _worker_died(delivery)
    else:
        error = await _error_of(delivery, handler)
        if error is None:
            return None
        failure = _failure(delivery, error, retry)
    log.warning(
        "message_failed",
        queue=delivery.queue,
        routing_key=delivery.routing_key,
        attempts=failure.attempts,
        reason=failure.reason,
        next_attempt_in=failure.pause,
        dead=failure.pause is None,
    )
    return failure


async def _error_of(delivery: Delivery, handler: Handler) -> BaseException | None:
    try:
        await handler(Envelope.from_bytes(delivery.body, delivery.routing_key))
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return error  # the handler's own: nobody asked this task to stop
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the message's outcome
        return error
    return None


def _failure(delivery: Delivery, error: BaseException, retry: Retry) -> Failure:
    reason, stack = reason_and_stack(error)
    # A connection lost beside it, four times in a row, is no reason to bury it at its first error.
    attempts = delivery.attempts - delivery.unanswered
    pause = retry.pause(error, attempts)
    if isinstance(error, Unparseable):
        pause = None
    elif isinstance(error, DatabaseAway):
        # That no transaction can begin says nothing about the message.
        attempts, pause = attempts - 1, retry.ladder[0]
    return Failure(reason, stack, attempts, pause)


def _worker_died(delivery: Delivery) -> Failure:
    return Failure(
        reason=f"WorkerDied: {delivery.unanswered} attempts in a row ended without an answer",
        stack="",
        attempts=delivery.attempts - 1,
        pause=None,
    )

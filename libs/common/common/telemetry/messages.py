"""What is shown of messages: leaving through the relay, and arriving at a handler."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from common.clock import Clock, seconds_between
from common.errors import Unavailable
from common.events.envelope import Envelope
from common.metrics import Metric, Metrics, message_label
from common.telemetry.spans import Attributes, Tracer

if TYPE_CHECKING:
    from common.telemetry import Telemetry

Outcome = Literal["done", "repeat", "unavailable", "failed", "handed_back"]
"""How a handling ended; `handed_back` was not finished when the process had to stop."""


@contextmanager
def publishing(tracer: Tracer, envelopes: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
    """Lend the messages as they leave: each says that it comes from its own publication."""
    if not tracer.recording:
        yield envelopes
        return
    spans = [
        tracer.begin(
            f"publish {envelope.routing_key}", envelope.traceparent, "producer", _told(envelope)
        )
        for envelope in envelopes
    ]
    try:
        yield [
            envelope.model_copy(update={"traceparent": span.traceparent})
            for envelope, span in zip(envelopes, spans, strict=True)
        ]
    except Exception as error:
        for span in spans:
            span.fail(f"{type(error).__name__}: {error}")
        raise
    finally:
        for span in spans:
            span.end()


@contextmanager
def handling(
    telemetry: "Telemetry", clock: Clock, service: str, envelope: Envelope
) -> Iterator[Callable[[Outcome], None]]:
    """Show a message's handling as a part of its trace, and measure it; tell it the outcome."""
    label = message_label(envelope.routing_key)
    started = time.perf_counter()
    outcome: Outcome = "failed"

    def note(ended: Outcome) -> None:
        nonlocal outcome
        outcome = ended
        span.note({"sigmasight.outcome": ended})

    try:
        with telemetry.tracer.span(
            f"handle {envelope.routing_key}",
            envelope.traceparent,
            "consumer",
            _told(envelope),
            service=service,
            run_id=envelope.run_id,
            user_id=envelope.user_id,
            message=envelope.routing_key,
        ) as span:
            yield note
    except Unavailable:
        outcome = "unavailable"
        raise
    except asyncio.CancelledError:
        outcome = "handed_back"
        raise
    finally:
        telemetry.metrics.observe(
            Metric.HANDLER_SECONDS,
            time.perf_counter() - started,
            message=label,
            outcome=outcome,
        )
    if outcome == "done":
        age = seconds_between(envelope.occurred_at, clock())
        telemetry.metrics.observe(Metric.CRITICAL_SECONDS, age, effect=label)


def counting_failures(metrics: Metrics) -> Callable[[str, float | None], None]:
    """Return what counts a message that was not taken: to be tried again, or a dead letter."""

    def count(routing_key: str, pause: float | None) -> None:
        metric = Metric.MESSAGES_DEAD_TOTAL if pause is None else Metric.MESSAGE_RETRIES_TOTAL
        metrics.count(metric, message=message_label(routing_key))

    return count


def _told(envelope: Envelope) -> Attributes:
    known = {
        "messaging.destination.name": envelope.routing_key,
        "messaging.message.id": str(envelope.id),
        "sigmasight.run_id": envelope.run_id and str(envelope.run_id),
    }
    return {name: value for name, value in known.items() if value}

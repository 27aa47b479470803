"""What is shown of work: each attempt at a row."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from common.clock import Clock, seconds_between
from common.metrics import Metric

if TYPE_CHECKING:
    from common.telemetry import Telemetry
    from common.work import Work

Outcome = Literal["done", "retried", "given_up", "handed_back", "died", "split", "lost"]
"""How an attempt ended. `died`: the process it was given to did. `split`: pieces took its place.
`lost`: another worker holds the row by now, or it stays as it is."""

Note = Callable[[Outcome, str], None]
"""Is told how an attempt ended, and why when it failed."""


@contextmanager
def working(telemetry: "Telemetry", clock: Clock, work: "Work") -> Iterator[Note]:
    """Show an attempt at a row as a part of its trace, and measure it; tell it the outcome."""
    cause, started = work.cause, time.perf_counter()
    outcome: Outcome = "handed_back"

    def note(ended: Outcome, reason: str = "") -> None:
        nonlocal outcome
        outcome = ended
        span.note({"sigmasight.outcome": ended})
        if reason:
            span.fail(reason)

    try:
        with telemetry.tracer.span(
            f"work {work.kind}",
            cause.traceparent,
            attributes={
                "sigmasight.work_id": str(work.id),
                "sigmasight.attempts": work.attempts,
            },
            run_id=cause.run_id,
            user_id=cause.user_id,
            work=work.kind,
        ) as span:
            yield note
    finally:
        seconds = time.perf_counter() - started
        telemetry.metrics.observe(Metric.WORK_SECONDS, seconds, kind=work.kind, outcome=outcome)
    if outcome == "done" and cause.occurred_at is not None:
        age = seconds_between(cause.occurred_at, clock())
        telemetry.metrics.observe(Metric.CRITICAL_SECONDS, age, effect=work.kind)

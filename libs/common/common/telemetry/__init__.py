"""What a service shows of itself: log lines, spans and metrics, joined by the ids they carry."""

from dataclasses import dataclass

from common.metrics import Metrics
from common.telemetry.logs import LogFormat, configure_logging
from common.telemetry.messages import counting_failures, handling, publishing
from common.telemetry.spans import (
    Recorder,
    Span,
    Tracer,
    about,
    current_traceparent,
    past_step,
    step,
)
from common.telemetry.trace_context import child_of, new_traceparent, trace_id
from common.telemetry.work import working

__all__ = [
    "LogFormat",
    "Recorder",
    "Span",
    "Telemetry",
    "Tracer",
    "about",
    "child_of",
    "configure_logging",
    "counting_failures",
    "current_traceparent",
    "handling",
    "new_traceparent",
    "past_step",
    "publishing",
    "step",
    "trace_id",
    "working",
]


@dataclass(frozen=True)
class Telemetry:
    """One service's metrics and spans."""

    metrics: Metrics
    tracer: Tracer

    @classmethod
    def of(cls, service: str, recorder: Recorder | None = None) -> "Telemetry":
        """Return a service's own; its spans are recorded when there is something that does."""
        return cls(Metrics(service), Tracer(recorder))

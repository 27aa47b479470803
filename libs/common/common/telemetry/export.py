"""Recorded spans, sent to an OpenTelemetry collector over OTLP/HTTP in the background.

Imported only when an endpoint is set: that costs a start 0.1 s of CPU and 4 MiB. A collector that
is away, slow or gone costs traces, nothing else: spans wait in a bounded queue that a thread
empties, and the oldest are dropped when it is full.
"""

import logging
import threading
from collections.abc import Sequence

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as Recording
from opentelemetry.trace import Tracer as Recordings

from common.telemetry.spans import Attributes, Kind, Recorder, Span
from common.telemetry.trace_context import parse

ANSWER_SECONDS = 5.0
"""What a collector gets to take a batch, all attempts together."""
FLUSH_SECONDS = 3.0
"""What a process that ends spends on spans it still has."""
SPANS_AT_ONCE = 128
"""Of one batch; encoding more would hold up the event loop by holding the interpreter's lock."""

_KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}

log = structlog.get_logger()


class Exporter:
    """One process's way to a collector, shared by the services in it."""

    def __init__(self, endpoint: str) -> None:
        # Its own lines repeat with every attempt; ours say when the collector goes and comes back.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._sender = _Sender(f"{endpoint.rstrip('/')}/v1/traces", timeout=ANSWER_SECONDS)
        self._processor = BatchSpanProcessor(self._sender, max_export_batch_size=SPANS_AT_ONCE)

    def recorder(self, service: str) -> Recorder:
        """Return what records a service's spans under its name."""
        resource = Resource.create({"service.name": service, "service.namespace": "sigmasight"})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        return _Recorder(provider.get_tracer("sigmasight"))

    def close(self) -> None:
        """Send what is left, for a few seconds at most; the rest is dropped."""
        # A daemon, since the processor itself would wait for half a minute.
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        ending.join(FLUSH_SECONDS)
        if ending.is_alive():
            log.warning("traces_dropped_at_the_end")
            self._sender.shutdown()  # type: ignore[no-untyped-call]


class _Sender(OTLPSpanExporter):
    """Says once that the collector went, and once that it came back."""

    _lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                log.warning("traces_not_taken", endpoint=self._endpoint)
            self._lost += len(spans)
        elif self._lost:
            log.info("traces_taken_again", endpoint=self._endpoint, spans_lost=self._lost)
            self._lost = 0
        return result


class _Recorder:
    """Keeps `common.telemetry.spans.Recorder`."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings

    def start(
        self, name: str, parent: str | None, kind: Kind, attributes: Attributes, at: int | None
    ) -> Span:
        return _Recorded(
            self._recordings.start_span(
                name,
                context=_context(parent),
                kind=_KINDS[kind],
                attributes=dict(attributes),
                start_time=at,
            )
        )


class _Recorded:
    """Keeps `common.telemetry.spans.Span`."""

    __slots__ = ("_recording", "traceparent")

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        context = recording.get_span_context()
        self.traceparent = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        )

    def rename(self, name: str) -> None:
        self._recording.update_name(name)

    def note(self, attributes: Attributes) -> None:
        self._recording.set_attributes(dict(attributes))

    def fail(self, reason: str) -> None:
        self._recording.set_status(Status(StatusCode.ERROR, reason))

    def end(self, at: int | None = None) -> None:
        self._recording.end(at)


def _context(traceparent: str | None) -> Context:
    parts = parse(traceparent)
    if parts is None:
        return Context()
    known = SpanContext(
        trace_id=int(parts[0], 16),
        span_id=int(parts[1], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(parts[2], 16)),
    )
    return set_span_in_context(NonRecordingSpan(known), Context())

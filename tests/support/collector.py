"""An OpenTelemetry collector's stand-in: takes spans as protobuf over HTTP and keeps them."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True)
class Received:
    """A span as it came over the wire."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    failed: bool
    attributes: dict[str, Any] = field(hash=False)

    @property
    def milliseconds(self) -> float:
        return (self.ended - self.began) / 1e6


@dataclass
class Collector:
    """What was received so far. `status` is what it answers; `silent` keeps it from answering."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)
    requests: int = 0
    status: int = 200
    silent: threading.Event = field(default_factory=threading.Event)

    def trace(self, trace_id: str) -> list[Received]:
        return [span for span in list(self.spans) if span.trace_id == trace_id]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector on a free loopback port until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.requests += 1
            if collector.silent.is_set():
                self.close_connection = True
                release.wait(30)
                return
            if collector.status == 200:
                assert self.path == "/v1/traces"
                assert self.headers["Content-Type"] == "application/x-protobuf"
                collector.spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(collector.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    release = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield collector
    finally:
        release.set()
        server.shutdown()
        thread.join()
        server.server_close()


def tree(spans: Sequence[Received]) -> str:
    """Return the spans of a trace as an indented tree, in the order in which they began."""
    known = {span.span_id for span in spans}
    children: dict[str, list[Received]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.began):
        children[span.parent_id if span.parent_id in known else ""].append(span)
    first = min(span.began for span in spans)
    lines: list[str] = []

    def write(span: Received, depth: int) -> None:
        what = f"{'  ' * depth}{span.name}"
        lines.append(
            f"{(span.began - first) / 1e6:8.1f} ms {span.milliseconds:7.1f} ms  "
            f"{span.service:<12} {span.kind:<9} {what}{'  FAILED' if span.failed else ''}"
        )
        for child in children[span.span_id]:
            write(child, depth + 1)

    for root in children[""]:
        write(root, 0)
    return "\n".join(lines)


def _spans(request: ExportTraceServiceRequest) -> Iterator[Received]:
    for resource in request.resource_spans:
        of_resource = _attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Received(
                    service=of_resource["service.name"],
                    name=span.name,
                    kind=KINDS[span.kind],
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    began=span.start_time_unix_nano,
                    ended=span.end_time_unix_nano,
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    attributes=_attributes(span.attributes),
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}

"""Every Prometheus metric of the system, in one table, and a service's instruments for them.

A metric's name on `/metrics` is `sigmasight_` and the member's name in small letters. Dashboards
and alerts (`deploy/grafana`, `deploy/prometheus`) are checked against this table, `docs/metrics.md`
is generated from it. Labels are bounded: routes, contracts, kinds of work and outcomes, never ids,
nor anything a client may invent.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from common.events.catalogue import message_class

__all__ = ["CONTENT_TYPE_LATEST", "Metric", "Metrics", "Spec", "message_label"]

Kind = Literal["counter", "gauge", "histogram"]

# A series more per histogram and label, for a time that Prometheus knows by itself.
disable_created_metrics()  # type: ignore[no-untyped-call]

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds of what somebody waits for."""
_LONG = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds of what may lie through an outage and climb the ladder."""
_LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_COUNT = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)


@dataclass(frozen=True)
class Spec:
    """What a metric is: its kind, its meaning, its labels beside `service`."""

    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    owner: str | None = None
    """The one service that has it; None when all have."""


class Metric(Enum):
    """The metrics there are; every one also has the label `service`."""

    # What clients feel.
    HTTP_REQUEST_SECONDS = Spec(
        "histogram",
        "Time to the last byte of an answer; an event stream's is its life.",
        ("method", "route", "status"),
        _FAST,
    )
    SSE_STREAMS = Spec("gauge", "Event streams that are open at this replica.", owner="gateway")

    # Messages: from the transaction that says something to the one that is its effect.
    RELAY_SECONDS = Spec(
        "histogram",
        "From the beginning of a transaction to the bus's confirmation of what it announced.",
        buckets=_LONG,
    )
    OUTBOX_ROWS = Spec("gauge", "Messages in the outbox that the bus has not confirmed.")
    OUTBOX_AGE_SECONDS = Spec("gauge", "Age of the oldest of them: how far the relay is behind.")
    HANDLER_SECONDS = Spec(
        "histogram",
        "One handling of a message: `done`, a dropped `repeat`, `unavailable`, `failed`, "
        "`handed_back`.",
        ("message", "outcome"),
        _FAST,
    )
    CRITICAL_SECONDS = Spec(
        "histogram",
        "From an event to its effect: now, when the effect has committed, less `occurred_at`. The "
        "effect is a message's handling (its routing key) or work done because of one (its kind).",
        ("effect",),
        _LONG,
    )
    MESSAGE_RETRIES_TOTAL = Spec(
        "counter", "Failed attempts that are followed by another.", ("message",)
    )
    MESSAGES_DEAD_TOTAL = Spec("counter", "Messages that became dead letters.", ("message",))
    QUEUE_DEPTH = Spec("gauge", "Messages that wait, are in hand, or stand on the ladder.")
    QUEUE_AGE_SECONDS = Spec(
        "gauge",
        "How long the message first in line has waited for a consumer, at most (exactly on "
        "Postgres); 0 when none waits. What is in hand or on the ladder does not wait.",
    )
    QUEUE_DEAD_LETTERS = Spec("gauge", "Dead letters of the queue that wait for a decision.")

    # Work: longer than a handler may take.
    WORK_SECONDS = Spec(
        "histogram",
        "One attempt at a work row: `done`, `retried`, `given_up`, `handed_back`, `died` with its "
        "process, `split` into pieces, or `lost` to another worker.",
        ("kind", "outcome"),
        _LONG,
    )
    WORK_ROWS = Spec("gauge", "Work that is not done: due, held, or to be tried again later.")
    WORK_AGE_SECONDS = Spec(
        "gauge", "How long the oldest work that is due has waited for a worker."
    )
    WORK_IN_HAND_SECONDS = Spec(
        "gauge",
        "How long this replica has had the oldest work in its hands, waiting included; 0 when it "
        "has none. Only where work is done.",
    )
    WORK_DEAD_LETTERS = Spec("gauge", "Work that was given up and waits for a decision.")

    # The process.
    READY = Spec("gauge", "1 while a check of `/health/ready` passes, 0 while not.", ("check",))
    EVENT_LOOP_LAG_SECONDS = Spec(
        "histogram",
        "How much later than asked the event loop woke up. Services of one process share the loop.",
        buckets=_LAG,
    )

    # What only one service does.
    PROVIDER_SECONDS = Spec(
        "histogram",
        "One request to a provider of market data.",
        ("provider", "operation", "outcome"),
        _FAST,
        "marketdata",
    )
    PROVIDER_SYMBOLS_TOTAL = Spec(
        "counter",
        "Symbols asked of a provider: `ok`, `unknown` (it has nothing), `unavailable`, `failed`.",
        ("provider", "operation", "outcome"),
        owner="marketdata",
    )
    CALCULATION_SECONDS = Spec(
        "histogram",
        "An engine's computation of a chunk in a process of the pool.",
        ("engine",),
        _FAST,
        "risk-engine",
    )
    CHUNK_BOOKS = Spec(
        "histogram", "Books calculated together.", buckets=_COUNT, owner="risk-engine"
    )
    CONCLUSIONS_TOTAL = Spec(
        "counter",
        "Portfolios that ended as `calculated`, `failed` or `superseded`, or are `repeated`: their "
        "history changed meanwhile.",
        ("outcome",),
        owner="risk-engine",
    )

    @property
    def spec(self) -> Spec:
        """Return what the metric is."""
        value: Spec = self.value
        return value

    @property
    def exported(self) -> str:
        """Return the name on `/metrics`; a histogram's series add _bucket, _sum and _count."""
        return f"sigmasight_{self.name.lower()}"


def message_label(routing_key: str) -> str:
    """Return a message's label: its routing key, or `unknown`, as a hand may publish anything."""
    return routing_key if message_class(routing_key) is not None else "unknown"


class Metrics:
    """One service's instruments, on a registry of its own."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._counters: dict[Metric, Counter] = {}
        self._gauges: dict[Metric, Gauge] = {}
        self._histograms: dict[Metric, Histogram] = {}
        for metric in Metric:
            if metric.spec.owner in {None, service}:
                self._add(metric)

    def count(self, metric: Metric, amount: int = 1, **labels: str) -> None:
        """Count so many more."""
        self._counters[metric].labels(self._service, *_values(metric, labels)).inc(amount)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Note one value of a distribution."""
        self._histograms[metric].labels(self._service, *_values(metric, labels)).observe(value)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Say how it stands now; NaN when that is not known."""
        self._gauges[metric].labels(self._service, *_values(metric, labels)).set(value)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format (`CONTENT_TYPE_LATEST`)."""
        return generate_latest(self._registry)

    def _add(self, metric: Metric) -> None:
        spec, name, labels = metric.spec, metric.exported, ("service", *metric.spec.labels)
        match spec.kind:
            case "counter":
                self._counters[metric] = Counter(
                    name, spec.meaning, labels, registry=self._registry
                )
            case "gauge":
                self._gauges[metric] = Gauge(name, spec.meaning, labels, registry=self._registry)
            case "histogram":
                self._histograms[metric] = Histogram(
                    name, spec.meaning, labels, registry=self._registry, buckets=spec.buckets
                )


def _values(metric: Metric, labels: dict[str, str]) -> list[str]:
    if len(labels) != len(metric.spec.labels):
        raise ValueError(f"{metric.name} has the labels {metric.spec.labels}, not {tuple(labels)}")
    return [labels[name] for name in metric.spec.labels]

"""Spans: what is being done, and as a part of which trace.

Trace context is minted and carried always: the gateway begins a trace, HTTP clients, envelopes and
work rows carry it on, log lines name it. Spans are recorded only while something exports them
(`common.telemetry.export`); without it a span costs what its log fields cost.

Where something enters a service (a request, a message, a row of work) the service's own tracer
opens a span; whatever is done inside is a `step` of the same service, whoever wrote it.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Literal, NamedTuple, Protocol

import structlog

from common.telemetry.trace_context import child_of, trace_id

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | bool | int | float]


class Span(Protocol):
    """Something being done."""

    @property
    def traceparent(self) -> str:
        """Return what others are told who do a part of it."""
        ...

    def rename(self, name: str) -> None:
        """Give it the name that was not known at its beginning."""
        ...

    def note(self, attributes: Attributes) -> None:
        """Add what became known."""
        ...

    def fail(self, reason: str) -> None:
        """Mark it as failed."""
        ...

    def end(self, at: int | None = None) -> None:
        """End it, now or at a time in nanoseconds since the epoch."""
        ...


class Recorder(Protocol):
    """Records one service's spans."""

    def start(
        self, name: str, parent: str | None, kind: Kind, attributes: Attributes, at: int | None
    ) -> Span:
        """Begin a span in the parent's trace, or in a new one when there is none to join."""
        ...


class Unrecorded:
    """A span that nobody will look at: only its place in the trace."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def rename(self, name: str) -> None:
        """Do nothing."""

    def note(self, attributes: Attributes) -> None:
        """Do nothing."""

    def fail(self, reason: str) -> None:
        """Do nothing."""

    def end(self, at: int | None = None) -> None:
        """Do nothing."""


_NOWHERE = Unrecorded("")
_NONE: Attributes = {}


class Tracer:
    """Opens one service's spans."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self._recorder = recorder

    @property
    def recording(self) -> bool:
        """Whether spans are more than their place in the trace."""
        return self._recorder is not None

    def begin(
        self,
        name: str,
        parent: str | None,
        kind: Kind = "internal",
        attributes: Attributes = _NONE,
        *,
        at: int | None = None,
    ) -> Span:
        """Begin a span that whoever asked will end."""
        if self._recorder is None:
            return Unrecorded(child_of(parent))
        return self._recorder.start(name, parent, kind, attributes, at)

    @contextmanager
    def span(
        self,
        name: str,
        parent: str | None,
        kind: Kind = "internal",
        attributes: Attributes = _NONE,
        *,
        recorded: bool = True,
        **fields: object,
    ) -> Iterator[Span]:
        """Do something as a part of a trace; log lines inside carry its id and these fields."""
        opened = self.begin(name, parent, kind, attributes) if recorded else None
        span = opened or Unrecorded(child_of(parent))
        known = {field: str(value) for field, value in fields.items() if value is not None}
        tracer = self if recorded else Tracer()  # what is done inside is seen no more than this
        with (
            structlog.contextvars.bound_contextvars(trace_id=trace_id(span.traceparent), **known),
            _Entered(_Current(tracer, span)),
        ):
            yield span


class _Current(NamedTuple):
    tracer: Tracer
    span: Span


_current: ContextVar[_Current | None] = ContextVar("span", default=None)


def current_traceparent() -> str | None:
    """Return the context of what is being done now, or None outside any trace."""
    current = _current.get()
    return None if current is None else current.span.traceparent


def about(**ids: object) -> None:
    """Say whose data and which run this is about, once it is known: log lines and span tell."""
    known = {name: str(value) for name, value in ids.items() if value is not None}
    structlog.contextvars.bind_contextvars(**known)
    current = _current.get()
    if current is not None:
        current.span.note({f"sigmasight.{name}": value for name, value in known.items()})


@contextmanager
def step(name: str, kind: Kind = "internal", attributes: Attributes = _NONE) -> Iterator[Span]:
    """Do a part of what is being done now; outside any trace it is a part of nothing."""
    current = _current.get()
    if current is None or not current.tracer.recording:
        yield _NOWHERE if current is None else current.span
        return
    span = current.tracer.begin(name, current.span.traceparent, kind, attributes)
    with _Entered(_Current(current.tracer, span)):
        yield span


def past_step(name: str, began: int, ended: int, attributes: Attributes = _NONE) -> None:
    """Note a part that was done elsewhere, between two times in nanoseconds since the epoch."""
    current = _current.get()
    if current is not None and current.tracer.recording:
        parent = current.span.traceparent
        current.tracer.begin(name, parent, attributes=attributes, at=began).end(ended)


class _Entered:
    """What is current inside a block, and how it ends. A class: a generator costs twice as much."""

    __slots__ = ("_current", "_token")

    def __init__(self, current: _Current) -> None:
        self._current = current

    def __enter__(self) -> None:
        self._token = _current.set(self._current)

    def __exit__(
        self, _kind: object, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        span = self._current.span
        if isinstance(error, asyncio.CancelledError):
            span.note({"sigmasight.cancelled": True})
        elif isinstance(error, Exception):
            span.fail(f"{type(error).__name__}: {error}")
        span.end()

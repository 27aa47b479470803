"""Log lines that can be joined: every one carries trace, run, user and request ids when known.

Trace context is W3C's `traceparent` (Trace Context, level 1, section 3.2): the gateway mints it,
HTTP clients, envelopes and work rows carry it on.
"""

import logging
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import structlog
from structlog.typing import Processor

LogFormat = Literal["json", "console"]

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def configure_logging(level: str = "INFO", log_format: LogFormat = "console") -> None:
    """Send structlog's and the standard library's lines to stderr in one form."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    final: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if log_format == "json":
        final += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Plain: the pretty formatter prints local variables, and they may hold a password.
        plain = structlog.dev.plain_traceback
        final += [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
        ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=final)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Their lines per request or statement repeat what ours say.
    for noisy in ("uvicorn.access", "uvicorn.error", "httpx", "aio_pika", "aiormq", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Says of every refused connection what whoever asked for it says as well.
    logging.getLogger("aiormq.connection").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def new_traceparent() -> str:
    """Mint the context of a new trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def child_of(traceparent: str | None) -> str:
    """Return a new span's context in the same trace, or in a new one if there is none to join."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None or set(match[1]) == {"0"} or set(match[2]) == {"0"}:
        return new_traceparent()
    return f"00-{match[1]}-{secrets.token_hex(8)}-{match[3]}"


def trace_id(traceparent: str | None) -> str | None:
    """Return the 32 hexadecimal digits that name the trace, or None."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return match[1] if match else None


def current_traceparent() -> str | None:
    """Return the context of what is being done now, or None outside any trace."""
    return _current.get()


@contextmanager
def span(traceparent: str | None, **fields: object) -> Iterator[str]:
    """Do something as a part of a trace; log lines inside carry its id and these fields."""
    context = child_of(traceparent)
    token = _current.set(context)
    known = {name: str(value) for name, value in fields.items() if value is not None}
    try:
        with structlog.contextvars.bound_contextvars(trace_id=trace_id(context), **known):
            yield context
    finally:
        _current.reset(token)

"""What is kept of an error: a line that tells it, and its stack, as every store can hold them."""

from traceback import TracebackException

REASON_LIMIT = 500
STACK_LIMIT = 8_000
"""Characters that are kept of a cause: a letter is read by a person, and headers are not bodies."""


def reason_and_stack(error: BaseException) -> tuple[str, str]:
    """Return the error's type and sentence on one line, and the end of its stack."""
    trace = TracebackException.from_exception(error)
    reason = one_line(f"{type(error).__name__}: {trace}")
    return reason, storable("".join(trace.format()))[-STACK_LIMIT:]


def one_line(text: str) -> str:
    """Return a text without line breaks, as long as a reason may be."""
    return " ".join(storable(text).split())[:REASON_LIMIT]


def storable(text: str) -> str:
    """Return a text that Postgres and UTF-8 take: not everything that a Python string may hold."""
    return text.encode(errors="replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")

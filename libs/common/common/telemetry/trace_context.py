"""W3C Trace Context, level 1, section 3.2: which trace something belongs to, and as which span."""

import re
import secrets

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def new_traceparent() -> str:
    """Mint the context of a new trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def child_of(traceparent: str | None) -> str:
    """Return a new span's context in the same trace, or in a new one if there is none to join."""
    parts = parse(traceparent)
    if parts is None:
        return new_traceparent()
    return f"00-{parts[0]}-{secrets.token_hex(8)}-{parts[2]}"


def trace_id(traceparent: str | None) -> str | None:
    """Return the 32 hexadecimal digits that name the trace, or None."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return match[1] if match else None


def parse(traceparent: str | None) -> tuple[str, str, str] | None:
    """Return trace id, span id and flags in hexadecimal; None when there is no trace to join."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None or set(match[1]) == {"0"} or set(match[2]) == {"0"}:
        return None
    return match[1], match[2], match[3]

"""The gateway's rules: where a request may go, what of an event is shown, what was revoked."""

from gateway.domain.codes import Code

__all__ = ["Code"]

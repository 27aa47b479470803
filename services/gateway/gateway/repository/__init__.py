"""All SQL of the gateway, and what Postgres tells those who listen."""

from gateway.repository.log import READ_AT_ONCE, Position, Standing
from gateway.repository.signals import Signals
from gateway.repository.store import Store

__all__ = ["READ_AT_ONCE", "Position", "Signals", "Standing", "Store"]

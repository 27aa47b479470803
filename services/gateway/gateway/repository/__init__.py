"""All SQL of the gateway, and what Postgres tells those who listen."""

from gateway.repository.log import Position, Standing
from gateway.repository.signals import Signals
from gateway.repository.store import Store

__all__ = ["Position", "Signals", "Standing", "Store"]

"""Turn books and prices into arrays, and what quant makes of them into results. No I/O, no clock.

Everything here is a top-level function of picklable arguments: it runs in a spawned process pool.
The same inputs give the same bytes, whatever the order of positions and the company in the chunk.
"""

from risk_engine.engine.fingerprint import input_hash
from risk_engine.engine.payload import to_payload
from risk_engine.engine.statement import value_books
from risk_engine.engine.valuation import MODEL_VERSION

__all__ = ["MODEL_VERSION", "input_hash", "to_payload", "value_books"]

"""Marketdata's SQL, all of it: a store per subject, each over the open transaction.

`bar_rows` turns bars into Postgres's binary rows and back.
"""

from marketdata.repository.columns import Columns
from marketdata.repository.holdings import Holdings
from marketdata.repository.panels import Panels
from marketdata.repository.reads import Reads
from marketdata.repository.snapshots import Snapshots

__all__ = ["Columns", "Holdings", "Panels", "Reads", "Snapshots"]

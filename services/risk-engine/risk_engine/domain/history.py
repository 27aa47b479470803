"""What is stored of an account's past."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from risk_engine.domain.market import FloatArray


@dataclass(frozen=True, eq=False)
class History:
    """The sessions of an account that are stored at the book's revision, ascending.

    They are before or at the session that is calculated; `net_asset_value` is (sessions,).
    """

    sessions: tuple[date, ...]
    net_asset_value: FloatArray

    @classmethod
    def none(cls) -> "History":
        """Return the history of an account that has none yet."""
        return cls((), np.empty(0))

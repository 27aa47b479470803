"""What is stored of an account's past."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from risk_engine.domain.market import FloatArray


@dataclass(frozen=True, eq=False)
class History:
    """The sessions of an account that are stored at the book's revision, ascending.

    They are before the session that is calculated. `net_asset_value` and `daily_return`, a decimal
    since the session before, are (sessions,); NaN is not known. `option_prices` are what options
    were priced at per share, by session and contract: of whatever revision, as they are the
    market's, and of the sessions alone where they matter. `option_volatilities` likewise are what
    their own quotes implied, per year; of what had no usable quote there is none.
    """

    sessions: tuple[date, ...]
    net_asset_value: FloatArray
    daily_return: FloatArray = field(default_factory=lambda: np.empty(0))
    option_prices: Mapping[date, Mapping[str, float]] = field(default_factory=dict)
    option_volatilities: Mapping[date, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def none(cls) -> "History":
        """Return the history of an account that has none yet."""
        return cls((), np.empty(0))

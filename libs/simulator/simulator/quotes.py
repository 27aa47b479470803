"""What shares are bid and asked at a session's close."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from simulator.market import Market
from simulator.universe import load_universe

_TICK = 0.01
_HALF_SPREAD = 0.5e-4
"""Of the price, where a billion dollars change hands on an ordinary day."""
_TIGHTER = 0.45
"""The spread falls with this power of the dollars."""


class Quote(NamedTuple):
    """US dollars per share; the bid is below the ask, and the close is one of them or between."""

    bid: float
    ask: float


def closing_quotes(market: Market, symbols: Sequence[str], session: date) -> dict[str, Quote]:
    """Return the quotes of those symbols that traded on an exchange on a session."""
    universe = load_universe()
    bars = market.bars(symbols, session, session)
    if not bars.sessions:
        return {}
    securities = [universe.securities[symbol] for symbol in bars.symbols]
    dollars = np.array([security.price * security.volume for security in securities], np.float64)
    # Indices and funds at net asset value have no volume, and nobody bids for them.
    quoted = bars.traded[0] & (dollars > 0)
    close = np.where(quoted, bars.close[0], 1.0)
    share = _HALF_SPREAD * (1e9 / np.where(quoted, dollars, 1e9)) ** _TIGHTER
    half = np.maximum(close * np.minimum(share, 0.01), _TICK / 2)
    # The last trade was at the bid, at the ask or between: the price's own cents say where.
    between = np.rint(close / _TICK) % 11 / 10
    middle = close + (1 - 2 * between) * half
    bid = np.maximum(np.floor((middle - half) / _TICK + 1e-6) * _TICK, _TICK)
    ask = np.maximum(np.ceil((middle + half) / _TICK - 1e-6) * _TICK, bid + _TICK)
    return {
        symbol: Quote(round(float(bid[column]), 2), round(float(ask[column]), 2))
        for column, symbol in enumerate(bars.symbols)
        if quoted[column]
    }

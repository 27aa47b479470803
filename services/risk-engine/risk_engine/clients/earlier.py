"""What acted on shares before a panel began: for books that are older than it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from common import calendar
from common.options import Contract
from risk_engine.clients.columns import BARS, describe, histories_of
from risk_engine.domain import Prices
from risk_engine.quant.panel import MAX_PRICE_AGE

_IDLE = {"close": np.nan, "split_ratio": 1.0, "dividend": 0.0}
"""What is known of a share on a session of which nothing is said."""
_A_HOLIDAY_OR_TWO = timedelta(days=12)


@dataclass(frozen=True)
class Earlier:
    """What to ask of the time before a panel.

    Splits and dividends of `symbols` since a day, and the bars of `sessions`: the ones at which
    options may have been settled.
    """

    symbols: tuple[str, ...]
    since: date
    sessions: tuple[date, ...]


def earlier_than(prices: Prices, opened: Iterable[tuple[date, Iterable[str]]]) -> Earlier | None:
    """Say what is to be asked for books by opening session and symbols; None if none is as old."""
    old = [(opening, names) for opening, names in opened if opening < prices.first_session]
    if not old:
        return None
    since = min(opening for opening, _ in old)
    symbols = {symbol for _, names in old for symbol in names}
    contracts = [contract for symbol in symbols if (contract := Contract.parse(symbol))]
    sessions = {
        session
        for expiry in {one.expiry for one in contracts}
        if since <= expiry < prices.first_session
        for session in calendar.sessions(expiry - _A_HOLIDAY_OR_TWO, expiry)[-1 - MAX_PRICE_AGE :]
    }
    priced = tuple(symbol for symbol in sorted(symbols) if symbol in prices.columns)
    return Earlier(priced, since, tuple(sorted(sessions)))


def decode_earlier(content: bytes, asked: Earlier, prices: Prices) -> Prices:
    """Read an Arrow IPC stream as prices of the same symbols, at the sessions that say something.

    Raises:
        ValueError: a session is one of the panel's.
    """
    table = pa.ipc.open_stream(content).read_all()
    said: set[date] = set(table.column("session").to_pylist())
    sessions = tuple(sorted(said.union(asked.sessions)))
    if sessions and sessions[-1] >= prices.first_session:
        raise ValueError("what came before the panel is of its own sessions")
    cells = {
        name: np.full((len(sessions), len(prices.symbols)), idle) for name, idle in _IDLE.items()
    }
    for symbol, bars in histories_of(table, sessions).items():
        for name, table_of in cells.items():
            table_of[:, prices.columns[symbol]] = bars[BARS.index(name)]
    return Prices(
        as_of=prices.as_of,
        panel_version=prices.panel_version,
        sessions=sessions,
        symbols=prices.symbols,
        provider=prices.provider,
        close=cells["close"],
        split_ratio=cells["split_ratio"],
        dividend=cells["dividend"],
        loaded_from={
            symbol: date.fromisoformat(day)
            for symbol, day in describe(table)["loaded_from"].items()
        },
    )

"""What the holdings of a chunk depend on: the securities themselves, the ones options are on, and
private assets, each once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from risk_engine.domain import PANEL_CURRENCY, Book, Market, Position, Prices, Security
from risk_engine.quant.panel import (
    NO_COLUMN,
    FloatArray,
    IntArray,
    Panel,
    actions,
    restated_close,
    sound_columns,
)
from risk_engine.quant.returns import total_returns

CASH_SUBTYPES = frozenset({"CASH", "MONEY_MARKET", "TREASURY_BILLS"})
NO_UNDERLYING = -1
VOLATILITY_INDEX = "VIX"
"""Options on it are on the future that expires with them."""


class Key(NamedTuple):
    """Names an underlying: a private asset may share a ticker's letters."""

    symbol: str
    subtype: str | None
    """Of a private asset, in capitals; None for what a market quotes."""


@dataclass(frozen=True, eq=False)
class Underlyings:
    """Distinct underlyings, sorted by key; arrays are (underlyings,), returns (sessions, ...).

    `column` is the place in `market.prices`, NO_COLUMN where there are no prices; `price` the last
    close per share as of `as_of`, at most three sessions old; `returns` simple total returns from
    the close before to the close of each session, the first row NaN. All are NaN where not known.
    """

    keys: tuple[Key, ...]
    securities: tuple[Security | None, ...]
    column: IntArray
    price: FloatArray
    returns: FloatArray

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def rows(self) -> Mapping[Key, int]:
        """Give the row of each underlying."""
        return {key: row for row, key in enumerate(self.keys)}

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Give what each is: `cash`, `private`, `unknown`, or as marketdata says (stock, etf)."""
        return tuple(map(_kind, self.keys, self.securities))

    def closes(self, prices: Prices) -> FloatArray:
        """Return raw closes of the market, (sessions, underlyings), NaN where not known."""
        closes = np.full(self.returns.shape, np.nan)
        priced = self.column != NO_COLUMN
        closes[:, priced] = prices.close[:, self.column[priced]]
        return closes


def key_of(position: Position) -> Key | None:
    """Name what a position depends on; None for an option that does not say what it is on."""
    if position.investment_class == "PRIVATE":
        return Key(position.symbol, (position.investment_subtype or "OTHER").upper())
    if position.investment_class == "OPTIONS":
        return Key(position.underlying_symbol, None) if position.underlying_symbol else None
    return Key(position.symbol, None)


def underlyings_of(books: Iterable[Book], market: Market) -> Underlyings:
    """Find the distinct underlyings of some books in the market, of positions in its currency."""
    found = {
        key_of(position)
        for book in books
        for position in book.positions
        if position.currency == PANEL_CURRENCY
    }
    keys = tuple(
        sorted((key for key in found if key is not None), key=lambda key: tuple(map(str, key)))
    )
    prices = market.prices
    sound = sound_columns(prices.split_ratio, prices.dividend)
    column = np.array(
        [
            place
            if key.subtype is None
            and (place := prices.columns.get(key.symbol, NO_COLUMN)) != NO_COLUMN
            and sound[place]
            else NO_COLUMN
            for key in keys
        ],
        dtype=np.int64,
    )
    priced = column != NO_COLUMN
    used = column[priced]
    returns = np.full((len(prices.sessions), len(keys)), np.nan)
    returns[:, priced] = total_returns(
        prices.close[:, used], prices.split_ratio[:, used], prices.dividend[:, used]
    )
    return Underlyings(
        keys=keys,
        securities=tuple(
            market.securities.get(key.symbol) if key.subtype is None else None for key in keys
        ),
        column=column,
        price=_last_price(market, column),
        returns=returns,
    )


def _last_price(market: Market, column: IntArray) -> FloatArray:
    prices = market.prices
    panel = Panel(
        day=np.array([day.toordinal() for day in prices.sessions], dtype=np.int64),
        close=prices.close,
        split_ratio=prices.split_ratio,
        dividend=prices.dividend,
    )
    last = np.full(column.shape, len(prices.sessions) - 1, dtype=np.int64)
    price, _ = restated_close(panel, actions(panel.split_ratio, idle=1.0), column, last)
    return price


def _kind(key: Key, security: Security | None) -> str:
    if key.subtype is not None:
        return "cash" if key.subtype in CASH_SUBTYPES else "private"
    return "unknown" if security is None else security.kind

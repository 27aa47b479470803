"""The distinct option contracts of a chunk, each priced once, whoever holds it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from common.events.onboarding import BookPosition
from common.options import Contract, Right
from risk_engine.domain import Book, Market, Position
from risk_engine.engine.underlyings import NO_UNDERLYING, Key, Underlyings
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.pricing import Greeks, Options

_RIGHTS: Mapping[str, Right] = {"LC": "call", "SC": "call", "LP": "put", "SP": "put"}

PriceSource = Literal["quote", "model"]


@dataclass(frozen=True, eq=False)
class Contracts:
    """Distinct contracts, sorted by symbol; arrays are (contracts,), NaN where not known.

    `underlying` is a row of `Underlyings`. `terms` are what the model is asked with, the spot being
    the future for an option on the volatility index (`on_future`); `price` per share is the
    quote's mid, else the model's, as `price_source` says; `greeks` per share are the model's at
    `terms`. The sources say where each input is from; `reason` says why there is no price.
    """

    contracts: tuple[Contract, ...]
    underlying: IntArray
    terms: Options
    american: BoolArray
    on_future: BoolArray
    price: FloatArray
    greeks: Greeks
    price_source: tuple[PriceSource | None, ...]
    volatility_source: tuple[str | None, ...]
    rate_source: tuple[str | None, ...]
    dividend_source: tuple[str | None, ...]
    reason: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.contracts)

    @cached_property
    def rows(self) -> Mapping[Contract, int]:
        """Give the row of each contract."""
        return {contract: row for row, contract in enumerate(self.contracts)}


def contract_of(position: Position | BookPosition) -> Contract | None:
    """Name the contract of an option position; None where its terms are not complete."""
    right = _RIGHTS.get(position.position_type)
    strike = position.strike_price
    if (
        position.investment_class != "OPTIONS"
        or position.underlying_symbol is None
        or position.expiration_date is None
        or right is None
        or strike is None
        or not strike.is_finite()
        or strike <= 0
    ):
        return None
    return Contract(position.underlying_symbol, position.expiration_date, right, strike)


def contracts_of(books: Iterable[Book]) -> Sequence[Contract]:
    """Find the distinct contracts of some books, sorted by symbol."""
    found = {contract_of(position) for book in books for position in book.positions}
    return sorted((one for one in found if one is not None), key=lambda one: one.symbol)


def price_contracts(
    contracts: Sequence[Contract], underlyings: Underlyings, market: Market
) -> Contracts:
    """Price contracts at the close of `market.as_of`."""
    count = len(contracts)
    unknown = np.full(count, np.nan)
    nothing: tuple[None, ...] = (None,) * count
    return Contracts(
        contracts=tuple(contracts),
        underlying=np.array(
            [underlyings.rows.get(Key(one.underlying, None), NO_UNDERLYING) for one in contracts],
            dtype=np.int64,
        ),
        terms=Options(
            is_call=np.array([one.right == "call" for one in contracts], dtype=np.bool_),
            spot=unknown,
            strike=np.array([float(one.strike) for one in contracts]),
            years=np.array([(one.expiry - market.as_of).days / 365 for one in contracts]),
            volatility=unknown,
            rate=unknown,
            dividend_yield=unknown,
        ),
        american=np.zeros(count, dtype=np.bool_),
        on_future=np.zeros(count, dtype=np.bool_),
        price=unknown,
        greeks=Greeks(*(unknown for _ in range(6))),
        price_source=nothing,
        volatility_source=nothing,
        rate_source=nothing,
        dividend_source=nothing,
        reason=("no_option_quotes",) * count,
    )

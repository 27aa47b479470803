"""What options are priced at: today by the market or the model, before today by what is stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np

from risk_engine.domain import History, Position, PriceSource
from risk_engine.engine.listing import contract_of
from risk_engine.engine.options import Contracts
from risk_engine.quant.expiry import Expiries, settlement
from risk_engine.quant.panel import (
    MAX_PRICE,
    NO_COLUMN,
    NO_SERIES,
    BoolArray,
    FloatArray,
    IntArray,
    Marks,
    Panel,
)

NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True, eq=False)
class OptionPrices:
    """Prices of a chunk's options: `contracts` are today's, `histories` each book's stored ones.

    `owners` are the portfolios of the accounts, in order.
    """

    contracts: Contracts | None = None
    histories: Sequence[History] = ()
    owners: Sequence[UUID] = ()

    def today(
        self, account: int, position: Position
    ) -> tuple[float, PriceSource | None, str | None]:
        """Give an option's price per share, where it is from, and if there is none, why not."""
        if contract_of(position) is None:
            return float("nan"), None, "incomplete_contract"
        if self.contracts is None:
            return float("nan"), None, "no_option_quotes"
        row = self.contracts.rows[self.owners[account], position.id]
        price = float(self.contracts.price[row])
        return price, self.contracts.price_source[row], self.contracts.reason[row]

    def before(self, account: int, position: Position) -> Iterable[tuple[date, float]]:
        """Give what an option was priced at, by session."""
        contract = contract_of(position)
        if contract is None or account >= len(self.histories):
            return
        stored = self.histories[account].option_prices
        for session in sorted(stored):
            price = stored[session].get(contract.symbol)
            if price is not None:
                yield session, price


def marks_of(
    positions: Sequence[Position],
    accounts: Sequence[int],
    options: OptionPrices,
    sessions: Sequence[date],
    today: Sequence[float],
) -> tuple[IntArray, Marks]:
    """List the marks of option positions: the series of each position, and the prices.

    `today` are the prices at the last of the sessions, NaN if not known.
    """
    end = len(sessions)
    rows = {session: row for row, session in enumerate(sessions[:-1])}
    series = np.full(len(positions), NO_SERIES, dtype=np.int64)
    keys: list[int] = []
    found: list[float] = []
    for place, (position, account) in enumerate(zip(positions, accounts, strict=True)):
        if position.investment_class != "OPTIONS":
            continue
        series[place] = place
        before = [
            (rows[session], price)
            for session, price in options.before(account, position)
            if session in rows
        ]
        for row, price in (*before, (end - 1, today[place])):
            if 0 <= price <= MAX_PRICE:
                keys.append(place * end + row)
                found.append(price)
    return series, Marks(np.array(keys, dtype=np.int64), np.array(found, dtype=np.float64), end)


@dataclass(frozen=True, eq=False)
class Terms:
    """What a position's being an option means, (positions,); the idle value for what is none.

    `split_column` is the column of its underlying, or its own.
    """

    split_column: IntArray
    expiry_day: IntArray
    is_call: BoolArray
    strike: FloatArray


def terms_of(positions: Sequence[Position], column: IntArray, usable: Mapping[str, int]) -> Terms:
    """Read the terms of option positions; `usable` are the columns of symbols."""
    split_column = column.copy()
    expiry_day = np.full(len(positions), NEVER, dtype=np.int64)
    is_call = np.zeros(len(positions), dtype=np.bool_)
    strike = np.full(len(positions), np.nan)
    for place, position in enumerate(positions):
        contract = contract_of(position)
        if contract is not None:
            split_column[place] = usable.get(contract.underlying, NO_COLUMN)
            expiry_day[place] = contract.expiry.toordinal()
            is_call[place] = contract.right == "call"
            strike[place] = float(contract.strike)
    return Terms(split_column, expiry_day, is_call, strike)


def settled(panel: Panel, terms: Terms, since_day: IntArray) -> FloatArray:
    """Give what each position that has expired paid per unit; NaN for all others."""
    return settlement(
        panel,
        Expiries(terms.split_column, since_day, terms.expiry_day, terms.is_call, terms.strike),
    )

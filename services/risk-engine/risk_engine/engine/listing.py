"""Which option contracts a chunk holds, and whether anybody quotes them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np

from common.events.onboarding import BookPosition
from common.options import Contract, Right
from risk_engine.domain import PANEL_CURRENCY, Book, History, Market, Position, Snapshots
from risk_engine.engine.underlyings import Key, Underlyings
from risk_engine.quant.panel import (
    MAX_PRICE_AGE,
    BoolArray,
    FloatArray,
    actions,
    last_row,
    split_factor,
)

_RIGHTS: Mapping[str, Right] = {"LC": "call", "SC": "call", "LP": "put", "SP": "put"}
WIDEST_SPREAD = 1.0
"""Of the middle: nothing between such a bid and ask is further than half of the middle from it."""
LEAST_WIDE = 0.10
"""Dollars: a spread up to here is never too wide, two of the usual ticks of five cents."""
_NOT_SAID = -1  # the place of a NaN put after the last row


class Listed(NamedTuple):
    """A contract as it is valued: what it says, and what is seen beside it.

    A split since the position was stated divides the strike by `split_factor` and multiplies the
    shares. Where the contract itself has no quote that can be used, `last_volatility` is what its
    own implied at most MAX_PRICE_AGE sessions ago (None if none did), and `neighbours` are the
    quoted contracts on the same underlying in the same book: no result depends on what others hold.
    """

    contract: Contract
    split_factor: float
    neighbours: tuple[Contract, ...] = ()
    last_volatility: float | None = None


Listing = Mapping[tuple[UUID, UUID], Listed]
"""What is held, by portfolio and position."""


def contract_of(position: Position | BookPosition) -> Contract | None:
    """Name the contract of an option position; None where its terms are not complete.

    A strike in another currency than the market's is that of a contract nobody here quotes: None.
    """
    right = _RIGHTS.get(position.position_type)
    strike = position.strike_price
    if (
        position.investment_class != "OPTIONS"
        or position.currency != PANEL_CURRENCY
        or position.underlying_symbol is None
        or position.expiration_date is None
        or right is None
        or strike is None
        or not strike.is_finite()
        or strike <= 0
    ):
        return None
    return Contract(position.underlying_symbol, position.expiration_date, right, strike)


def contracts_of(
    books: Iterable[Book],
    underlyings: Underlyings,
    market: Market,
    histories: Mapping[UUID, History] | None = None,
) -> Listing:
    """Find what contracts some books hold; `histories` are what is stored, by portfolio."""
    held = [
        (book, position, contract)
        for book in books
        for position in book.positions
        if (contract := contract_of(position)) is not None
    ]
    factors = _split_factors(held, underlyings, market)
    quoted: dict[UUID, dict[str, set[Contract]]] = {}
    has_quote = _quoted({contract for _, _, contract in held}, market.snapshots)
    for (book, _, contract), factor in zip(held, factors.tolist(), strict=True):
        if contract in has_quote and factor == 1:
            by_underlying = quoted.setdefault(book.portfolio_id, {})
            by_underlying.setdefault(contract.underlying, set()).add(contract)
    last = {owner: _last_volatilities(one, market) for owner, one in (histories or {}).items()}
    return {
        (book.portfolio_id, position.id): Listed(contract, factor)
        if contract in has_quote and factor == 1
        else Listed(
            contract,
            factor,
            tuple(sorted(quoted.get(book.portfolio_id, {}).get(contract.underlying, ()))),
            last.get(book.portfolio_id, {}).get(contract.symbol),
        )
        for (book, position, contract), factor in zip(held, factors.tolist(), strict=True)
    }


def _last_volatilities(history: History, market: Market) -> Mapping[str, float]:
    # A volatility is the same before and after a split.
    recent = [one for one in market.prices.sessions if one < market.as_of][-MAX_PRICE_AGE:]
    known: dict[str, float] = {}
    for session in recent:
        known.update(history.option_volatilities.get(session, {}))
    return known


def _quoted(contracts: Iterable[Contract], snapshots: Snapshots) -> frozenset[Contract]:
    listed = list(contracts)
    mid = mids(listed, np.ones(len(listed)), snapshots)
    return frozenset(one for one, price in zip(listed, mid.tolist(), strict=True) if price > 0)


def mids(contracts: Sequence[Contract], factor: FloatArray, snapshots: Snapshots) -> FloatArray:
    """Return the middle of bid and ask, (contracts,); NaN where they are no quote or too far apart.

    What was quoted before a split is another contract.
    """
    bid, ask, sound = _quotes(contracts, factor, snapshots)
    return np.where(sound & ~_wide(bid, ask), (bid + ask) / 2, np.nan)


def too_wide(contracts: Sequence[Contract], factor: FloatArray, snapshots: Snapshots) -> BoolArray:
    """Mark the quotes whose middle says little, (contracts,): a bid of nothing for a dear option.

    Their spread is more than WIDEST_SPREAD of the middle, and more than LEAST_WIDE.
    """
    bid, ask, sound = _quotes(contracts, factor, snapshots)
    return np.asarray(sound & _wide(bid, ask))


def _quotes(
    contracts: Sequence[Contract], factor: FloatArray, snapshots: Snapshots
) -> tuple[FloatArray, FloatArray, BoolArray]:
    rows = [snapshots.rows.get(one.symbol, _NOT_SAID) for one in contracts]
    bid, ask = (np.append(said, np.nan)[rows] for said in (snapshots.bid, snapshots.ask))
    sound = (bid >= 0) & (ask > 0) & (ask >= bid) & np.isfinite(ask) & (factor == 1)
    return bid, ask, np.asarray(sound)


def _wide(bid: FloatArray, ask: FloatArray) -> BoolArray:
    # To the cent, as quotes are: .15 - .05 is a little more than .1.
    spread = np.round(ask - bid, 6)
    return np.asarray((spread > WIDEST_SPREAD * (bid + ask) / 2) & (spread > LEAST_WIDE))


def _split_factors(
    held: Sequence[tuple[Book, Position, Contract]], underlyings: Underlyings, market: Market
) -> FloatArray:
    """Return the shares there are now for each that a position states, (held,)."""
    prices = market.ledger
    columns = [
        underlyings.column[underlyings.rows[Key(contract.underlying, None)]]
        for _, _, contract in held
    ]
    stated = [max(book.opening_session, one.entry_date).toordinal() for book, one, _ in held]
    day = np.array([session.toordinal() for session in prices.sessions], dtype=np.int64)
    return split_factor(
        actions(prices.split_ratio, idle=1.0),
        np.array(columns, dtype=np.int64),
        last_row(day, np.array(stated, dtype=np.int64)),
        np.full(len(held), len(day) - 1, dtype=np.int64),
    )

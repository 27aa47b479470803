"""Which symbols a book needs, and how much of them is priced."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from pydantic import BaseModel

from common.events.marketdata import MissingSymbol, PricedItem
from common.events.onboarding import Book, BookPosition
from common.events.scheduler import RequestedItem
from common.options import Contract, Right
from marketdata.domain.columns import Column, first_of_last

PREPARE = "prepare"
"""The one kind of work: make prices ready for some portfolios."""

FACTOR_ETFS = (
    *("SPY", "QQQ", "IWM", "VTI", "TLT", "IEF", "SHY", "HYG", "LQD", "VTV", "VUG", "MTUM"),
    *("QUAL", "USMV", "DJP", "VNQ", "GLD"),
)
"""The engines' factors are made of them."""
SECTOR_ETFS = (*("XLK", "XLV", "XLF", "XLE", "XLY", "XLP", "XLI", "XLB", "XLRE", "XLU", "XLC"),)
REFERENCE = frozenset((*FACTOR_ETFS, *SECTOR_ETFS, "VIX"))
"""In every panel, whoever holds what, and over ten years: factors, sectors and volatility."""

UNKNOWN_SYMBOL = "unknown_symbol"
NOT_LOADED = "not_loaded"
NO_PRICE = "no_price"
STALE_PRICE = "stale_price"
"""Why a symbol has no price: the codes of `MissingSymbol.reason`."""

PANEL_CURRENCY = "USD"
"""What all prices are in."""

_RIGHTS: Mapping[str, Right] = {"LC": "call", "SC": "call", "LP": "put", "SP": "put"}

MAX_PRICE_AGE = 3
"""In sessions: an older last price prices nothing, here as in the risk engine."""


class Preparation(BaseModel, frozen=True):
    """What a `prepare` row asks for."""

    as_of: date | None = None
    """The session; the last closed one when the work is done, if not given."""
    opened: date | None = None
    """The session at whose close the book of the only item opened: on none before has it a value.
    Not given for a run, which has an `as_of` of its own."""
    items: tuple[RequestedItem, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """What marketdata keeps of a book: what it needs prices of."""

    portfolio_id: UUID
    revision: int
    user_id: UUID
    symbols: tuple[str, ...] | None
    """Distinct and sorted; None while only the revision is known."""
    contracts: tuple[str, ...] | None = ()
    """Of its options, by `common.options`; distinct and sorted; None while not known."""
    deleted: bool = False


def holding_of(book: Book) -> Holding:
    """Return what to keep of a book."""
    if book.positions is None:
        return Holding(book.portfolio_id, book.revision, book.user_id, None, None)
    # Positions sold after the opening session count like open ones: what they were worth at its
    # close is part of the account's opening value. Those sold by then never come into it, nor
    # does what is quoted in another currency: a price of the same symbol here is not its price.
    counted = [
        position
        for position in book.positions
        if (position.exit_date is None or position.exit_date > book.opening_session)
        and position.currency == PANEL_CURRENCY
    ]
    return Holding(
        book.portfolio_id,
        book.revision,
        book.user_id,
        symbols=_distinct(_priced_by(position) for position in counted),
        contracts=_distinct(_contract(position) for position in counted),
    )


def symbols_of(holdings: Iterable[Holding]) -> tuple[str, ...]:
    """Return all symbols a panel for these books shows, the reference's among them."""
    held = (symbol for holding in holdings for symbol in holding.symbols or ())
    return tuple(sorted(REFERENCE.union(held)))


def contracts_of(holdings: Iterable[Holding], as_of: date) -> tuple[str, ...]:
    """Return all contracts that a panel for these books shows: those that live on after it."""
    held = {contract for holding in holdings for contract in holding.contracts or ()}
    return tuple(
        sorted(
            symbol
            for symbol in held
            if (contract := Contract.parse(symbol)) and contract.expiry > as_of
        )
    )


def cover(holding: Holding, columns: Mapping[str, Column], as_of: date) -> PricedItem:
    """Return how well a book is priced, naming what is missing and why."""
    symbols = holding.symbols or ()
    fresh_from = first_of_last(MAX_PRICE_AGE + 1, as_of)
    missing = tuple(
        MissingSymbol(symbol=symbol, reason=why[0], message=why[1])
        for symbol in symbols
        if (why := _why_unpriced(columns.get(symbol), fresh_from))
    )
    return PricedItem(
        portfolio_id=holding.portfolio_id,
        revision=holding.revision,
        coverage=(len(symbols) - len(missing)) / len(symbols) if symbols else None,
        symbols=len(symbols),
        missing=missing,
    )


def is_ready(item: PricedItem, threshold: float) -> bool:
    """Say whether a book's coverage suffices; one without a priceable symbol lacks nothing."""
    return item.coverage is None or item.coverage >= threshold


def _priced_by(position: BookPosition) -> str | None:
    match position.investment_class:
        case "PUBLIC":
            return position.symbol
        case "OPTIONS":
            return position.underlying_symbol
        case "PRIVATE":
            return None


def _contract(position: BookPosition) -> str | None:
    underlying, expiry = position.underlying_symbol, position.expiration_date
    strike, right = position.strike_price, _RIGHTS.get(position.position_type)
    if position.investment_class != "OPTIONS" or not (underlying and expiry and strike and right):
        return None
    return Contract(underlying, expiry, right, strike).symbol


def _distinct(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}))


def _why_unpriced(column: Column | None, fresh_from: date) -> tuple[str, str] | None:
    if column is None or (column.known and not column.published):
        return NOT_LOADED, "Its prices could not be loaded."
    if not column.known:
        return column.reason or UNKNOWN_SYMBOL, "The provider does not know this symbol."
    if column.last_session is None:
        return NO_PRICE, "The provider has no price of it up to this session."
    if column.last_session < fresh_from:
        return STALE_PRICE, f"Its last price is of {column.last_session}."
    return None

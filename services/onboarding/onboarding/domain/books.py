"""The book of record: what an import makes of a file, and what is kept about it."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from common.calendar import NEW_YORK
from common.events.onboarding import POSITIONS_IN_EVENT, Book, BookPosition
from onboarding.domain.portfolio import PortfolioDetails, position_ids
from onboarding.domain.positions import ACCOUNT_CURRENCY, PositionRow

FIRST_REVISION = 1
CENT = Decimal("0.01")


@dataclass(frozen=True)
class ImportRecord:
    """Which file a book came from, and the run that followed it."""

    run_id: UUID
    filename: str
    sha256: str
    positions: int
    ignored_columns: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True)
class PositionCounts:
    """How many lots a book has; all but `closed` count open ones only."""

    open: int
    closed: int
    long: int
    short: int
    options: int
    private: int


@dataclass(frozen=True)
class Portfolio:
    """A portfolio as its present revision has it."""

    id: UUID
    user_id: UUID
    revision: int
    name: str
    description: str | None
    currency: str
    equity_balance: Decimal
    opening_session: date
    created_at: datetime
    updated_at: datetime
    counts: PositionCounts


def today_in_new_york(now: datetime) -> date:
    """Return the date at the exchange; `now` has a zone."""
    return now.astimezone(NEW_YORK).date()


def first_book(
    portfolio_id: UUID,
    user_id: UUID,
    details: PortfolioDetails,
    rows: tuple[PositionRow, ...],
    *,
    opening_session: date,
    created_at: datetime,
    deterministic: bool,
) -> Book:
    """Return the first revision of a new portfolio, its positions in the order of the file."""
    ids = position_ids(portfolio_id, rows, deterministic=deterministic)
    return Book(
        portfolio_id=portfolio_id,
        revision=FIRST_REVISION,
        user_id=user_id,
        name=details.name,
        currency=ACCOUNT_CURRENCY,
        # As the database gives it back, so that the event and the stored book are the same text.
        equity_balance=details.equity_balance.quantize(CENT),
        opening_session=opening_session,
        created_at=created_at,
        positions=tuple(_position(*one) for one in zip(ids, rows, strict=True)),
    )


def restated(book: Book, equity_balance: Decimal) -> Book:
    """Return the book's next revision, with another equity balance at the same opening session.

    It corrects what was stated at the upload: the lots and the session it speaks of stay. The book
    itself comes back when it says so already.
    """
    equity_balance = equity_balance.quantize(CENT)
    if book.equity_balance == equity_balance:
        return book
    return book.model_copy(update={"revision": book.revision + 1, "equity_balance": equity_balance})


def announced(book: Book) -> Book:
    """Return the book as an event carries it: above 2,000 positions without them."""
    if book.positions is None or len(book.positions) <= POSITIONS_IN_EVENT:
        return book
    return book.model_copy(update={"positions": None})


def in_other_currencies(book: Book) -> tuple[BookPosition, ...]:
    """Return the positions, closed ones too, whose prices are not in the book's currency."""
    return tuple(one for one in book.positions or () if one.currency != book.currency)


def cost_basis(position: BookPosition) -> Decimal:
    """Return what the lot cost, in its own currency; negative for what was sold short."""
    return position.quantity * position.multiplier * position.entry_price


def _position(position_id: UUID, row: PositionRow) -> BookPosition:
    return BookPosition(
        position_id=position_id,
        symbol=row.symbol,
        position_type=row.position_type.value,
        investment_class=row.investment_class.value,
        investment_subtype=row.investment_subtype,
        quantity=row.quantity,
        multiplier=Decimal(row.multiplier),
        entry_price=row.entry_price,
        entry_date=row.entry_date,
        exit_date=row.exit_date,
        exit_price=row.exit_price,
        underlying_symbol=row.underlying_symbol,
        strike_price=row.strike_price,
        expiration_date=row.expiration_date,
        currency=row.currency,
    )

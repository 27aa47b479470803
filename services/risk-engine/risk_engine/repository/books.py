"""The replica of books, and the prices that came before their book."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Numeric,
    Text,
    Uuid,
    and_,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from common.events.onboarding import Book, BookPosition
from common.unit_of_work import Cause
from risk_engine.domain import PANEL_CURRENCY
from risk_engine.engine.chunk import StoredBook
from risk_engine.engine.listing import contract_of
from risk_engine.repository.rows import among
from risk_engine.tables import BOOKS, METADATA, OPENINGS, WAITING

_POSITIONS = TypeAdapter(tuple[BookPosition, ...])


class Standing(NamedTuple):
    """How far the replica of a portfolio is."""

    user_id: UUID
    revision: int
    deleted: bool


class Waiting(NamedTuple):
    """Prices of a revision that the replica had not reached."""

    portfolio_id: UUID
    revision: int
    as_of: date
    panel_version: int
    cause: Cause


class Books:
    """Books as last heard of."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, portfolio_ids: Collection[UUID]) -> None:
        """Wait until nobody else decides about these portfolios; held until the commit.

        Known or not: prices of a portfolio nobody has heard of yet need the lock most.
        """
        # All lock in the order of ids, so that two chunks cannot wait for each other. A chunk takes
        # 200 of the server's some 6,400 places for locks.
        ids = literal(sorted(portfolio_ids), ARRAY(Uuid))
        given = func.unnest(ids).table_valued(column("id", Uuid)).render_derived(name="given")
        key = literal(f"{METADATA.schema}:", Text) + cast(given.c.id, Text)
        await self._connection.execute(
            select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0)))
        )

    async def standings(self, portfolio_ids: Collection[UUID]) -> Mapping[UUID, Standing]:
        """Return how far the replica is, for the portfolios it has heard of."""
        rows = await self._connection.execute(
            select(BOOKS.c.portfolio_id, BOOKS.c.user_id, BOOKS.c.revision, BOOKS.c.deleted).where(
                among(BOOKS.c.portfolio_id, portfolio_ids)
            )
        )
        return {row.portfolio_id: Standing(*row[1:]) for row in rows}

    async def owner(self, portfolio_id: UUID) -> UUID | None:
        """Return whose portfolio it is; None if it is unknown here, or deleted."""
        found = await self._connection.execute(
            select(BOOKS.c.user_id).where(
                BOOKS.c.portfolio_id == portfolio_id, BOOKS.c.deleted.is_(False)
            )
        )
        return found.scalar_one_or_none()

    async def apply(self, book: Book) -> bool:
        """Take a book over; False when the replica has this revision or a newer one.

        The stored opening cash follows the stated equity: it is what the equity left of the
        positions' worth, which another word about the same session does not change.
        """
        await self._restate_opening(book)
        positions = book.positions
        return await self._put(
            {
                "portfolio_id": book.portfolio_id,
                "user_id": book.user_id,
                "revision": book.revision,
                "deleted": False,
                "name": book.name,
                "currency": book.currency,
                "equity_balance": book.equity_balance,
                "opening_session": book.opening_session,
                "created_at": book.created_at,
                "symbols": None if positions is None else _symbols(positions),
                "positions": None if positions is None else _text(positions),
            },
            BOOKS.c.revision < book.revision,
        )

    async def bury(self, portfolio_id: UUID, user_id: UUID, revision: int) -> bool:
        """Leave a tombstone in a book's place; False when the replica is newer."""
        return await self._put(
            {
                **dict.fromkeys(BOOKS.c.keys()),
                "portfolio_id": portfolio_id,
                "user_id": user_id,
                "revision": revision,
                "deleted": True,
            },
            BOOKS.c.revision <= revision,
        )

    async def _restate_opening(self, book: Book) -> None:
        # The calculation of the new revision says so too, but not when the panel no longer
        # reaches the opening and the stored cash is what it starts from.
        await self._connection.execute(
            update(OPENINGS)
            .where(
                OPENINGS.c.portfolio_id == book.portfolio_id,
                OPENINGS.c.session == book.opening_session,
                BOOKS.c.portfolio_id == OPENINGS.c.portfolio_id,
                BOOKS.c.opening_session == book.opening_session,
                BOOKS.c.revision < book.revision,
                BOOKS.c.equity_balance != book.equity_balance,
            )
            .values(
                opening_cash=OPENINGS.c.opening_cash
                + (literal(book.equity_balance, Numeric) - BOOKS.c.equity_balance)
            )
        )

    async def _put(self, row: Mapping[str, Any], condition: ColumnElement[bool]) -> bool:
        put = upsert(BOOKS).values(dict(row))
        written = await self._connection.execute(
            put.on_conflict_do_update(
                index_elements=[BOOKS.c.portfolio_id],
                set_={name: put.excluded[name] for name in row if name != "portfolio_id"},
                where=condition,
            )
        )
        return written.rowcount == 1

    async def without_positions(self, portfolio_ids: Collection[UUID]) -> Mapping[UUID, int]:
        """Return the revisions of the books whose positions did not fit into their event."""
        rows = await self._connection.execute(
            select(BOOKS.c.portfolio_id, BOOKS.c.revision).where(
                among(BOOKS.c.portfolio_id, portfolio_ids),
                BOOKS.c.positions.is_(None),
                BOOKS.c.deleted.is_(False),
            )
        )
        return {row.portfolio_id: row.revision for row in rows}

    async def add_positions(self, book: Book) -> None:
        """Complete a book with the positions that its event left out."""
        positions = book.positions or ()
        await self._connection.execute(
            update(BOOKS)
            .where(
                BOOKS.c.portfolio_id == book.portfolio_id,
                BOOKS.c.revision == book.revision,
                BOOKS.c.deleted.is_(False),
            )
            .values(symbols=_symbols(positions), positions=_text(positions))
        )

    async def stored(self, portfolio_ids: Collection[UUID]) -> Sequence[StoredBook]:
        """Return the books that are known with their positions, and their stored opening cash.

        Their histories are not read here.
        """
        rows = await self._connection.execute(
            select(
                BOOKS.c.portfolio_id,
                BOOKS.c.user_id,
                BOOKS.c.revision,
                BOOKS.c.name,
                BOOKS.c.currency,
                BOOKS.c.equity_balance,
                BOOKS.c.opening_session,
                BOOKS.c.symbols,
                cast(BOOKS.c.positions, Text).label("positions"),
                OPENINGS.c.opening_cash,
            )
            .outerjoin(
                OPENINGS,
                and_(
                    OPENINGS.c.portfolio_id == BOOKS.c.portfolio_id,
                    OPENINGS.c.session == BOOKS.c.opening_session,
                ),
            )
            .where(among(BOOKS.c.portfolio_id, portfolio_ids), BOOKS.c.positions.is_not(None))
        )
        return [StoredBook(**row) for row in rows.mappings()]

    async def wait(self, items: Sequence[Waiting]) -> None:
        """Keep prices until the replica reaches their revision."""
        await self._connection.execute(
            insert(WAITING),
            [{**item._asdict(), "cause": item.cause.model_dump(mode="json")} for item in items],
        )

    async def release(self, portfolio_id: UUID, revision: int) -> Sequence[Waiting]:
        """Take out the prices that waited for a revision up to this one, in order of arrival."""
        rows = await self._connection.execute(
            delete(WAITING)
            .where(WAITING.c.portfolio_id == portfolio_id, WAITING.c.revision <= revision)
            .returning(WAITING)
        )
        return [
            Waiting(
                row.portfolio_id,
                row.revision,
                row.as_of,
                row.panel_version,
                Cause.model_validate(row.cause),
            )
            for row in sorted(rows, key=lambda one: one.id)
        ]


def _symbols(positions: Sequence[BookPosition]) -> list[str]:
    # What the engine looks up by symbol: an option is quoted, and so is what it is on; a private
    # asset may share a ticker's letters, and so may what is quoted in another currency.
    priced = [one for one in positions if one.currency == PANEL_CURRENCY]
    contracts = (contract_of(one) for one in priced)
    return sorted(
        {one.symbol for one in priced if one.investment_class == "PUBLIC"}
        | {
            one.underlying_symbol
            for one in priced
            if one.investment_class == "OPTIONS" and one.underlying_symbol
        }
        | {contract.symbol for contract in contracts if contract is not None}
    )


def _text(positions: Sequence[BookPosition]) -> ColumnElement[Any]:
    return cast(literal(_POSITIONS.dump_json(tuple(positions)).decode(), Text), JSON)

"""Onboarding's SQL, all of it."""

from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Numeric,
    RowMapping,
    Select,
    Text,
    and_,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from common.events.onboarding import Book, BookPosition
from common.unit_of_work import Unit
from onboarding.domain.books import ImportRecord, Portfolio, PositionCounts
from onboarding.tables import IMPORTS, PORTFOLIOS, POSITIONS, REVISIONS

LOT = tuple(BookPosition.model_fields)
"""The columns of a position that are the lot itself, named as events name them."""
_LOTS = TypeAdapter(tuple[BookPosition, ...])


class Store:
    """Portfolios, their revisions and positions, and the imports they came from."""

    def __init__(self, unit: Unit) -> None:
        self._connection = unit.connection

    async def portfolios_ever(self, user_id: UUID) -> dict[UUID, bool]:
        """Return whether it still exists, for every portfolio the user has or had."""
        found = await self._connection.execute(
            select(PORTFOLIOS.c.id, PORTFOLIOS.c.deleted_at.is_(None).label("exists")).where(
                PORTFOLIOS.c.user_id == user_id
            )
        )
        return {row.id: row.exists for row in found}

    async def owner(self, portfolio_id: UUID) -> UUID | None:
        """Return whose portfolio it is; None when there is none."""
        found = await self._connection.execute(
            select(PORTFOLIOS.c.user_id).where(PORTFOLIOS.c.id == portfolio_id, _exists())
        )
        return found.scalar()

    async def add(self, book: Book, description: str | None, record: ImportRecord) -> bool:
        """Write an imported portfolio whole; False when the user has got one in the meantime."""
        written = await self._connection.execute(
            upsert(PORTFOLIOS)
            .values(
                id=book.portfolio_id,
                user_id=book.user_id,
                revision=book.revision,
                created_at=book.created_at,
            )
            .on_conflict_do_nothing()
        )
        if written.rowcount == 0:
            return False
        await self._connection.execute(
            insert(REVISIONS).values(
                portfolio_id=book.portfolio_id,
                revision=book.revision,
                name=book.name,
                description=description,
                currency=book.currency,
                equity_balance=book.equity_balance,
                opening_session=book.opening_session,
                reason="import",
                created_at=book.created_at,
            )
        )
        await self._connection.execute(
            insert(IMPORTS).values(
                run_id=record.run_id,
                portfolio_id=book.portfolio_id,
                revision=book.revision,
                filename=record.filename,
                sha256=record.sha256,
                positions=record.positions,
                ignored_columns=list(record.ignored_columns),
                created_at=record.created_at,
            )
        )
        await self._copy_positions(book)
        return True

    async def hold(self, portfolio_id: UUID) -> Book | None:
        """Return the present book, which nobody else can revise before the commit.

        None when there is no such portfolio.
        """
        found = await self._connection.execute(
            select(PORTFOLIOS.c.revision)
            .where(PORTFOLIOS.c.id == portfolio_id, _exists())
            .with_for_update()
        )
        revision = found.scalar()
        return None if revision is None else await self.book(portfolio_id, revision)

    async def revise(self, book: Book, reason: str, now: datetime) -> None:
        """Write the next revision of a held book, of which no lot has changed."""
        written = {
            **{column.name: getattr(book, column.name) for column in _of_book()},
            "reason": reason,
            "created_at": now,
        }
        columns = [
            literal(written[column.name], column.type) if column.name in written else column
            for column in REVISIONS.c
        ]
        before = and_(
            REVISIONS.c.portfolio_id == book.portfolio_id,
            REVISIONS.c.revision == book.revision - 1,
        )
        await self._connection.execute(
            insert(REVISIONS).from_select(REVISIONS.c.keys(), select(*columns).where(before))
        )
        await self._connection.execute(
            update(PORTFOLIOS)
            .where(PORTFOLIOS.c.id == book.portfolio_id)
            .values(revision=book.revision)
        )

    async def portfolio(self, portfolio_id: UUID) -> Portfolio | None:
        """Return a portfolio as it is now."""
        found = await self._connection.execute(_portfolios(PORTFOLIOS.c.id == portfolio_id))
        row = found.mappings().first()
        return None if row is None else _portfolio(row)

    async def portfolios_of(self, user_id: UUID) -> tuple[Portfolio, ...]:
        """Return the user's portfolios as they are now, oldest first."""
        found = await self._connection.execute(
            _portfolios(PORTFOLIOS.c.user_id == user_id).order_by(PORTFOLIOS.c.created_at)
        )
        return tuple(_portfolio(row) for row in found.mappings())

    async def last_import(self, portfolio_id: UUID) -> ImportRecord | None:
        """Return where the portfolio's positions last came from."""
        found = await self._connection.execute(
            select(IMPORTS)
            .where(IMPORTS.c.portfolio_id == portfolio_id)
            .order_by(IMPORTS.c.revision.desc())
            .limit(1)
        )
        row = found.mappings().first()
        if row is None:
            return None
        values = {field.name: row[field.name] for field in fields(ImportRecord)}
        return ImportRecord(**{**values, "ignored_columns": tuple(row["ignored_columns"])})

    async def positions(
        self, portfolio_id: UUID, *, include_closed: bool
    ) -> tuple[BookPosition, ...]:
        """Return the lots of the present revision in the user's order."""
        conditions = [POSITIONS.c.until_revision.is_(None)]
        if not include_closed:
            conditions.append(POSITIONS.c.exit_date.is_(None))
        return await self._positions(portfolio_id, and_(*conditions))

    async def book(self, portfolio_id: UUID, revision: int) -> Book | None:
        """Return the book at a revision, past ones too, with all its positions."""
        found = await self._connection.execute(
            select(PORTFOLIOS.c.user_id, PORTFOLIOS.c.created_at, *_of_book())
            .join(REVISIONS, REVISIONS.c.portfolio_id == PORTFOLIOS.c.id)
            .where(PORTFOLIOS.c.id == portfolio_id, REVISIONS.c.revision == revision, _exists())
        )
        row = found.mappings().first()
        if row is None:
            return None
        stood = and_(
            POSITIONS.c.since_revision <= revision,
            or_(POSITIONS.c.until_revision.is_(None), POSITIONS.c.until_revision > revision),
        )
        return Book(**row, positions=await self._positions(portfolio_id, stood))

    async def _positions(
        self, portfolio_id: UUID, condition: ColumnElement[bool]
    ) -> tuple[BookPosition, ...]:
        found = await self._connection.execute(
            select(*(_exact(POSITIONS.c[name]) for name in LOT))
            .where(POSITIONS.c.portfolio_id == portfolio_id, condition)
            .order_by(POSITIONS.c.place, POSITIONS.c.position_id)
        )
        return _LOTS.validate_python([row._asdict() for row in found])

    async def _copy_positions(self, book: Book) -> None:
        # COPY: ten thousand lots take a fraction of a second, in the transaction already open.
        connection = await self._connection.get_raw_connection()
        driver: Any = connection.driver_connection
        await driver.copy_records_to_table(
            POSITIONS.name,
            schema_name=POSITIONS.schema,
            columns=["portfolio_id", "since_revision", "place", *LOT],
            records=[
                (book.portfolio_id, book.revision, place, *(value for _, value in position))
                for place, position in enumerate(book.positions or ())
            ],
        )


def _exists() -> ColumnElement[bool]:
    return PORTFOLIOS.c.deleted_at.is_(None)


def _of_book() -> tuple[ColumnElement[Any], ...]:
    columns = REVISIONS.c
    return (
        columns.portfolio_id,
        columns.revision,
        columns.name,
        columns.currency,
        columns.equity_balance,
        columns.opening_session,
    )


def _exact(column: ColumnElement[Any]) -> ColumnElement[Any]:
    # A lot comes back as it went in: 100 is not 100.000000, nor the driver's 1E+2.
    if isinstance(column.type, Numeric):
        return cast(func.trim_scale(column), Text).label(column.key)
    return column


def _portfolios(condition: ColumnElement[bool]) -> Select[Any]:
    counts = _counts()
    return (
        select(
            PORTFOLIOS.c.id,
            PORTFOLIOS.c.user_id,
            PORTFOLIOS.c.created_at,
            REVISIONS.c.created_at.label("updated_at"),
            REVISIONS.c.description,
            *_of_book(),
            *counts.c,
        )
        .join(
            REVISIONS,
            and_(
                REVISIONS.c.portfolio_id == PORTFOLIOS.c.id,
                REVISIONS.c.revision == PORTFOLIOS.c.revision,
            ),
        )
        .join(counts, true())
        .where(condition, _exists())
    )


def _counts() -> FromClause:
    lot = POSITIONS.c
    held = lot.exit_date.is_(None)
    kinds = {
        "open": held,
        "closed": lot.exit_date.is_not(None),
        "long": and_(held, lot.quantity > 0),
        "short": and_(held, lot.quantity < 0),
        "options": and_(held, lot.investment_class == "OPTIONS"),
        "private": and_(held, lot.investment_class == "PRIVATE"),
    }
    return (
        select(*(func.count().filter(kind).label(name) for name, kind in kinds.items()))
        .where(lot.portfolio_id == PORTFOLIOS.c.id, lot.until_revision.is_(None))
        .lateral("counts")
    )


def _portfolio(row: RowMapping) -> Portfolio:
    counts = PositionCounts(**{field.name: row[field.name] for field in fields(PositionCounts)})
    own = {field.name: row[field.name] for field in fields(Portfolio) if field.name != "counts"}
    return Portfolio(**own, counts=counts)

"""The sessions of accounts, one row each, as last calculated."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, Text, and_, cast, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from risk_engine.domain import ENGINES, History
from risk_engine.repository.rows import among
from risk_engine.tables import BOOKS, RESULTS, SNAPSHOTS

RECENT = timedelta(days=30)
"""How long an option's price stands in for one; a holiday more or less is no matter."""


_ByContract = dict[date, Mapping[str, float]]


@dataclass(frozen=True)
class Snapshot:
    """An account at the close of a session, in the book's currency."""

    session: date
    revision: int
    panel_version: int
    status: str
    net_asset_value: float
    cash: float
    long_market_value: float | None
    short_market_value: float | None
    gross_market_value: float | None
    net_market_value: float | None
    carried_value: float
    cost_basis: float
    unrealized_pnl: float | None
    realized_pnl: float
    daily_pnl: float | None
    daily_return: float | None


class Later(NamedTuple):
    """A session after another that has a result, and the panel it was made from."""

    as_of: date
    panel_version: int


class Histories:
    """What is known of accounts at earlier sessions."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def snapshots(
        self,
        portfolio_id: UUID,
        limit: int,
        *,
        start: date = date.min,
        end: date = date.max,
    ) -> Sequence[Snapshot]:
        """Return an account's latest sessions from `start` to `end`, oldest first."""
        rows = await self._connection.execute(
            select(*(SNAPSHOTS.c[field.name] for field in fields(Snapshot)))
            .where(
                SNAPSHOTS.c.portfolio_id == portfolio_id, SNAPSHOTS.c.session.between(start, end)
            )
            .order_by(SNAPSHOTS.c.session.desc())
            .limit(limit)
        )
        return [Snapshot(**row) for row in reversed(rows.mappings().all())]

    async def of(
        self, portfolio_ids: Collection[UUID], start: date, as_of: date
    ) -> tuple[Mapping[UUID, History], Mapping[UUID, Decimal]]:
        """Return the sessions from `start` to before `as_of`, of the book's revision alone.

        Another revision tells of another book; but what it says of options' prices is kept. Rows
        without a daily change, of before it was kept, are left out like portfolios without any.
        Beside them what `states` says of the same sessions.
        """
        is_first = SNAPSHOTS.c.session == BOOKS.c.opening_session
        counts = and_(
            BOOKS.c.revision == SNAPSHOTS.c.revision,
            or_(SNAPSHOTS.c.daily_pnl.is_not(None), is_first),
        )
        columns = (SNAPSHOTS.c.session, SNAPSHOTS.c.net_asset_value, SNAPSHOTS.c.daily_return)
        sessions, values, returns = (
            cast(
                func.array_agg(aggregate_order_by(column, SNAPSHOTS.c.session.asc())).filter(
                    counts
                ),
                ARRAY(column.type),
            )
            for column in columns
        )
        rows = await self._connection.execute(
            select(
                SNAPSHOTS.c.portfolio_id,
                sessions.label("sessions"),
                values.label("values"),
                returns.label("returns"),
                _state().label("state"),
            )
            .join(BOOKS, BOOKS.c.portfolio_id == SNAPSHOTS.c.portfolio_id)
            .where(*_between(portfolio_ids, start, as_of))
            .group_by(SNAPSHOTS.c.portfolio_id)
        )
        stored = rows.all()
        # After their states: what changes in between is not missed.
        remembered = await self._options(portfolio_ids, start, as_of)
        found = {
            row.portfolio_id: History(
                tuple(row.sessions),
                np.array(row.values, dtype=np.float64),
                np.array(row.returns, dtype=np.float64),
                *remembered.get(row.portfolio_id, ({}, {})),
            )
            for row in stored
            if row.sessions is not None
        }
        without_any = {
            portfolio_id: History((), np.empty(0), np.empty(0), *options)
            for portfolio_id, options in remembered.items()
            if portfolio_id not in found
        }
        return found | without_any, {row.portfolio_id: row.state for row in stored}

    async def states(
        self, portfolio_ids: Collection[UUID], start: date, end: date
    ) -> Mapping[UUID, Decimal]:
        """Number what is stored of the sessions from `start` to before `end`, by portfolio.

        While the number stays the same, nothing that another session is calculated from changed.
        """
        rows = await self._connection.execute(
            select(SNAPSHOTS.c.portfolio_id, _state().label("state"))
            .where(*_between(portfolio_ids, start, end))
            .group_by(SNAPSHOTS.c.portfolio_id)
        )
        return {row.portfolio_id: row.state for row in rows}

    async def later(self, portfolio_ids: Collection[UUID], as_of: date) -> Mapping[UUID, Later]:
        """Return the first session after `as_of` that has a result of the book's revision."""
        rows = await self._connection.execute(
            select(RESULTS.c.portfolio_id, RESULTS.c.as_of, RESULTS.c.panel_version)
            .ext(distinct_on(RESULTS.c.portfolio_id))
            .join(
                BOOKS,
                and_(
                    BOOKS.c.portfolio_id == RESULTS.c.portfolio_id,
                    BOOKS.c.revision == RESULTS.c.revision,
                ),
            )
            .where(
                among(RESULTS.c.portfolio_id, portfolio_ids),
                RESULTS.c.engine == ENGINES[0],
                RESULTS.c.as_of > as_of,
            )
            .order_by(RESULTS.c.portfolio_id, RESULTS.c.as_of)
        )
        return {row.portfolio_id: Later(row.as_of, row.panel_version) for row in rows}

    async def outdate(self, portfolio_ids: Collection[UUID], after: date) -> None:
        """Have the sessions after one calculated anew that only stand in for a night's own.

        They lose their daily change, and so are none that `of` returns; what options were priced
        at, and what their quotes implied, is kept.
        """
        of_its_night = exists().where(
            RESULTS.c.portfolio_id == SNAPSHOTS.c.portfolio_id,
            RESULTS.c.as_of == SNAPSHOTS.c.session,
            RESULTS.c.revision == SNAPSHOTS.c.revision,
            RESULTS.c.engine == ENGINES[0],
        )
        await self._connection.execute(
            update(SNAPSHOTS)
            .where(
                among(SNAPSHOTS.c.portfolio_id, portfolio_ids),
                SNAPSHOTS.c.session > after,
                ~of_its_night,
            )
            .values(daily_pnl=None, daily_return=None)
        )

    async def _options(
        self, portfolio_ids: Collection[UUID], start: date, as_of: date
    ) -> Mapping[UUID, tuple[_ByContract, _ByContract]]:
        """Return what options were priced at and what their quotes implied, by session."""
        # A session's prices matter when it is calculated again, and for the ones after it; an
        # opening's, for good. Of an account that has no hole, a few of the last will do.
        recent = as_of - RECENT
        opening = BOOKS.c.opening_session
        rows = await self._connection.execute(
            select(
                SNAPSHOTS.c.portfolio_id,
                SNAPSHOTS.c.session,
                SNAPSHOTS.c.option_prices,
                SNAPSHOTS.c.option_volatilities,
            )
            .join(BOOKS, BOOKS.c.portfolio_id == SNAPSHOTS.c.portfolio_id)
            .where(
                *_between(portfolio_ids, start, as_of),
                SNAPSHOTS.c.option_prices.is_not(None),
                or_(
                    SNAPSHOTS.c.session >= recent,
                    SNAPSHOTS.c.session.between(opening, opening + RECENT),
                    SNAPSHOTS.c.revision != BOOKS.c.revision,
                ),
            )
        )
        found: dict[UUID, tuple[_ByContract, _ByContract]] = defaultdict(lambda: ({}, {}))
        for row in rows:
            prices, volatilities = found[row.portfolio_id]
            prices[row.session] = row.option_prices
            if row.option_volatilities is not None:
                volatilities[row.session] = row.option_volatilities
        return found


def _state() -> ColumnElement[Decimal]:
    said = (
        cast(func.coalesce(cast(column, Text), "-"), Text)
        for column in (
            *(SNAPSHOTS.c.session, SNAPSHOTS.c.revision, SNAPSHOTS.c.net_asset_value),
            *(SNAPSHOTS.c.daily_return, SNAPSHOTS.c.option_prices),
            SNAPSHOTS.c.option_volatilities,
        )
    )
    return func.sum(func.hashtextextended(func.concat_ws("|", *said), 0))


def _between(
    portfolio_ids: Collection[UUID], start: date, as_of: date
) -> Sequence[ColumnElement[bool]]:
    return (
        among(SNAPSHOTS.c.portfolio_id, portfolio_ids),
        SNAPSHOTS.c.session >= start,
        SNAPSHOTS.c.session < as_of,
    )

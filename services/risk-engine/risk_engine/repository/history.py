"""The sessions of accounts, one row each, as last calculated."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
from sqlalchemy import Date, Double, and_, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from risk_engine.domain import History
from risk_engine.repository.rows import among
from risk_engine.tables import BOOKS, SNAPSHOTS


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


class Histories:
    """What is known of accounts at earlier sessions."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def snapshots(self, portfolio_id: UUID, limit: int) -> Sequence[Snapshot]:
        """Return an account's latest sessions, oldest first."""
        rows = await self._connection.execute(
            select(*(column for column in SNAPSHOTS.c if column.name != "portfolio_id"))
            .where(SNAPSHOTS.c.portfolio_id == portfolio_id)
            .order_by(SNAPSHOTS.c.session.desc())
            .limit(limit)
        )
        return [Snapshot(**row) for row in reversed(rows.mappings().all())]

    async def of(
        self, portfolio_ids: Collection[UUID], start: date, as_of: date
    ) -> Mapping[UUID, History]:
        """Return the sessions from `start` to before `as_of`, of the book's revision alone.

        Another revision tells of another book; portfolios without any are left out.
        """
        rows = await self._connection.execute(
            select(
                SNAPSHOTS.c.portfolio_id,
                cast(
                    func.array_agg(
                        aggregate_order_by(SNAPSHOTS.c.session, SNAPSHOTS.c.session.asc())
                    ),
                    ARRAY(Date),
                ).label("sessions"),
                cast(
                    func.array_agg(
                        aggregate_order_by(SNAPSHOTS.c.net_asset_value, SNAPSHOTS.c.session.asc())
                    ),
                    ARRAY(Double),
                ).label("values"),
            )
            .join(
                BOOKS,
                and_(
                    BOOKS.c.portfolio_id == SNAPSHOTS.c.portfolio_id,
                    BOOKS.c.revision == SNAPSHOTS.c.revision,
                ),
            )
            .where(
                among(SNAPSHOTS.c.portfolio_id, portfolio_ids),
                SNAPSHOTS.c.session >= start,
                SNAPSHOTS.c.session < as_of,
            )
            .group_by(SNAPSHOTS.c.portfolio_id)
        )
        return {
            row.portfolio_id: History(tuple(row.sessions), np.array(row.values)) for row in rows
        }

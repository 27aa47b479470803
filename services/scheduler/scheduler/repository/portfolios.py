"""The replica of who owns which portfolio, at which revision."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, Row, Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler.domain import Portfolio
from scheduler.tables import PORTFOLIOS


class Portfolios:
    """The table `portfolios`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, portfolio: Portfolio) -> None:
        """Take over what an event says, unless something newer is known.

        A deletion also takes the place of its own revision, which can only have been written
        before it.
        """
        row = upsert(PORTFOLIOS).values(
            portfolio_id=portfolio.portfolio_id,
            user_id=portfolio.user_id,
            revision=portfolio.revision,
            deleted=portfolio.deleted,
        )
        newer = PORTFOLIOS.c.revision < row.excluded.revision
        same = (PORTFOLIOS.c.revision == row.excluded.revision) & row.excluded.deleted
        await self._connection.execute(
            row.on_conflict_do_update(
                index_elements=[PORTFOLIOS.c.portfolio_id],
                set_={
                    "user_id": row.excluded.user_id,
                    "revision": row.excluded.revision,
                    "deleted": row.excluded.deleted,
                },
                where=newer | same,
            )
        )

    async def find(self, portfolio_id: UUID) -> Portfolio | None:
        """Return a portfolio that exists."""
        found = await self._connection.execute(
            select(PORTFOLIOS).where(
                PORTFOLIOS.c.portfolio_id == portfolio_id, ~PORTFOLIOS.c.deleted
            )
        )
        row = found.first()
        return None if row is None else _portfolio(row)

    async def hold(self, portfolio_ids: Collection[UUID]) -> dict[UUID, Portfolio]:
        """Return the known ones, deleted ones too; they stay as they are until the commit.

        Held so that a deletion sees the items of the run that is being opened, or the run the
        deletion.
        """
        found = await self._connection.execute(
            select(PORTFOLIOS)
            # One array, not a parameter each: a statement takes 32,767 of those.
            .where(PORTFOLIOS.c.portfolio_id == any_(literal([*portfolio_ids], ARRAY(Uuid))))
            .order_by(PORTFOLIOS.c.portfolio_id)
            .with_for_update(read=True)
        )
        return {row.portfolio_id: _portfolio(row) for row in found}


def _portfolio(row: Row[tuple[UUID, UUID, int, bool]]) -> Portfolio:
    return Portfolio(row.portfolio_id, row.user_id, row.revision, row.deleted)

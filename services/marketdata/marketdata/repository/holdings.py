"""The replica of what portfolios hold."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from common.unit_of_work import Unit
from marketdata.domain import Holding
from marketdata.tables import HOLDINGS


class Holdings:
    """Holdings by portfolio, the newest revision of each."""

    def __init__(self, unit: Unit) -> None:
        self._connection = unit.connection

    async def keep(self, holdings: Sequence[Holding]) -> None:
        """Keep each holding that is newer than what is known of its portfolio.

        At the same revision a deletion is newer, and so is what was not known.
        """
        if not holdings:
            return
        # In one order everywhere, so that two transactions cannot wait for each other.
        rows = [
            {
                "portfolio_id": holding.portfolio_id,
                "revision": holding.revision,
                "user_id": holding.user_id,
                "symbols": None if holding.symbols is None else list(holding.symbols),
                "contracts": None if holding.contracts is None else list(holding.contracts),
                "deleted": holding.deleted,
            }
            for holding in sorted(holdings, key=lambda holding: holding.portfolio_id)
        ]
        statement = upsert(HOLDINGS).values(rows)
        new, old = statement.excluded, HOLDINGS.c
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[old.portfolio_id],
                set_={
                    name: new[name]
                    for name in ("revision", "user_id", "symbols", "contracts", "deleted")
                },
                where=or_(
                    new.revision > old.revision,
                    and_(
                        new.revision == old.revision,
                        or_(
                            new.deleted,
                            and_(
                                ~old.deleted,
                                or_(old.symbols.is_(None), old.contracts.is_(None)),
                            ),
                        ),
                    ),
                ),
            )
        )

    async def of(self, portfolio_ids: Collection[UUID]) -> dict[UUID, Holding]:
        """Return what is known of these portfolios."""
        rows = await self._connection.execute(
            select(HOLDINGS).where(HOLDINGS.c.portfolio_id.in_(portfolio_ids))
        )
        return {
            row.portfolio_id: Holding(
                portfolio_id=row.portfolio_id,
                revision=row.revision,
                user_id=row.user_id,
                symbols=None if row.symbols is None else tuple(row.symbols),
                contracts=None if row.contracts is None else tuple(row.contracts),
                deleted=row.deleted,
            )
            for row in rows
        }

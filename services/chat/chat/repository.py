"""Chat's SQL, all of it."""

from datetime import date
from uuid import UUID

from sqlalchemy import tuple_
from sqlalchemy.dialects.postgresql import insert as upsert

from chat.tables import AGES
from common.unit_of_work import Unit


class Store:
    """The state of each portfolio's newest results."""

    def __init__(self, unit: Unit) -> None:
        self._connection = unit.connection
        self._now = unit.now

    async def keep_newest(
        self, portfolio_id: UUID, *, revision: int, as_of: date, panel_version: int
    ) -> None:
        """Remember which state results are of, unless those of a newer state are known."""
        row = upsert(AGES).values(
            portfolio_id=portfolio_id,
            revision=revision,
            as_of=as_of,
            panel_version=panel_version,
            heard_at=self._now,
        )
        state = ("revision", "as_of", "panel_version")
        known, heard = (
            tuple_(*(columns[name] for name in state)) for columns in (AGES.c, row.excluded)
        )
        await self._connection.execute(
            row.on_conflict_do_update(
                index_elements=[AGES.c.portfolio_id],
                set_={name: row.excluded[name] for name in (*state, "heard_at")},
                where=known < heard,
            )
        )

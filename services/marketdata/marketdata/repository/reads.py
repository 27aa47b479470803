"""What people read of the newest columns: quotes and profiles."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, select, true

from common.unit_of_work import Unit
from marketdata.domain import Quote, Security, Source
from marketdata.repository.columns import is_newest_of, is_one_of, profile_of
from marketdata.tables import BARS, SECURITIES


class Reads:
    """Reads of what one source says now; symbols it has nothing of are left out."""

    def __init__(self, unit: Unit, source: Source) -> None:
        self._connection = unit.connection
        self._source = source

    async def quotes(self, symbols: Collection[str]) -> dict[str, Quote]:
        """Return the newest bar of each symbol, with the close before it."""
        newest = _bars_of_column().limit(1).lateral("newest")
        before = (
            _bars_of_column().where(BARS.c.session < newest.c.session).limit(1).lateral("before")
        )
        rows = await self._connection.execute(
            select(
                newest,
                before.c.session.label("previous_session"),
                before.c.close.label("previous_close"),
            )
            .select_from(SECURITIES)
            .join(newest, true())
            .outerjoin(before, true())
            .where(is_one_of(SECURITIES.c.symbol, symbols), is_newest_of(self._source))
        )
        return {
            row.symbol: Quote(
                symbol=row.symbol,
                session=row.session,
                high=row.high,
                low=row.low,
                close=row.close,
                volume=row.volume,
                split_ratio=row.split_ratio,
                previous_session=row.previous_session,
                previous_close=row.previous_close,
            )
            for row in rows
        }

    async def securities(self, symbols: Collection[str]) -> dict[str, Security]:
        """Return what is known of these symbols."""
        rows = await self._connection.execute(
            select(SECURITIES).where(
                is_one_of(SECURITIES.c.symbol, symbols),
                is_newest_of(self._source),
                SECURITIES.c.status == "known",
            )
        )
        return {row.symbol: Security(profile_of(row), row.asked_at) for row in rows}


def _bars_of_column() -> Select[Any]:
    return (
        select(BARS)
        .where(
            BARS.c.symbol == SECURITIES.c.symbol,
            BARS.c.column_version == SECURITIES.c.column_version,
        )
        .order_by(BARS.c.session.desc())
    )

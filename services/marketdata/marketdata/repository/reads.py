"""What people read of the newest columns: quotes, profiles and rates."""

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, true

from common.unit_of_work import Unit
from marketdata.domain import Curve, Quote, Security, Source
from marketdata.repository.columns import is_newest_of, is_one_of, profile_of
from marketdata.repository.snapshots import snapshot_columns, snapshot_of
from marketdata.tables import BARS, CURVES, SECURITIES, SNAPSHOTS


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
                SNAPSHOTS.c.bid,
                SNAPSHOTS.c.ask,
            )
            .select_from(SECURITIES)
            .join(newest, true())
            .outerjoin(before, true())
            .outerjoin(
                SNAPSHOTS, and_(_is_said_of_column(), SNAPSHOTS.c.session == newest.c.session)
            )
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
                bid=row.bid,
                ask=row.ask,
            )
            for row in rows
        }

    async def securities(self, symbols: Collection[str]) -> dict[str, Security]:
        """Return what is known of these symbols."""
        newest = (
            select(SNAPSHOTS)
            .where(_is_said_of_column(), _DESCRIBES)
            .order_by(SNAPSHOTS.c.session.desc())
            .limit(1)
            .lateral("newest")
        )
        rows = await self._connection.execute(
            select(SECURITIES, *snapshot_columns(newest))
            .outerjoin(newest, true())
            .where(
                is_one_of(SECURITIES.c.symbol, symbols),
                is_newest_of(self._source),
                SECURITIES.c.status == "known",
            )
        )
        return {
            row.symbol: Security(profile_of(row), row.asked_at, snapshot_of(row)) for row in rows
        }

    async def curve(self, as_of: date) -> Curve | None:
        """Return the newest curve up to a day, None where none is loaded."""
        found = await self._connection.execute(
            select(CURVES.c.session, CURVES.c.rates)
            .where(
                CURVES.c.provider == self._source.provider,
                CURVES.c.model_version == self._source.model_version,
                CURVES.c.session <= as_of,
            )
            .order_by(CURVES.c.session.desc())
            .limit(1)
        )
        row = found.one_or_none()
        return None if row is None else Curve(row.session, tuple(row.rates))


_DESCRIBES = or_(
    *(SNAPSHOTS.c[name].is_not(None) for name in ("market_cap", "dividend_yield", "beta"))
)
"""Whether a snapshot says anything of a profile: silence of today hides no word of yesterday."""


def _is_said_of_column() -> ColumnElement[bool]:
    return and_(
        SNAPSHOTS.c.symbol == SECURITIES.c.symbol,
        SNAPSHOTS.c.column_version == SECURITIES.c.column_version,
    )


def _bars_of_column() -> Select[Any]:
    return (
        select(BARS)
        .where(
            BARS.c.symbol == SECURITIES.c.symbol,
            BARS.c.column_version == SECURITIES.c.column_version,
        )
        .order_by(BARS.c.session.desc())
    )

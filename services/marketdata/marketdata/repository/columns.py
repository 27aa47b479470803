"""Columns: securities as a source knows them, and their bars."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from io import BytesIO
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Text,
    and_,
    any_,
    exists,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from common.unit_of_work import Unit
from marketdata.domain import (
    UNKNOWN_SYMBOL,
    Column,
    Edition,
    PanelState,
    Profile,
    Source,
    Span,
    gap,
)
from marketdata.repository import bar_rows
from marketdata.repository.editions import is_of, was_published_with
from marketdata.repository.locks import lock
from marketdata.tables import (
    BARS,
    BENCHMARKS,
    CURVES_LOADED,
    METADATA,
    PANEL_COLUMNS,
    PANELS,
    SECURITIES,
    SNAPSHOTS,
)

_PROFILE_FIELDS = tuple(field.name for field in fields(Profile))


@dataclass(frozen=True)
class Added:
    """Which symbols are new in the security master, and how each one is there."""

    known: tuple[str, ...]
    unknown: tuple[str, ...]


class Columns:
    """The newest column of each symbol and source; older ones stay for their panels."""

    def __init__(self, unit: Unit) -> None:
        self._connection = unit.connection

    async def state(self, edition: Edition, symbols: Collection[str]) -> PanelState:
        """Return the edition's newest panel and what there is of these symbols, at one moment."""
        source = edition.source
        panel = (
            select(
                func.max(PANELS.c.version).label("version"),
                # Once a panel of the edition has shown rates, all that follow do.
                func.min(PANELS.c.curves_from).label("shown_from"),
                func.max(func.coalesce(PANELS.c.curves_through, PANELS.c.as_of))
                .filter(PANELS.c.curves_from.is_not(None))
                .label("shown_through"),
            )
            .where(is_of(edition))
            .subquery()
        )
        last_session = (
            select(func.max(BARS.c.session))
            .where(
                BARS.c.symbol == SECURITIES.c.symbol,
                BARS.c.column_version == SECURITIES.c.column_version,
                BARS.c.session <= edition.as_of,
            )
            .scalar_subquery()
        )
        published = exists().where(
            PANEL_COLUMNS.c.symbol == SECURITIES.c.symbol,
            PANEL_COLUMNS.c.column_version == SECURITIES.c.column_version,
            was_published_with(edition),
        )
        has_snapshot = exists().where(
            SNAPSHOTS.c.symbol == SECURITIES.c.symbol,
            SNAPSHOTS.c.column_version == SECURITIES.c.column_version,
            SNAPSHOTS.c.session == edition.as_of,
        )
        has_benchmark = exists().where(
            BENCHMARKS.c.provider == source.provider,
            BENCHMARKS.c.model_version == source.model_version,
            BENCHMARKS.c.session == edition.as_of,
        )
        wanted = and_(is_one_of(SECURITIES.c.symbol, symbols), is_newest_of(source))
        curves = and_(
            CURVES_LOADED.c.provider == source.provider,
            CURVES_LOADED.c.model_version == source.model_version,
        )
        rows = await self._connection.execute(
            select(
                panel,
                has_benchmark.label("has_benchmark"),
                CURVES_LOADED.c.loaded_from.label("curves_from"),
                CURVES_LOADED.c.loaded_through.label("curves_through"),
                SECURITIES,
                last_session.label("last_session"),
                published.label("published"),
                has_snapshot.label("has_snapshot"),
            ).select_from(panel.outerjoin(CURVES_LOADED, curves).outerjoin(SECURITIES, wanted))
        )
        # In a thread, for a night's symbols and options are tens of thousands.
        return await asyncio.to_thread(_state_of, rows.all())

    async def add(
        self,
        source: Source,
        symbols: Sequence[str],
        profiles: Mapping[str, Profile],
        now: datetime,
    ) -> Added:
        """Open a column for each symbol the source said something new about; return which."""
        # Versions are counted per symbol: two workers must not both take the next one.
        await lock(self._connection, f"{METADATA.schema}.securities")
        rows = await self._connection.execute(
            select(SECURITIES)
            .where(is_one_of(SECURITIES.c.symbol, symbols))
            .order_by(SECURITIES.c.symbol, SECURITIES.c.column_version)
        )
        newest = dict.fromkeys(symbols, 0)
        status: dict[str, str] = {}
        for row in rows:
            newest[row.symbol] = row.column_version
            if Source(row.provider, row.model_version) == source:
                status[row.symbol] = row.status
        new = [
            symbol
            for symbol in symbols
            if symbol not in status or (status[symbol] == "unknown" and symbol in profiles)
        ]
        if new:
            await self._connection.execute(
                insert(SECURITIES),
                [
                    _row(symbol, newest[symbol] + 1, source, profiles.get(symbol), now)
                    for symbol in new
                ],
            )
        await self._connection.execute(
            update(SECURITIES)
            .where(
                is_one_of(SECURITIES.c.symbol, symbols),
                is_newest_of(source),
                SECURITIES.c.status == "unknown",
            )
            .values(asked_at=now)
        )
        return Added(
            known=tuple(symbol for symbol in new if symbol in profiles),
            unknown=tuple(symbol for symbol in new if symbol not in profiles),
        )

    async def add_bars(
        self, edition: Edition, span: Span, rows: Mapping[tuple[str, int], bytes]
    ) -> None:
        """Add the bars of a span, as `bar_rows.copy_rows` gives them by (symbol, version).

        A column whose loaded range has moved since is left out: another worker was faster, and
        its bars are there.
        """
        held = await self._connection.execute(
            select(SECURITIES)
            .where(tuple_(SECURITIES.c.symbol, SECURITIES.c.column_version).in_(rows))
            .order_by(SECURITIES.c.symbol)
            .with_for_update()
        )
        waiting = [
            (row.symbol, row.column_version)
            for row in held
            if gap(span_of(row.loaded_from, row.loaded_through), edition.span_of(row.symbol))
            == span
        ]
        if not waiting:
            return
        await self._connection.execute(
            update(SECURITIES)
            .where(tuple_(SECURITIES.c.symbol, SECURITIES.c.column_version).in_(waiting))
            .values(
                # Of a null and a day, Postgres's least and greatest give the day.
                loaded_from=func.least(SECURITIES.c.loaded_from, span.first),
                loaded_through=func.greatest(SECURITIES.c.loaded_through, span.last),
            )
        )
        # The statements above opened the transaction on the driver's connection.
        raw = await self._connection.get_raw_connection()
        assert raw.driver_connection is not None  # noqa: S101 - it is open
        await raw.driver_connection.copy_to_table(
            BARS.name,
            schema_name=METADATA.schema,
            columns=bar_rows.COPIED,
            format="binary",
            source=BytesIO(
                b"".join((bar_rows.HEADER, *(rows[column] for column in waiting), bar_rows.TRAILER))
            ),
        )


def _state_of(rows: Sequence[Row[Any]]) -> PanelState:
    # There is one row at least: that of the panel, without a security.
    panel = rows[0]
    return PanelState(
        version=panel.version,
        columns={row.symbol: _column_of(row) for row in rows if row.symbol is not None},
        curves=span_of(panel.curves_from, panel.curves_through),
        shows_curves=panel.shown_from is not None,
        curves_shown_through=panel.shown_through,
        has_benchmark=panel.has_benchmark,
    )


def _column_of(row: Row[Any]) -> Column:
    return Column(
        symbol=row.symbol,
        version=row.column_version,
        known=row.status == "known",
        reason=row.reason,
        asked_at=row.asked_at,
        loaded=span_of(row.loaded_from, row.loaded_through),
        last_session=row.last_session,
        published=row.published,
        has_bars=row.kind != "option",
        has_snapshot=row.has_snapshot,
    )


def is_one_of(column: ColumnElement[str], symbols: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a column has one of these symbols, in one parameter."""
    return column == any_(literal(list(symbols), ARRAY(Text)))


def profile_of(row: Row[Any]) -> Profile:
    """Return what a known security's row says of it."""
    return Profile(**{field: getattr(row, field) for field in _PROFILE_FIELDS})


def is_newest_of(source: Source) -> ColumnElement[bool]:
    """Return the condition that a security is its symbol's newest column of a source."""
    other = SECURITIES.alias("other")
    newest = (
        select(func.max(other.c.column_version))
        .where(
            other.c.symbol == SECURITIES.c.symbol,
            other.c.provider == source.provider,
            other.c.model_version == source.model_version,
        )
        .scalar_subquery()
    )
    return SECURITIES.c.column_version == newest


def span_of(first: date | None, last: date | None) -> Span | None:
    """Return the days from the first to the last, None where there are none."""
    return None if first is None or last is None else Span(first, last)


def _row(
    symbol: str, version: int, source: Source, profile: Profile | None, now: datetime
) -> dict[str, Any]:
    reason = None if profile else UNKNOWN_SYMBOL
    return {
        **{field: getattr(profile, field, None) for field in _PROFILE_FIELDS},
        "symbol": symbol,
        "column_version": version,
        "status": "known" if profile else "unknown",
        "reason": reason,
        "provider": source.provider,
        "model_version": source.model_version,
        "asked_at": now,
    }

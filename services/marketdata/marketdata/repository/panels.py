"""Panels: which columns were announced under which version."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    Row,
    Subquery,
    and_,
    any_,
    func,
    insert,
    literal,
    or_,
    select,
    true,
)

from common.unit_of_work import Unit
from marketdata.domain import (
    CURVE,
    Benchmark,
    Column,
    Curves,
    Edition,
    PanelColumn,
    PanelState,
    Reference,
    Source,
    Span,
)
from marketdata.repository import bar_rows
from marketdata.repository.columns import (
    Columns,
    is_one_of,
    profile_of,
)
from marketdata.repository.editions import was_published_with
from marketdata.repository.locks import lock
from marketdata.repository.snapshots import Snapshots, snapshot_columns, snapshot_of
from marketdata.tables import (
    BARS,
    CURVES,
    METADATA,
    PANEL_COLUMNS,
    PANELS,
    SECURITIES,
    SNAPSHOTS,
)


class Panels:
    """Panels by session and version. What was published stays as it is."""

    def __init__(self, unit: Unit) -> None:
        self._connection = unit.connection
        self._columns = Columns(unit)
        self._snapshots = Snapshots(unit)

    async def current(
        self, edition: Edition, symbols: Collection[str]
    ) -> tuple[int, Mapping[str, Column]]:
        """Return the panel that shows all that is loaded of these symbols, and their columns.

        It is a new version if something was not shown yet: that shows what the one before did,
        and more. Until the transaction ends nobody else takes the session's next number.
        """
        state = await self._columns.state(edition, symbols)
        silent = any(column.lacks_only_words(edition) for column in state.columns.values())
        if state.version is not None and state.news(edition) is None and not silent:
            return state.version, state.columns
        await lock(self._connection, f"{METADATA.schema}.panels:{edition.as_of}")
        state = await self._columns.state(edition, symbols)
        state = await self._with_silence(state, edition)
        new = state.news(edition)
        if state.version is not None and new is None:
            return state.version, state.columns
        version = await self._next_version(edition.as_of)
        await self._connection.execute(
            insert(PANELS).values(
                as_of=edition.as_of,
                version=version,
                provider=edition.source.provider,
                model_version=edition.source.model_version,
                first_session=edition.span.first,
                format=edition.format,
                curves_from=edition.rates.first if state.has_curves(edition) else None,
                curves_through=state.curves_through(edition),
                reference_from=edition.reference and edition.reference.span.first,
                reference=edition.reference and sorted(edition.reference.symbols),
                cross_section=None
                if edition.cross_section is None
                else sorted(edition.cross_section),
            )
        )
        if new:
            await self._connection.execute(
                insert(PANEL_COLUMNS),
                [
                    {
                        "as_of": edition.as_of,
                        "symbol": column.symbol,
                        "since_version": version,
                        "column_version": column.version,
                    }
                    for column in new
                ],
            )
        shown = {column.symbol: replace(column, published=True) for column in new or ()}
        return version, {**state.columns, **shown}

    async def _with_silence(self, state: PanelState, edition: Edition) -> PanelState:
        # What nothing could be learned of in time is published with that; a word that came later
        # would change what this panel shows.
        silent = [c for c in state.columns.values() if c.lacks_only_words(edition)]
        await self._snapshots.add(silent, edition.as_of, {})
        if not state.has_benchmark:
            await self._snapshots.add_benchmark(edition, None)
        said = {column.symbol: replace(column, has_snapshot=True) for column in silent}
        return replace(state, columns={**state.columns, **said})

    async def edition(self, as_of: date, version: int) -> Edition | None:
        """Return what a panel shows, or None when none was published under this version."""
        found = await self._connection.execute(
            select(PANELS).where(PANELS.c.as_of == as_of, PANELS.c.version == version)
        )
        row = found.one_or_none()
        if row is None:
            return None
        reference = None
        if row.reference is not None:
            reference = Reference(frozenset(row.reference), Span(row.reference_from, as_of))
        span = Span(row.first_session, as_of)
        shares = None if row.cross_section is None else frozenset(row.cross_section)
        return Edition(Source(row.provider, row.model_version), span, row.format, reference, shares)

    async def curves_shown(self, edition: Edition, version: int) -> Span | None:
        """Return the sessions of a panel's rates; None where they came after it."""
        found = await self._connection.execute(
            select(
                PANELS.c.curves_from,
                func.coalesce(PANELS.c.curves_through, PANELS.c.as_of).label("through"),
            ).where(PANELS.c.as_of == edition.as_of, PANELS.c.version == version)
        )
        row = found.one()
        return None if row.curves_from is None else Span(row.curves_from, row.through)

    async def curves(self, edition: Edition, shown: Span | None) -> Curves:
        """Return the rates of an edition in a span of sessions; none where that is none."""
        first, last = shown or (None, None)
        rows = await self._connection.execute(
            select(CURVES.c.session, CURVES.c.rates)
            .where(
                CURVES.c.provider == edition.source.provider,
                CURVES.c.model_version == edition.source.model_version,
                CURVES.c.session.between(first, last),
            )
            .order_by(CURVES.c.session)
        )
        return np.array([(row.session, row.rates) for row in rows], CURVE)

    async def versions(self, edition: Edition, version: int) -> Mapping[str, int]:
        """Return the column version of every known security that a panel shows, options apart.

        Of those it shows a quote each, no column that is worth keeping.
        """
        shown = _shown(edition, version, None)
        rows = await self._connection.execute(
            select(SECURITIES.c.symbol, SECURITIES.c.column_version)
            .join(shown, _is_in(shown))
            .where(SECURITIES.c.status == "known", SECURITIES.c.kind != "option")
        )
        return {row.symbol: row.column_version for row in rows}

    async def reference_versions(self, edition: Edition, version: int) -> Mapping[str, int]:
        """Return the column version of each symbol of a panel's reference and cross-section.

        Whatever these say follows from them; 0 where none is shown.
        """
        symbols = edition.cross_section or frozenset()
        if edition.reference is not None:
            symbols |= edition.reference.symbols
        if not symbols:
            return {}
        rows = await self._connection.execute(select(_shown(edition, version, symbols)))
        versions = {row.symbol: row.newest for row in rows}
        return {**dict.fromkeys(symbols, 0), **versions}

    async def reference(self, edition: Edition, version: int) -> Sequence[PanelColumn]:
        """Return the columns of a panel's reference by symbol, with its many bars."""
        if edition.reference is None:
            return ()
        symbols, span = edition.reference.symbols, edition.reference.span
        return await self.columns(edition, version, symbols, span)

    async def cross_section(self, edition: Edition, version: int) -> Sequence[PanelColumn]:
        """Return the columns of a panel's cross-section by symbol."""
        if not edition.cross_section:
            return ()
        return await self.columns(edition, version, edition.cross_section)

    async def benchmark(self, edition: Edition) -> Benchmark | None:
        """Return what the panels of an edition say that the benchmark is made of."""
        return None if edition.reference is None else await self._snapshots.benchmark(edition)

    async def columns(
        self,
        edition: Edition,
        version: int,
        symbols: Collection[str] | None,
        span: Span | None = None,
    ) -> Sequence[PanelColumn]:
        """Return the columns of a panel by symbol, all of them or some, with their bars.

        The bars are those of a span, the panel's own unless given.
        """
        wanted = BARS.c.session.between(*(span or edition.span))
        return await self._columns_with(edition, version, symbols, wanted)

    async def earlier(
        self,
        edition: Edition,
        version: int,
        symbols: Collection[str],
        since: date,
        sessions: Collection[date],
    ) -> Sequence[PanelColumn]:
        """Return columns of a panel with bars from before it: the splits and dividends of old.

        That is since a day, as far as bars are loaded, and the bars of some sessions besides.
        """
        acts = or_(BARS.c.split_ratio != 1, BARS.c.dividend != 0)
        wanted = and_(
            BARS.c.session >= since,
            BARS.c.session < edition.span.first,
            or_(acts, BARS.c.session == any_(literal(sorted(sessions), ARRAY(Date)))),
        )
        return await self._columns_with(edition, version, symbols, wanted)

    async def _columns_with(
        self,
        edition: Edition,
        version: int,
        symbols: Collection[str] | None,
        wanted: ColumnElement[bool],
    ) -> Sequence[PanelColumn]:
        shown = _shown(edition, version, symbols)
        bars = (
            select(bar_rows.packed_bars().label("packed"))
            .where(
                BARS.c.symbol == SECURITIES.c.symbol,
                BARS.c.column_version == SECURITIES.c.column_version,
                wanted,
            )
            .lateral("bars_of_column")
        )
        said = and_(
            SNAPSHOTS.c.symbol == SECURITIES.c.symbol,
            SNAPSHOTS.c.column_version == SECURITIES.c.column_version,
            SNAPSHOTS.c.session == edition.as_of,
            # Of a security that an older panel shows one may have come since.
            literal(edition.format > 1),
        )
        rows = await self._connection.execute(
            select(SECURITIES, bars.c.packed, *snapshot_columns())
            .join(shown, _is_in(shown))
            .join(bars, true())
            .outerjoin(SNAPSHOTS, said)
        )
        # In a thread: of twenty thousand options it takes the better part of a second.
        return await asyncio.to_thread(_columns_of, rows.all())

    async def _next_version(self, as_of: date) -> int:
        newest = await self._connection.execute(
            select(func.coalesce(func.max(PANELS.c.version), 0)).where(PANELS.c.as_of == as_of)
        )
        return int(newest.scalar_one()) + 1


def _columns_of(rows: Sequence[Row[Any]]) -> list[PanelColumn]:
    columns = [
        PanelColumn(
            symbol=row.symbol,
            version=row.column_version,
            profile=profile_of(row) if row.status == "known" else None,
            reason=row.reason,
            history=bar_rows.unpack(row.packed),
            snapshot=snapshot_of(row),
            loaded_from=row.loaded_from,
        )
        for row in rows
    ]
    # Sorted here and not there: a server's collation may put symbols in another order.
    return sorted(columns, key=lambda column: column.symbol)


def _shown(edition: Edition, version: int, symbols: Collection[str] | None) -> Subquery:
    return (
        # The columns of a symbol are published in the order of their versions.
        select(PANEL_COLUMNS.c.symbol, func.max(PANEL_COLUMNS.c.column_version).label("newest"))
        .join(PANELS, was_published_with(edition))
        .where(
            PANEL_COLUMNS.c.since_version <= version,
            true() if symbols is None else is_one_of(PANEL_COLUMNS.c.symbol, symbols),
        )
        .group_by(PANEL_COLUMNS.c.symbol)
        .subquery()
    )


def _is_in(shown: Subquery) -> ColumnElement[bool]:
    return and_(
        SECURITIES.c.symbol == shown.c.symbol,
        SECURITIES.c.column_version == shown.c.newest,
    )

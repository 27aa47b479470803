"""What was said of securities at a session's close, the Treasury's curves, and the benchmark."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, func, null, select
from sqlalchemy.dialects.postgresql import insert as upsert

from common.unit_of_work import Unit
from marketdata.domain import (
    Benchmark,
    Column,
    Curves,
    Dividend,
    Edition,
    Snapshot,
    Source,
    Span,
    gap,
)
from marketdata.repository.columns import span_of
from marketdata.repository.locks import lock
from marketdata.tables import BENCHMARKS, CURVES, CURVES_LOADED, METADATA, SNAPSHOTS

_SCALARS = tuple(field.name for field in fields(Snapshot) if field.name != "dividends")
_FIELDS = (*_SCALARS, "ex_dates", "dividends")


class Snapshots:
    """Snapshots by column and session, curves and benchmarks by source and session.

    All are only ever added.
    """

    def __init__(self, unit: Unit) -> None:
        self._connection = unit.connection

    async def add(
        self, columns: Iterable[Column], session: date, said: Mapping[str, Snapshot]
    ) -> None:
        """Add what was said of these columns; the first word stands, and silence is one too."""
        rows = [
            {
                "symbol": column.symbol,
                "column_version": column.version,
                "session": session,
                **_values(said.get(column.symbol, _SILENCE)),
            }
            # In one order everywhere, so that two transactions cannot wait for each other.
            for column in sorted(columns, key=lambda column: column.symbol)
        ]
        if rows:
            await self._connection.execute(upsert(SNAPSHOTS).on_conflict_do_nothing(), rows)

    async def add_benchmark(self, edition: Edition, said: Benchmark | None) -> None:
        """Add what the benchmark is made of; the first word stands, and silence is one too."""
        row = {
            "provider": edition.source.provider,
            "model_version": edition.source.model_version,
            "session": edition.as_of,
            "name": said and said.name,
            "as_of": said and said.as_of,
            # Not JSON's null.
            "weights": null() if said is None else dict(said.weights),
        }
        await self._connection.execute(upsert(BENCHMARKS).values(row).on_conflict_do_nothing())

    async def benchmark(self, edition: Edition) -> Benchmark | None:
        """Return what the benchmark was made of when panels of an edition were published."""
        found = await self._connection.execute(
            select(BENCHMARKS).where(
                BENCHMARKS.c.provider == edition.source.provider,
                BENCHMARKS.c.model_version == edition.source.model_version,
                BENCHMARKS.c.session == edition.as_of,
                BENCHMARKS.c.weights.is_not(None),
            )
        )
        row = found.one_or_none()
        return None if row is None else Benchmark(row.name, row.as_of, row.weights)

    async def add_curves(self, edition: Edition, span: Span, curves: Curves) -> None:
        """Add a span's curves, unless another worker was faster.

        What came is loaded: of the newest sessions a curve may come hours after the close. Of the
        oldest none will come, and nobody asks again.
        """
        source = edition.source
        await lock(self._connection, f"{METADATA.schema}.curves")
        before = await self._loaded(source)
        if gap(before, edition.rates) != span:
            return
        came: list[date] = curves["session"].tolist()
        is_older = before is not None and span.last < before.first
        through = span.last if is_older else max(came, default=None)
        if through is None:
            return
        key = {"provider": source.provider, "model_version": source.model_version}
        loaded = {**key, "loaded_from": span.first, "loaded_through": through}
        statement = upsert(CURVES_LOADED).values(loaded)
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(key),
                set_={
                    "loaded_from": func.least(CURVES_LOADED.c.loaded_from, span.first),
                    "loaded_through": func.greatest(CURVES_LOADED.c.loaded_through, through),
                },
            )
        )
        rows = [
            {**key, "session": session, "rates": rates}
            for session, rates in zip(came, curves["rates"].tolist(), strict=True)
        ]
        if rows:
            await self._connection.execute(upsert(CURVES), rows)

    async def _loaded(self, source: Source) -> Span | None:
        found = await self._connection.execute(
            select(CURVES_LOADED).where(
                CURVES_LOADED.c.provider == source.provider,
                CURVES_LOADED.c.model_version == source.model_version,
            )
        )
        row = found.one_or_none()
        return None if row is None else span_of(row.loaded_from, row.loaded_through)


def snapshot_columns(rows: FromClause = SNAPSHOTS) -> list[ColumnElement[Any]]:
    """Return what to select of rows of snapshots for `snapshot_of`."""
    return [rows.c[name].label(f"said_{name}") for name in _FIELDS]


def snapshot_of(row: Row[Any]) -> Snapshot:
    """Return what was said in a row of `snapshot_columns`."""
    declared = zip(row.said_ex_dates or (), row.said_dividends or (), strict=True)
    return Snapshot(
        **{name: getattr(row, f"said_{name}") for name in _SCALARS},
        dividends=tuple(Dividend(*one) for one in declared),
    )


def _values(snapshot: Snapshot) -> dict[str, Any]:
    declared = snapshot.dividends
    return {
        **{name: getattr(snapshot, name) for name in _SCALARS},
        "ex_dates": [one.ex_date for one in declared] or None,
        "dividends": [one.amount for one in declared] or None,
    }


_SILENCE = Snapshot()

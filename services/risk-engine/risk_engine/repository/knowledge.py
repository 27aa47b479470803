"""What is known of portfolios: results of their newest calculation, and why engines have none."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, Text, and_, cast, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from risk_engine.domain import ENGINES, EngineName, Failure
from risk_engine.repository.rows import among
from risk_engine.tables import BOOKS, FAILURES, RESULTS

EVERY_ENGINE: EngineName = "valuation"
"""Stands for a calculation that gave nothing at all: no engine has a result without this one."""


@dataclass(frozen=True)
class Result:
    """What an engine found: `payload` as `engine.results.pack` wrote it, or JSON of before."""

    as_of: date
    revision: int
    panel_version: int
    status: str
    model_version: str
    input_hash: str
    calculated_at: datetime
    payload: bytes


@dataclass(frozen=True)
class Known:
    """What is known of a portfolio: each engine's newest result, and why its last attempt failed.

    All results are of one calculation, the newest; an engine that failed in it has none.
    """

    portfolio_id: UUID
    name: str
    revision: int
    results: Mapping[EngineName, Result]
    failures: Mapping[EngineName, Failure]

    @property
    def valuation(self) -> Result | None:
        """Return the result without which there is no other."""
        return self.results.get("valuation")


class Knowledge:
    """What engines found, read together."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of(
        self, portfolio_ids: Collection[UUID], engines: Collection[EngineName] = ENGINES
    ) -> Mapping[UUID, Known]:
        """Return what is known of portfolios, for those the replica has heard of.

        The valuation is always read: the others are shown with what it says.
        """
        valuations = RESULTS.alias("valuations")
        newest = (
            select(valuations.c.as_of)
            .where(
                valuations.c.portfolio_id == BOOKS.c.portfolio_id,
                valuations.c.engine == EVERY_ENGINE,
            )
            .order_by(valuations.c.revision.desc(), valuations.c.as_of.desc())
            .limit(1)
            .lateral("newest")
        )
        of_it = and_(
            RESULTS.c.portfolio_id == BOOKS.c.portfolio_id,
            RESULTS.c.as_of == newest.c.as_of,
            RESULTS.c.engine.in_(sorted({*engines, EVERY_ENGINE})),
        )
        rows = await self._connection.execute(
            select(
                BOOKS.c.portfolio_id,
                BOOKS.c.name,
                BOOKS.c.revision.label("book_revision"),
                RESULTS.c.engine,
                *(RESULTS.c[field.name] for field in fields(Result) if field.name != "payload"),
                func.coalesce(RESULTS.c.packed, _utf8(RESULTS.c.payload)).label("payload"),
            )
            .select_from(BOOKS.outerjoin(newest, true()).outerjoin(RESULTS, of_it))
            .where(among(BOOKS.c.portfolio_id, portfolio_ids), BOOKS.c.deleted.is_(False))
        )
        found: dict[UUID, Known] = {}
        results: dict[UUID, dict[EngineName, Result]] = defaultdict(dict)
        failures = await self._failures(portfolio_ids)
        for row in rows:
            of_portfolio = results[row.portfolio_id]
            if row.engine is not None:
                of_portfolio[row.engine] = Result(
                    **{field.name: getattr(row, field.name) for field in fields(Result)}
                )
            found[row.portfolio_id] = Known(
                row.portfolio_id,
                row.name,
                row.book_revision,
                of_portfolio,
                failures.get(row.portfolio_id, {}),
            )
        return found

    async def _failures(
        self, portfolio_ids: Collection[UUID]
    ) -> Mapping[UUID, Mapping[EngineName, Failure]]:
        rows = await self._connection.execute(
            select(
                FAILURES.c.portfolio_id, FAILURES.c.engine, FAILURES.c.reason, FAILURES.c.message
            ).where(among(FAILURES.c.portfolio_id, portfolio_ids))
        )
        found: dict[UUID, dict[EngineName, Failure]] = defaultdict(dict)
        for row in rows:
            found[row.portfolio_id][row.engine] = Failure(row.reason, row.message)
        return found


def _utf8(payload: ColumnElement[Any]) -> ColumnElement[bytes]:
    return func.convert_to(cast(payload, Text), "UTF8", type_=LargeBinary)

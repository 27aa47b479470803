"""The statements on a service's `work` table: who has a row, for how long, and how it ends.

Every statement that settles a row names the token of its lease: a worker whose lease went to
another changes nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from pydantic import BaseModel
from sqlalchemy import (
    ColumnElement,
    Delete,
    Update,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from common.errors import LeaseLost
from common.unit_of_work import Cause, Unit, UnitOfWork


@dataclass(frozen=True)
class Work:
    """A leased row."""

    id: UUID
    kind: str
    payload: dict[str, Any]
    cause: Cause
    attempts: int
    deaths: int
    """How many workers in a row died with it in hand."""
    expires_at: datetime
    token: UUID


Held = tuple[UUID, UUID]
"""A row's id and the token of the lease on it."""


class Rows:
    """The rows of the kinds that one worker does."""

    def __init__(self, unit_of_work: UnitOfWork, kinds: Collection[str], lease: timedelta) -> None:
        self._unit_of_work = unit_of_work
        self._table = unit_of_work.tables.work
        self._kinds = kinds
        self._lease = lease

    async def claim(self, count: int, in_hand: Collection[Held]) -> list[Work]:
        """Lease up to `count` rows that are due.

        A row whose worker died may have killed it, and so may each that was in hand beside it:
        such a suspect is taken alone by an empty hand, the one with most deaths first, and while
        one waits nothing else is taken. What is not taken is not counted.
        """
        table = self._table
        # A lease that ran out unreleased is a worker that died with the row in hand.
        deaths = table.c.deaths + case((table.c.lease_until.is_(None), 0), else_=1)
        due = (
            select(table.c.id, deaths.label("deaths"))
            .where(
                table.c.died_at.is_(None),
                table.c.kind.in_(self._kinds),
                table.c.available_at <= func.now(),
                or_(table.c.lease_until.is_(None), table.c.lease_until < func.now()),
                # A lapsed lease of our own (the database was away) is renewed, not taken anew.
                table.c.id.not_in([work_id for work_id, _ in in_hand]),
            )
            .order_by(table.c.available_at)
            .limit(count)
            .with_for_update(skip_locked=True)
            .cte("due")
            .prefix_with("MATERIALIZED")
        )
        suspect = (
            select(due.c.id)
            .where(due.c.deaths > 0)
            .order_by(due.c.deaths.desc(), due.c.id)
            .limit(1)
            .cte("suspect")
        )
        clean = select(due.c.id).where(~select(suspect).exists())
        taken = clean if in_hand else clean.union_all(select(suspect.c.id))
        token = uuid4()
        async with self._unit_of_work.begin() as unit:
            rows = await unit.connection.execute(
                update(table)
                .where(table.c.id.in_(taken))
                .values(
                    attempts=table.c.attempts + 1,
                    deaths=deaths,
                    lease_until=func.now() + self._lease,
                    lease_token=token,
                )
                .returning(table)
            )
        return [
            Work(
                id=row.id,
                kind=row.kind,
                payload=row.payload,
                cause=Cause.model_validate(row.cause),
                attempts=row.attempts,
                deaths=row.deaths,
                expires_at=row.expires_at,
                token=token,
            )
            for row in rows.all()
        ]

    async def end(self, work: Work, unit: Unit) -> None:
        """Take a row that is done off the table; LeaseLost if it is another's by now."""
        await self._settle(delete(self._table).where(self._leased(work)), work, unit)

    async def split(self, work: Work, pieces: Sequence[BaseModel], unit: Unit) -> None:
        """Put pieces in a row's place, each as suspect as it was; LeaseLost if it is another's."""
        await self.end(work, unit)
        rows = [
            {
                "id": uuid4(),
                "kind": work.kind,
                "payload": piece.model_dump(mode="json"),
                "cause": work.cause.model_dump(mode="json"),
                "expires_at": work.expires_at,
                "deaths": 1,
            }
            for piece in pieces
        ]
        await unit.connection.execute(insert(self._table), rows)
        unit.wake()

    async def try_again(
        self, work: Work, pause: float, reason: str, stack: str, *, deaths: int = 0
    ) -> None:
        """Let a row rest for some seconds.

        Its deaths are forgotten when it was answered for; after another, `deaths` says how many.
        """
        async with self._unit_of_work.begin() as unit:
            await unit.connection.execute(
                update(self._table)
                .where(self._leased(work))
                .values(
                    available_at=func.now() + timedelta(seconds=pause),
                    deaths=deaths,
                    lease_until=None,
                    lease_token=None,
                    reason=reason,
                    stack=stack,
                )
            )

    async def bury(self, work: Work, reason: str, stack: str, unit: Unit) -> None:
        """Turn a row into a dead letter; LeaseLost if it is another's by now."""
        given_up = (
            update(self._table)
            .where(self._leased(work))
            .values(
                died_at=func.now(), reason=reason, stack=stack, lease_until=None, lease_token=None
            )
        )
        await self._settle(given_up, work, unit)

    async def hand_back(self, held: Iterable[Held]) -> None:
        """Give rows up undone; that is neither an attempt nor a death."""
        async with self._unit_of_work.begin() as unit:
            await unit.connection.execute(
                update(self._table)
                .where(self._any_of(held))
                .values(lease_until=None, lease_token=None, attempts=self._table.c.attempts - 1)
            )

    async def renew(self, held: Iterable[Held]) -> None:
        """Let leases last for as long again."""
        async with self._unit_of_work.begin() as unit:
            await unit.connection.execute(
                update(self._table)
                .where(self._any_of(held))
                .values(lease_until=func.now() + self._lease)
            )

    async def _settle(self, statement: Delete | Update, work: Work, unit: Unit) -> None:
        settled = await unit.connection.execute(statement)
        if settled.rowcount != 1:
            raise LeaseLost(str(work.id))

    def _leased(self, work: Work) -> ColumnElement[bool]:
        return self._any_of([(work.id, work.token)])

    def _any_of(self, held: Iterable[Held]) -> ColumnElement[bool]:
        return tuple_(self._table.c.id, self._table.c.lease_token).in_(list(held))

"""The dead letters of a work table: rows that a service's jobs have given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    delete,
    func,
    select,
    update,
)

from common.dead_letters.letters import (
    Letter,
    Page,
    Place,
    Selection,
    WholeLetter,
    cause_group,
    page_of,
)
from common.dead_letters.queues import LOOKED_AT
from common.telemetry import trace_id
from common.unit_of_work import WORK_DEADLINE, Cause, Unit, UnitOfWork


@dataclass(frozen=True)
class WorkLetters:
    """One service's letters among its work."""

    unit_of_work: UnitOfWork
    service: str

    @property
    def place(self) -> Place:
        """Return where they are."""
        return Place("work", self.service)

    async def look(self, *, group: str | None, limit: int) -> Page:
        """Return causes and letters, of one cause or of all."""
        table = self.unit_of_work.tables.work
        dead = table.c.died_at.is_not(None)
        newest = select(*self._head()).where(dead).order_by(table.c.died_at.desc()).limit(LOOKED_AT)
        async with self.unit_of_work.begin() as unit:
            total = await unit.connection.scalar(
                select(func.count()).where(dead).select_from(table)
            )
            rows = (await unit.connection.execute(newest)).all()
        letters = [self._letter(row) for row in rows]
        return page_of(letters, total=max(total or 0, len(letters)), group=group, limit=limit)

    async def find(self, within: str) -> WholeLetter | None:
        """Return one letter with all it says, or None."""
        ids = _uuids([within])
        table = self.unit_of_work.tables.work
        wanted = select(*self._head(), table.c.payload, table.c.stack, table.c.created_at).where(
            table.c.died_at.is_not(None), table.c.id.in_(ids)
        )
        async with self.unit_of_work.begin() as unit:
            row = (await unit.connection.execute(wanted)).one_or_none()
        if row is None:
            return None
        return WholeLetter(
            **self._letter(row).model_dump(),
            stack=row.stack or "",
            occurred_at=row.created_at,
            producer=self.service,
            causation_id=Cause.model_validate(row.cause).causation_id,
            payload=row.payload,
        )

    async def redrive(self, selection: Selection) -> int:
        """Let rows be worked on as if they were new, from now on; return how many."""
        table = self.unit_of_work.tables.work
        async with self.unit_of_work.begin() as unit:
            again = await unit.connection.execute(
                update(table)
                .where(*await self._chosen(selection, unit))
                .values(
                    died_at=None,
                    reason=None,
                    stack=None,
                    attempts=0,
                    deaths=0,
                    available_at=func.now(),
                    expires_at=func.now() + WORK_DEADLINE,
                )
            )
            unit.wake()
        return again.rowcount

    async def discard(self, selection: Selection) -> int:
        """Delete rows; return how many."""
        async with self.unit_of_work.begin() as unit:
            gone = await unit.connection.execute(
                delete(self.unit_of_work.tables.work).where(*await self._chosen(selection, unit))
            )
        return gone.rowcount

    async def _chosen(self, selection: Selection, unit: Unit) -> Sequence[ColumnElement[bool]]:
        table = self.unit_of_work.tables.work
        dead = table.c.died_at.is_not(None)
        named = selection.within(self.place)
        ids = None if named is None else _uuids(named)
        if selection.group is not None:
            rows = await unit.connection.execute(
                select(table.c.id, table.c.kind, table.c.reason).where(dead)
            )
            ids = [row.id for row in rows if self._group(row) == selection.group]
        if ids is None:
            return [dead]
        # One parameter however many they are.
        return [dead, table.c.id == any_(bindparam("ids", ids, type_=ARRAY(Uuid)))]

    def _head(self) -> Sequence[ColumnElement[Any]]:
        columns = self.unit_of_work.tables.work.c
        size = func.octet_length(cast(columns.payload, Text)).label("size")
        names = ("id", "kind", "cause", "reason", "attempts", "died_at")
        return [*(columns[name] for name in names), size]

    def _group(self, row: Row[*tuple[Any, ...]]) -> str:
        return cause_group(self.place, row.kind, row.reason or "")

    def _letter(self, row: Row[*tuple[Any, ...]]) -> Letter:
        cause = Cause.model_validate(row.cause)
        return Letter(
            id=self.place.letter(str(row.id)),
            kind="work",
            service=self.service,
            name=row.kind,
            group=self._group(row),
            reason=row.reason or "",
            attempts=row.attempts,
            died_at=row.died_at,
            size=row.size,
            trace_id=trace_id(cause.traceparent),
            run_id=cause.run_id,
            user_id=cause.user_id,
        )


def _uuids(texts: Sequence[str]) -> list[UUID]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:  # a person may write anything; it names no row
            continue
    return found

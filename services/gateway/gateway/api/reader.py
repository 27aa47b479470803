"""Reads the log for all streams: what was asked for during one read is the next one's statement.

A thousand streams woken together cost a few statements, not a thousand.
"""

import asyncio

from common.errors import Unavailable
from common.loops import Loop
from common.unit_of_work import UnitOfWork
from gateway.domain.news import Logged
from gateway.repository import Position, Store

POSITIONS_AT_ONCE = 500


class LogReader(Loop):
    """One read at a time, for whoever asked until then."""

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        super().__init__("log-reader", idle="the event log is not being read")
        self._unit_of_work = unit_of_work
        self._asked: dict[Position, asyncio.Future[list[Logged]]] = {}
        self._wake = asyncio.Event()

    async def after(self, position: Position) -> list[Logged]:
        """Return what follows a position in its log; `Unavailable` when that cannot be read."""
        future = self._asked.get(position)
        if future is None:
            future = self._asked[position] = asyncio.get_running_loop().create_future()
            self._wake.set()
        # Shared by all who stand there: one who leaves must not cancel the others' read.
        return await asyncio.shield(future)

    async def turn(self) -> None:
        """Read for whoever asked since the last turn."""
        await self._wake.wait()
        positions = list(self._asked)[:POSITIONS_AT_ONCE]
        asked = {position: self._asked.pop(position) for position in positions}
        if not self._asked:
            self._wake.clear()
        try:
            async with self._unit_of_work.begin() as unit:
                read = await Store(unit).log.after(positions)
        except Exception as error:
            # Whatever it was, nobody may be left waiting for it.
            unread = Unavailable(f"the event log cannot be read: {error}")
            for future in asked.values():
                future.set_exception(unread)
            raise
        for position, future in asked.items():
            future.set_result(read[position])

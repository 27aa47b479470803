"""Option chains of a provider, kept for a while: what was quoted at a close does not change."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import date

from common.errors import Unavailable
from common.options import Contract
from marketdata.domain import Provider, Snapshot

KEPT = 64
AT_ONCE = 2
PATIENCE = 15.0
"""Seconds, waiting included: half of what the gateway allows."""

Chain = Mapping[Contract, Snapshot]
_Key = tuple[str, date]


class Chains:
    """Asks for a few chains at a time, and once for each, however many want it."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._kept: OrderedDict[_Key, Chain] = OrderedDict()
        self._asked: dict[_Key, asyncio.Task[Chain]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, underlying: str, session: date) -> Chain:
        """Return what is listed on a security at a session's close; empty where nothing is.

        `Unavailable` when the provider is, or takes too long.
        """
        key = (underlying, session)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key), name=f"chain-{key}")
            task.add_done_callback(lambda done: self._answered(key, done))
        try:
            # Who gives up waiting leaves the question: its answer is kept for the next one.
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(task)
        except TimeoutError as error:
            raise Unavailable(f"options on {underlying} did not come in time") from error

    async def close(self) -> None:
        """Wait for nobody's answer any more."""
        for task in tuple(self._asked.values()):
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def _ask(self, key: _Key) -> Chain:
        async with self._turns:
            return await self._provider.chain(*key)

    def _answered(self, key: _Key, task: asyncio.Task[Chain]) -> None:
        del self._asked[key]
        # An error is told to whoever waits; asking for it keeps the loop from complaining.
        if task.cancelled() or task.exception() is not None or not task.result():
            return
        self._kept[key] = task.result()
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

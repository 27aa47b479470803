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


class Chains:
    """Asks for a few chains at a time; `Unavailable` when that takes too long."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._kept: OrderedDict[tuple[str, date], Chain] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, underlying: str, session: date) -> Chain:
        """Return what is listed on a security at a session's close; empty where nothing is."""
        key = (underlying, session)
        try:
            async with asyncio.timeout(PATIENCE), self._turns:
                if key not in self._kept:
                    self._kept[key] = await self._provider.chain(underlying, session)
        except TimeoutError as error:
            raise Unavailable(f"options on {underlying} did not come in time") from error
        self._kept.move_to_end(key)
        chain = self._kept[key]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return chain

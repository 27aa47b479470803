"""People who are strict: a request may be refused or told 503, and one retry must succeed.

Unlike the crowd, that asks until it is answered, they complain of everything else.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from deploy.cli.client import Client, Refused
from tests.support.crowd import STOCKS, Crowd, Person
from tests.support.system import SevenProcesses, is_ready

T = TypeVar("T")

REFUSED = "refused"
HUNG_UP = "hung up"
"""A kept connection was closed just when the request was sent: HTTP/1.1 has no way to refuse it
better, and nothing of it was done."""
UNAVAILABLE = "503"
PATIENCE = 120.0
LISTENERS = 5


@dataclass
class Traffic(Crowd):
    """Everybody's requests, with what became of them."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    """Of every service: whoever was refused comes again when all are ready."""
    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @classmethod
    def to(cls, system: SevenProcesses, seed: int) -> "Traffic":
        """Return the traffic to a system, not flowing yet."""
        return cls(
            system.address,
            random.Random(seed),
            system.bus(),
            system.admin_url,
            listeners=LISTENERS,
            addresses=system.addresses,
        )

    def _person(self) -> Person:
        return StrictPerson(self, Client(self.address))

    @asynccontextmanager
    async def flowing(self, people: int):
        """Keep so many people coming, one after the other, while the block runs."""
        over = asyncio.Event()
        lives = [asyncio.create_task(self._lives(over)) for _ in range(people)]
        try:
            yield
        finally:
            over.set()
            await asyncio.gather(*lives)

    async def _lives(self, over: asyncio.Event) -> None:
        while not over.is_set():
            person = await self.newcomer()
            await person.upload(*self.chance.sample(STOCKS, 2))
            for _ in range(5):
                await person.read()
            await person.calculate()
            await person.close()

    async def end(self) -> None:
        """Stop listening and let go of the bus."""
        self.leave()
        await self.bus.close()

    async def all_ready(self) -> None:
        """Return when every service says that it is ready."""
        async with (
            asyncio.timeout(PATIENCE),
            httpx.AsyncClient(trust_env=False, timeout=5) as http,
        ):
            for address in self.addresses.values():
                while not await is_ready(http, address):
                    await asyncio.sleep(0.1)


class StrictPerson(Person):
    """Tries twice."""

    _crowd: Traffic

    async def _persist(self, ask: Callable[[], Awaitable[T]], *is_done: str) -> T:
        self._crowd.requests += 1
        try:
            return await ask()
        except (httpx.TransportError, Refused) as error:
            kind = allowed(error)
            if kind is None:
                self._crowd.complaints.append(f"the first attempt: {error!r}")
                raise
            self._crowd.failures[kind] += 1
        await self._crowd.all_ready()
        try:
            return await ask()
        except (httpx.TransportError, Refused) as error:
            self._crowd.complaints.append(f"the retry after {kind}: {error!r}")
            raise


def allowed(error: httpx.TransportError | Refused) -> str | None:
    """Return which of the allowed failures it is, None when it is none of them."""
    match error:
        case httpx.ConnectError():
            return REFUSED
        case httpx.RemoteProtocolError() if "without sending a response" in str(error):
            return HUNG_UP
        case Refused(status=503):
            return UNAVAILABLE
        case _:
            return None

"""Imports, reads and open event streams together, drawn by a seed and bounded in number.

Importers work one after another until every person has a book; readers ask in the meantime about
the books that are there; every person's streams stay open. It ends when the last book's result has
been heard.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.benchmarks.books import EQUITY, book
from tests.benchmarks.listeners import Listener
from tests.benchmarks.people import Person
from tests.benchmarks.wire import Wire, wire

BOUNDARY = "one-part-ends-here"
PAUSE = 0.05
"""Seconds a reader rests on average: a person who looks at the answer, much quickened."""
PATIENCE = 120.0
"""Seconds after which an import counts as lost."""
READS = (
    "/api/v1/data/portfolios",
    "/api/v1/analytics/portfolio/{}/report",
    "/api/v1/analytics/portfolio/{}/overview",
    "/api/v1/data/positions/details?portfolio_id={}",
)


@dataclass
class Load:
    """What is done to a system, and how long each part of it took."""

    address: str
    persons: Sequence[Person]
    seed: int
    importers: int
    readers: int
    streams_each: int
    imports: list[float] = field(default_factory=list)
    """Seconds from sending a file to reading `risk.calculated` on a stream."""
    reads: list[float] = field(default_factory=list)
    heard: Counter[tuple[UUID, str]] = field(default_factory=Counter)
    """Events by person and name, counted on each of their streams."""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.listeners = [
            self._listener(person) for person in self.persons for _ in range(self.streams_each)
        ]
        self._calculated: dict[UUID, asyncio.Future[float]] = {}
        self._books: list[tuple[Person, str]] = []

    def _listener(self, person: Person) -> Listener:
        def hear(data: dict[str, Any], now: float) -> None:
            self.heard[person.user_id, data["name"]] += 1
            waiting = self._calculated.get(person.user_id)
            if data["name"] == "risk.calculated" and waiting and not waiting.done():
                waiting.set_result(now)

        return Listener(self.address, person.token, hear, person.user_id)

    async def run(self) -> None:
        """Do everything once."""
        for listener in self.listeners:
            await listener.open()
        started = time.perf_counter()
        left = iter(self.persons)
        reading = [asyncio.create_task(self._read(number)) for number in range(self.readers)]
        async with asyncio.TaskGroup() as importing:
            for number in range(self.importers):
                importing.create_task(self._import(left, random.Random(f"{self.seed} {number}")))
        self.seconds = time.perf_counter() - started
        for reader in reading:
            reader.cancel()
        ended = await asyncio.gather(*reading, return_exceptions=True)
        assert {type(end) for end in ended} <= {asyncio.CancelledError}, ended

    def leave(self) -> None:
        """Close every stream."""
        for listener in self.listeners:
            listener.cut()

    async def _import(self, left: Iterator[Person], chance: random.Random) -> None:
        async with wire(self.address) as line:
            for person in left:
                calculated = asyncio.get_running_loop().create_future()
                self._calculated[person.user_id] = calculated
                content_type, body = upload(book(chance))
                started = time.perf_counter()
                status, answer = await line.post(
                    "/api/v1/onboarding/create-portfolio", person.token, body, content_type
                )
                assert status == 201, answer
                async with asyncio.timeout(PATIENCE):
                    self.imports.append(await calculated - started)
                self._books.append((person, json.loads(answer)["portfolio_id"]))

    async def _read(self, number: int) -> None:
        chance = random.Random(f"{self.seed} reader {number}")
        async with wire(self.address) as line:
            while True:
                await asyncio.sleep(chance.uniform(0, 2 * PAUSE))
                if self._books:
                    await self._read_once(line, chance)

    async def _read_once(self, line: Wire, chance: random.Random) -> None:
        person, portfolio_id = chance.choice(self._books)
        path = chance.choice(READS).format(portfolio_id)
        self.reads.append(await line.seconds(path, person.token))


def upload(csv: bytes) -> tuple[str, bytes]:
    """Return the content type and the body of a form with a book."""
    fields = {"portfolio_name": "Book", "equity_balance": EQUITY}
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    file = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="csv_file"; filename="book.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    body = b"".join(parts) + file.encode() + csv + f"\r\n--{BOUNDARY}--\r\n".encode()
    return f"multipart/form-data; boundary={BOUNDARY}", body

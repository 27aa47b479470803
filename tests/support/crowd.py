"""People who use the system while it is killed: they ask again until they are answered.

What they were promised is written down for `invariants`, and so is every answer that no kill
excuses: who goes away refuses connections, cuts them or says 502 to 504, and nothing else.
"""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID, uuid4

import httpx
from httpx_sse import SSEError, aconnect_sse

from common.bus import Bus
from common.db import unavailable_when_away
from common.errors import Unavailable
from common.events import Envelope
from common.events.scheduler import RunJob
from deploy.cli.client import Client, Refused
from simulator.universe import load_universe
from tests.support.databases import connected
from tests.support.invariants import Heard, Promised

INVITE = "PRESCOTT-LINNAEAN-COWPERTHWAITE"
PASSWORD = "Secret-123"
PAUSE = 0.1
PATIENCE = 90.0
AWAY = {502, 503, 504}
HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date"
UNIVERSE = load_universe()
STOCKS = sorted(
    symbol for symbol in UNIVERSE.known if UNIVERSE.securities[symbol].profile.kind == "stock"
)

T = TypeVar("T")


@dataclass
class Crowd:
    """Everybody's promises, streams and complaints."""

    address: str
    chance: random.Random
    bus: Bus
    """For messages by hand."""
    database_url: Callable[[], str]
    """Gives the address with all rights; an embedded database has another after a restart."""
    promised: Promised = field(default_factory=Promised)
    heard: list[Heard] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    listeners: int = sys.maxsize
    """How many of them listen to their events all the time; the others only ask."""
    _listening: list[asyncio.Task[None]] = field(default_factory=list)

    async def newcomer(self) -> "Person":
        """Return somebody who has registered and logged in; the first ones also listen."""
        person = self._person()
        await person.sign_up()
        if len(self.heard) >= self.listeners:
            return person
        heard = await person.begin_to_listen()
        self.heard.append(heard)
        listening = asyncio.create_task(person.listen(heard))
        self._listening.append(listening)
        return person

    def _person(self) -> "Person":
        return Person(self, Client(self.address))

    def leave(self) -> None:
        """Stop listening; promises stay."""
        for task in self._listening:
            task.cancel()
        self._listening.clear()
        self.heard.clear()
        self.complaints.clear()


class Person:
    """One user with a client of their own."""

    def __init__(self, crowd: Crowd, client: Client) -> None:
        self._crowd = crowd
        self._client = client
        self._email = f"{uuid4().hex}@example.com"
        self.user_id = UUID(int=0)
        self.portfolio_id = UUID(int=0)

    async def sign_up(self) -> None:
        """Register and log in."""

        async def register() -> None:
            await self._client.register(self._email, PASSWORD, "Some One", INVITE)

        await self._persist(register, "ERR_USER_001")
        await self.log_in()
        me = await self._persist(lambda: self._client._ask("GET", "/auth/me"))
        self.user_id = UUID(me["id"])
        self._crowd.promised.users.add(self.user_id)

    async def log_in(self) -> None:
        """Get a token of a new session."""
        await self._persist(lambda: self._client.login(self._email, PASSWORD))

    async def log_out(self) -> None:
        """End the session at hand; a lost answer leaves it refused, which is as good."""
        await self._persist(lambda: self._client._ask("POST", "/auth/logout"), "ERR_AUTH_001")

    async def upload(self, *symbols: str) -> None:
        """Import a book of these."""
        rows = [f"{symbol},10,150.00,2024-01-16" for symbol in symbols]
        content = "\n".join([HEADER, *rows]).encode()

        async def create() -> None:
            created = await self._client.create_portfolio("Book", "200000", ("book.csv", content))
            self.portfolio_id = UUID(created["portfolio_id"])
            self._crowd.promised.imports[UUID(created["run_id"])] = self.portfolio_id

        await self._persist(create, "ERR_PORT_001")
        if self.portfolio_id.int == 0:  # it was stored and the answer lost
            found = await self._persist(self._client.portfolios)
            self.portfolio_id = UUID(found[0]["id"])

    async def calculate(self) -> None:
        """Ask for a run of one's own."""

        async def ask() -> None:
            path = f"/portfolio/{self.portfolio_id}/calculate?force=true"
            answer = await self._client._ask("POST", path)
            self._crowd.promised.runs.add(UUID(answer["batch_run_id"]))

        await self._persist(ask)

    async def calculate_by_hand(self) -> None:
        """Send the message that an operator would, with a run named by its sender.

        Not before the scheduler has heard of the portfolio: that of an unknown one fails, and says
        so.
        """
        await self._persist(self._is_known)
        run_id = uuid4()
        command = RunJob(
            job="calculate", portfolio_ids=(self.portfolio_id,), force=True, requested_by="ops"
        )
        envelope = Envelope.of(command, producer="by hand", run_id=run_id)
        await self._persist(lambda: self._crowd.bus.publish([envelope]))
        self._crowd.promised.runs.add(run_id)

    async def read(self) -> None:
        """Look at what there is."""
        await self._persist(lambda: self._client.report(str(self.portfolio_id)))
        await self._persist(self._client.portfolios)

    async def refresh(self) -> None:
        """Exchange the token."""

        async def exchange() -> None:
            token = await self._client._ask("POST", "/auth/refresh")
            self._client._http.headers["Authorization"] = f"Bearer {token['access_token']}"

        await self._persist(exchange)

    async def begin_to_listen(self) -> Heard:
        """Return what was heard until the snapshot that a stream begins with."""

        async def first() -> Heard:
            async with aconnect_sse(self._client._http, "GET", "/events") as source:
                async for event in source.aiter_sse():
                    if event.event == "snapshot":
                        return Heard(self.user_id, int(event.id))
            raise httpx.ReadError("the stream ended before it began")

        return await self._persist(first)

    async def listen(self, heard: Heard) -> None:
        """Note every event, going on after the last one whenever the stream is cut, or cut it."""
        http = httpx.AsyncClient(
            base_url=self._client._http.base_url,
            headers=self._client._http.headers,  # of this session, whatever the person does next
            timeout=httpx.Timeout(10, read=60),
            trust_env=False,
        )
        last = str(heard.since)
        async with http:
            while True:
                cut_after = self._crowd.chance.randint(1, 6)
                with suppress(httpx.TransportError, SSEError):
                    headers = {"Last-Event-ID": last}
                    async with aconnect_sse(http, "GET", "/events", headers=headers) as source:
                        if not self._may_listen(source.response):
                            return
                        async for event in source.aiter_sse():
                            if not event.data:
                                continue
                            last = event.id
                            # What has no number (`reset`, `expired`) is in no log: it shows.
                            heard.events.append((int(last or -1), event.event))
                            cut_after -= 1
                            if not cut_after:
                                break
                await asyncio.sleep(PAUSE)

    def _may_listen(self, response: httpx.Response) -> bool:
        if response.is_success or response.status_code in AWAY:
            return True
        self._crowd.complaints.append(f"a stream answered {response.status_code}")
        return False

    async def _persist(self, ask: Callable[[], Awaitable[T]], *is_done: str) -> T:
        """Ask until answered; these codes say that an earlier attempt got through."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await ask()
            except (httpx.TransportError, Unavailable):
                if time.monotonic() > deadline:
                    raise
            except Refused as refused:
                if refused.code in is_done:
                    return None  # type: ignore[return-value]  # whose callers want none
                if refused.status not in AWAY:
                    self._crowd.complaints.append(
                        f"status {refused.status} {refused.code}: {refused}"
                    )
                    raise
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(PAUSE)

    async def _is_known(self) -> None:
        with unavailable_when_away():
            async with connected(self._crowd.database_url()) as connection:
                query = "SELECT FROM scheduler.portfolios WHERE portfolio_id = $1"
                known = await connection.fetch(query, self.portfolio_id)
        if not known:
            raise Unavailable("the scheduler has not heard of the portfolio")

    async def close(self) -> None:
        await self._client._http.aclose()


async def a_day(crowd: Crowd) -> None:
    """Somebody imports, has it calculated again, reads and logs out; somebody else only imports.

    The one's shares are listed, and one may be new to this system; most of the other's are not.
    """
    number = crowd.chance.randrange(1000)
    await asyncio.gather(
        _a_life(crowd, STOCKS[0], crowd.chance.choice(STOCKS[2:])),
        _a_visit(crowd, STOCKS[1], f"ZX{number}", f"ZY{number}"),
    )


async def _a_life(crowd: Crowd, *symbols: str) -> None:
    person = await crowd.newcomer()
    try:
        await person.upload(*symbols)
        await person.calculate()
        await person.calculate_by_hand()
        await person.read()
        await person.refresh()
        # The stream goes on under the session it began with.
        await person.log_in()
        await person.log_out()
    finally:
        await person.close()


async def _a_visit(crowd: Crowd, *symbols: str) -> None:
    person = await crowd.newcomer()
    try:
        await person.upload(*symbols)
    finally:
        await person.close()

"""What a host goes through while it may be killed: scripts of use, of trouble and of a stop.

It is survived when afterwards nothing of `docs/invariants.md` is broken, and nobody was answered
what a kill does not excuse.
"""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common.bus import Bus
from common.errors import Unavailable
from common.events import Envelope
from common.events.topology import TOPOLOGY
from common.retry import Retry
from tests.support.crowd import Crowd, a_day
from tests.support.databases import connected
from tests.support.invariants import BETWEEN_LOOKS, at_rest
from tests.support.system import eventually
from tests.support.victim import KILLED, Victim

TO_DIE = 2.0
"""Seconds after its use within which an armed host passes its spot, if it does."""
TO_REST = 120.0
NOTHING = "00000000-0000-0000-0000-000000000001"
POISON = {
    "broken": Envelope(
        name="portfolio.created", payload={"book": {"portfolio_id": "nonsense"}}, producer="poison"
    ),
    # Marketdata's handler refuses a session before the calendar, each time anew.
    "failing": Envelope(
        name="run.requested",
        payload={"job": "nightly", "as_of": "1900-01-02", "items": []},
        producer="poison",
    ),
}
DEAD = f"""
INSERT INTO risk_engine.work (id, kind, payload, cause, expires_at, deaths)
VALUES (gen_random_uuid(), 'calculate', $1::jsonb, '{{}}', now() + interval '1 hour',
        {Retry.deaths})
"""
DEAD_CHUNK = (
    '{"as_of": "2024-01-02", "panel_version": 1, "items": '
    f'[{{"portfolio_id": "{NOTHING}", "revision": 1}}]}}'
)


@dataclass
class Trial:
    """A victim, the people who use it and what is left of their trust."""

    victim: Victim
    seed: int
    crowd: Crowd = field(init=False)
    bus: Bus = field(init=False)
    killed: int = 0

    def __post_init__(self) -> None:
        self.bus = self.victim.bus()
        self.crowd = Crowd(
            self.victim.address, random.Random(self.seed), self.bus, self.victim.admin_url
        )

    async def start_again(self) -> None:
        """Start the victim, and find an embedded database where it is now."""
        await asyncio.to_thread(self.victim.start)
        if not self.victim.database_url:
            await self.bus.close()
            self.bus = self.crowd.bus = self.victim.bus()

    async def broken(self, days: Iterable[asyncio.Task[None]] = ()) -> list[str]:
        """Wait until days have ended and the system has come to rest; return what is broken.

        The streams are forgotten.
        """
        ended = await asyncio.gather(*days, return_exceptions=True)
        broken = await at_rest(
            self.victim.admin_url(),
            self.bus,
            self.crowd.promised,
            self.crowd.heard,
            seconds=TO_REST,
        )
        broken += self.crowd.complaints
        broken += [f"a day ended by {day!r}" for day in ended if isinstance(day, BaseException)]
        self.crowd.leave()
        return broken

    async def close(self) -> None:
        self.crowd.leave()
        self.victim.kill()
        await self.bus.close()


Script = Callable[[Trial], Coroutine[None, None, None]]
"""Returns when all that it began is answered; the host may die and come back meanwhile."""


async def use(trial: Trial) -> None:
    """Two people's day."""
    await a_day(trial.crowd)


async def trouble(trial: Trial) -> None:
    """Messages that nobody can take, work that killed its workers, and a calculator that dies."""
    await persist(lambda: trial.bus.publish(list(POISON.values())))
    await _sql(trial.victim, DEAD, DEAD_CHUNK)
    async with _a_calculation_in_hand(trial) as calculator:
        kill(calculator)
    await bury_poison(trial)


async def stop(trial: Trial) -> None:
    """SIGTERM while people come, messages are in hand and something is calculated."""
    child = trial.victim.child
    told = child.pid

    async def gone() -> bool:
        return child.pid != told or not child.running()

    async with _a_calculation_in_hand(trial) as calculator:
        _signal(told, signal.SIGTERM)  # not its successor, were it killed before
        await asyncio.sleep(1.0)
        _signal(calculator, signal.SIGCONT)
        await eventually(gone, seconds=TO_REST)


async def survives(trial: Trial, script: Script, spot: str, nth: int = 1) -> bool:
    """Kill the victim at a spot while the script is played; start it again and let it finish.

    False when it never came there: then nothing was killed.
    """
    victim = trial.victim
    await victim.order(arm=spot, nth=nth)
    playing = asyncio.create_task(script(trial))
    death = asyncio.create_task(victim.died())
    try:
        await asyncio.wait({playing, death}, return_when=asyncio.FIRST_COMPLETED)
        # When it is played to the end, some of it is still on its way.
        await asyncio.wait({death}, timeout=TO_DIE)
        if not death.done():
            await victim.order()
            await asyncio.sleep(0)  # it may have come there just before it heard
        killed = not victim.child.running() and await death == KILLED
        if not victim.child.running():
            await trial.start_again()
        await playing
    finally:
        death.cancel()
        playing.cancel()
    trial.killed += killed
    return killed


async def persist(ask: Callable[[], Awaitable[None]]) -> None:
    """Ask until it is done."""
    async with asyncio.timeout(TO_REST):
        while True:
            try:
                return await ask()
            except Unavailable:
                await asyncio.sleep(0.1)


async def bury_poison(trial: Trial) -> None:
    """Wait until the poison is where it belongs, everywhere, and take it away."""
    wanted = {
        (queue.name, envelope.id)
        for queue in TOPOLOGY.queues
        for envelope in POISON.values()
        if queue.wants(envelope.routing_key)
        and (envelope is POISON["broken"] or queue.name == "marketdata")
    }

    async def all_there() -> bool:
        with contextlib.suppress(Unavailable):
            found = {
                (queue.name, letter.message_id)
                for queue in TOPOLOGY.queues
                for letter in await trial.bus.dead_letters(queue.name)
            }
            if any([await trial.bus.depth(queue.name) for queue in TOPOLOGY.queues]):
                return False
            dead = await _sql(
                trial.victim,
                "SELECT count(*) FROM risk_engine.work WHERE reason LIKE '%workers died%'",
            )
            return found == wanted and bool(dead)
        return False

    for _ in range(2):  # a kill may have left a copy of one on its way
        await eventually(all_there, seconds=TO_REST, pause=0.2)
        await asyncio.sleep(BETWEEN_LOOKS)
    for queue in TOPOLOGY.queues:
        await trial.bus.discard(queue.name)
    await _sql(trial.victim, "DELETE FROM risk_engine.work WHERE died_at IS NOT NULL")


@asynccontextmanager
async def _a_calculation_in_hand(trial: Trial) -> AsyncIterator[int]:
    """Lend the process that calculates, stopped in the middle of it, while people come."""
    calculator = await eventually(lambda: calculator_of(trial.victim), seconds=TO_REST)
    _signal(calculator, signal.SIGSTOP)
    day = asyncio.create_task(a_day(trial.crowd))
    try:

        async def in_hand() -> bool:
            held = await _sql(
                trial.victim, "SELECT count(*) FROM risk_engine.work WHERE lease_until > now()"
            )
            return bool(held) or not trial.victim.child.running()

        await eventually(in_hand, seconds=TO_REST)
        await asyncio.sleep(0.3)  # it has fetched its prices by then
        yield calculator
    finally:
        _signal(calculator, signal.SIGCONT)
        await day


async def calculator_of(victim: Victim) -> int | None:
    """Return the process that calculates for a host, if there is one."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if (
                parent == victim.child.pid
                and b"spawn_main" in (status.parent / "cmdline").read_bytes()
            ):
                return int(status.parent.name)
    return None


def kill(process_id: int) -> None:
    """SIGKILL; no matter if it is gone."""
    _signal(process_id, signal.SIGKILL)


def _signal(process_id: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process_id, number)


async def _sql(victim: Victim, statement: str, *arguments: str) -> object:
    async with connected(victim.admin_url()) as connection:
        return await connection.fetchval(statement, *arguments)

"""What must hold whenever the system is at rest: one function finds everything that does not.

    assert await broken_invariants(system.admin_url(), bus, promised) == []

The sentences and their reasons are `docs/invariants.md`; those a query can check are `laws`.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from common.bus import Bus
from common.events.topology import TOPOLOGY
from tests.support.databases import connected
from tests.support.laws import LAWS

KEPT = "What was accepted is kept, and every run that was promised has ended."
QUEUES = "Every queue is empty, and so are its ladder and its dead letters."
STREAMS = "A client that resumes after each cut sees its log: all of it, once, in order."

NAMED = 3
"""Offenders that a sentence names; of more it says how many."""
BETWEEN_LOOKS = 0.4
"""Seconds: what is between a queue and a table shows at one of two looks, or is longer in hand."""


@dataclass
class Promised:
    """What clients were answered with a 2xx, by its ids."""

    users: set[UUID] = field(default_factory=set)
    imports: dict[UUID, UUID] = field(default_factory=dict)
    """Portfolio by the run of its import."""
    runs: set[UUID] = field(default_factory=set)
    """Runs that were named in the answer to a request for a calculation."""


@dataclass
class Heard:
    """What a client of `/api/v1/events` saw, over however many connections."""

    user_id: UUID
    since: int
    """The number of the snapshot it began with."""
    events: list[tuple[int, str]] = field(default_factory=list)
    """Number and name of each event, in the order of their coming."""


async def broken_invariants(
    admin_url: str,
    bus: Bus,
    promised: Promised | None = None,
    heard: Sequence[Heard] = (),
    *,
    letters_expected: bool = False,
) -> list[str]:
    """Return a sentence for everything that is broken now; nothing of a system at rest is.

    `letters_expected` leaves dead letters alone, when poison was sent on purpose.
    """
    async with (
        connected(admin_url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        broken = await broken_laws(connection)
        broken += await _broken_promises(connection, promised or Promised())
        broken += await _broken_streams(connection, heard)
    return broken + await _undrained(bus, letters_expected=letters_expected)


async def at_rest(
    admin_url: str,
    bus: Bus,
    promised: Promised | None = None,
    heard: Sequence[Heard] = (),
    *,
    seconds: float = 60.0,
    letters_expected: bool = False,
) -> list[str]:
    """Wait until nothing is broken at two looks in a row; return what still is at the end.

    What is lost or doubled stays so: to wait only forgives what is under way.
    """
    deadline = time.monotonic() + seconds
    looks = 0
    while True:
        broken = await broken_invariants(
            admin_url, bus, promised, heard, letters_expected=letters_expected
        )
        looks = 0 if broken else looks + 1
        if looks == 2 or time.monotonic() > deadline:
            return broken
        await asyncio.sleep(BETWEEN_LOOKS)


async def broken_laws(connection: asyncpg.Connection) -> list[str]:
    """Return the part that a look at the database can find, by this connection's transaction."""
    broken = []
    for law in LAWS:
        offenders = [str(row[0]) for row in await connection.fetch(law.offenders)]
        if offenders:
            broken.append(_sentence(law.sentence, offenders))
    return broken


async def _broken_promises(connection: asyncpg.Connection, promised: Promised) -> list[str]:
    async def ids(query: str) -> set[UUID]:
        return {row[0] for row in await connection.fetch(query)}

    imports = {
        row["run_id"]: row["portfolio_id"]
        for row in await connection.fetch("SELECT run_id, portfolio_id FROM onboarding.imports")
    }
    ended = await ids("SELECT run_id FROM scheduler.runs WHERE status <> 'open'")
    lost = [f"user {user}" for user in promised.users - await ids("SELECT id FROM auth.users")]
    lost += [
        f"portfolio {portfolio} of import {run}"
        for run, portfolio in promised.imports.items()
        if imports.get(run) != portfolio
    ]
    lost += [f"run {run}" for run in (promised.runs | promised.imports.keys()) - ended]
    return [_sentence(KEPT, lost)] if lost else []


async def _broken_streams(connection: asyncpg.Connection, heard: Sequence[Heard]) -> list[str]:
    wrong = []
    for one in heard:
        rows = await connection.fetch(
            "SELECT seq, name FROM gateway.event_log WHERE user_id = $1 AND seq > $2 ORDER BY seq",
            one.user_id,
            one.since,
        )
        log = [(row["seq"], row["name"]) for row in rows]
        if one.events != log:
            wrong.append(f"{one.user_id} after {one.since} {_difference(one.events, log)}")
    return [_sentence(STREAMS, wrong)] if wrong else []


async def _undrained(bus: Bus, *, letters_expected: bool) -> list[str]:
    left = []
    for queue in TOPOLOGY.queues:
        if depth := await bus.depth(queue.name):
            left.append(f"{depth} messages for {queue.name}")
        if letters_expected:
            continue
        left += [
            f"dead letter {letter.routing_key} of {queue.name}: {letter.reason}"
            for letter in await bus.dead_letters(queue.name)
        ]
    return [_sentence(QUEUES, left)] if left else []


def _sentence(rule: str, offenders: Sequence[str]) -> str:
    named = "; ".join(offenders[:NAMED])
    more = f" and {len(offenders) - NAMED} more" if len(offenders) > NAMED else ""
    return f"Broken: {rule} {named}{more}"


def _difference(seen: Sequence[tuple[int, str]], log: Sequence[tuple[int, str]]) -> str:
    missed = sorted(set(log) - set(seen))
    invented = sorted(set(seen) - set(log))
    if missed or invented:
        return f"missed {missed[:NAMED]}, and saw {invented[:NAMED]} that are not in it"
    if len(seen) > len(log):
        return f"saw {sorted({one for one in seen if seen.count(one) > 1})[:NAMED]} again"
    return "saw the right events in another order"

"""Every crash point, in whosever hands: killed there, started again, nothing lost or doubled.

The places are listed by real runs that write down what they pass: of use, of trouble, of a stop and
of a first start.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

from common.crash_points import CRASH_POINTS
from tests.support.mischief import Mischief
from tests.support.system import wait_until_ready
from tests.support.trials import Script, Trial, stop, survives, trouble, use
from tests.support.victim import KILLED, Victim

pytestmark = [pytest.mark.fault, pytest.mark.timeout(7200)]

ELSEWHERE = {"letter.redriven"}
"""Reached by whoever redrives, no host: see `test_letters`."""
ONE_STATEMENT = {"postgres": {"delivery.moved"}}
"""On Postgres a message moves to its rung or among the dead letters by the statement that settles
it, so there is no moment between."""
AT_THE_START = ("bootstrap.", "migration.", "topology.")
ATTEMPTS = 3
SLOW = Mischief(seed=1, copies=1, delay=1.5, again=0.0, failure=0.0, error=0.0)
"""Deliveries that a stop finds in hand, and that outlast its grace."""


@dataclass(frozen=True)
class Part:
    """A script, and how often it passes which spots."""

    script: Script
    passed: Mapping[str, int]


async def test_a_host_killed_at_any_crash_point_loses_and_doubles_nothing(victims, fault, request):
    chance = random.Random(fault.seed)
    async with victims() as victim:
        trial = Trial(victim, fault.seed)
        try:
            victim.start()
            parts = [await recorded(trial, script) for script in (use, trouble)]
            stopping = await recorded_stop(trial)
            spots = chosen([*parts, stopping], fault.points, fault.only, chance)
            reached = {point_of(spot) for spot, _ in spots}
            failures, missed, killed = [], [], set()
            for part in (*parts, stopping):
                victim.options = replace(
                    victim.options,
                    grace=0.2 if part is stopping else 10.0,
                    mischief=SLOW if part is stopping else None,
                )
                await asyncio.to_thread(victim.stop)
                await asyncio.to_thread(victim.start)
                for spot, owner in spots:
                    if owner is not part:
                        continue
                    started = time.monotonic()
                    print(spot, end=" ", flush=True)
                    if await killed_at(trial, part, spot, chance):
                        killed.add(point_of(spot))
                    else:
                        missed.append(spot)
                    if broken := await trial.broken():
                        failures.append((spot, broken))
                        print(broken, end=" ")
                    print(f"{time.monotonic() - started:.1f} s", flush=True)
        finally:
            await trial.close()
    name = request.node.callspec.params["victims"]
    fault.note(**{f"crash points killed and survived on {name}": trial.killed - len(failures)})
    fault.note(**{f"crash points of {name} not passed again": len(missed)})
    print("\n".join(f"not passed again: {spot}" for spot in missed))
    assert spots, f"no crash point that was passed contains {fault.only!r}"
    # By chance a few spots are not passed again; were nobody killed, nothing would be proved.
    assert trial.killed > 0
    assert len(missed) <= len(spots) // 4, missed
    assert not failures, "\n".join(
        f"{spot}: {' '.join(broken)}\n  replay: {fault.replay(spot)}" for spot, broken in failures
    )
    if not fault.only:
        applicable = set(CRASH_POINTS) - ELSEWHERE - ONE_STATEMENT.get(name, set())
        everywhere = {point for point in applicable if not point.startswith(AT_THE_START)}
        assert everywhere <= reached, everywhere - reached
        # Of the one spot that a short run tries of each point, chance may take one.
        assert fault.points or everywhere <= killed, everywhere - killed


async def test_a_host_killed_at_any_point_of_its_first_start_starts_all_the_same(
    victims, fault, request
):
    async with victims(empty=True) as victim:
        spots = await first_start(victim)
    points = {point_of(spot) for spot in spots}
    assert {point for point in CRASH_POINTS if point.startswith(AT_THE_START)} <= points
    if fault.points:
        spots = [spot for spot in spots if spot.startswith(AT_THE_START)][: fault.points]
    async with victims(empty=True) as victim:
        trial = Trial(victim, fault.seed)
        try:
            for spot in spots:
                victim.start_to_die(spot)
                async with asyncio.timeout(60):
                    status = await victim.died()
                assert status == KILLED, f"{spot}: {victim.child.tail()}"
            await asyncio.to_thread(victim.start)
            await use(trial)
            broken = await trial.broken()
        finally:
            await trial.close()
    name = request.node.callspec.params["victims"]
    fault.note(**{f"kills of a first start survived on {name}": len(spots)})
    assert not broken, f"{broken}\n  replay: {fault.replay()}"


async def recorded(trial: Trial, script: Script) -> Part:
    """Play a script, and return what was passed."""
    record = trial.victim.home / f"{script.__name__}.spots"
    await trial.victim.order(record=str(record))
    await script(trial)
    assert await trial.broken() == []
    await trial.victim.order()
    return Part(script, Counter(record.read_text().split("\n")[:-1]))


async def recorded_stop(trial: Trial) -> Part:
    """Stop, start again and return what was passed until the end."""
    record = trial.victim.home / "stop.spots"
    victim = trial.victim
    victim.options = replace(victim.options, grace=0.2, mischief=SLOW)
    await asyncio.to_thread(victim.stop)
    await asyncio.to_thread(victim.start)
    await victim.order(record=str(record))
    playing = asyncio.create_task(stop(trial))
    async with asyncio.timeout(60):
        assert await victim.died() == 0, victim.child.tail()
    await asyncio.to_thread(victim.start)
    await playing
    assert await trial.broken() == []
    return Part(stop, Counter(record.read_text().split("\n")[:-1]))


async def first_start(victim: Victim) -> list[str]:
    """Return what a first start passes, in its order."""
    record = victim.home / "start.spots"
    victim.child.options = replace(victim.options, record=str(record))
    victim.child.start()
    await asyncio.to_thread(wait_until_ready, victim.address, [victim.child])
    victim.kill()
    return list(dict.fromkeys(record.read_text().split("\n")[:-1]))


async def killed_at(trial: Trial, part: Part, spot: str, chance: random.Random) -> bool:
    """Kill at some passing of a spot, or if that does not come again, at the first."""
    for attempt in range(ATTEMPTS):
        nth = 1 if attempt else chance.randint(1, part.passed[spot])
        if await survives(trial, part.script, spot, nth):
            return True
    return False


def chosen(
    parts: Sequence[Part], points: int | None, only: str, chance: random.Random
) -> list[tuple[str, Part]]:
    """Return each spot with the first part that passes it: all, or some of every crash point."""
    owners: dict[str, Part] = {}
    for part in parts:
        for spot in sorted(part.passed):
            owners.setdefault(spot, part)
    spots = [(spot, part) for spot, part in owners.items() if only in spot]
    chance.shuffle(spots)
    if points is not None:
        spots = list(round_robin(spots))[: max(points, len({point_of(s) for s, _ in spots}))]
    return spots


def round_robin(spots: Sequence[tuple[str, Part]]) -> Iterator[tuple[str, Part]]:
    """Iterate over the spots, one of every crash point before the second of any."""
    taken: Counter[str] = Counter()
    ranked = []
    for spot, part in spots:
        taken[point_of(spot)] += 1
        ranked.append((taken[point_of(spot)], spot, part))
    yield from ((spot, part) for _, spot, part in sorted(ranked, key=lambda one: one[0]))


def point_of(spot: str) -> str:
    """Return the crash point of a spot."""
    return spot.partition("@")[0]

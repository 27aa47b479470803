"""Poison among good messages: the good ones finish, the poison is counted, then mended."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from common.bus import Bus, DeadLetter
from common.events.chat import InsightGenerated
from common.unit_of_work import Unit
from tests.benchmarks.figures import SEED, Figures, size
from tests.benchmarks.pipeline import QUEUE, note_effect, pipeline
from tests.support.databases import FreshDatabase

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

GOOD = size("GOOD", 10_000)
POISON = size("POISON", 100)
ATTEMPTS = 3
BUGS = (KeyError("sector"), ZeroDivisionError("no shares"), ValueError("a weight above 1"))


@dataclass
class Fragile:
    """A handler with three bugs, each met by some messages after it has begun to write."""

    poison: frozenset[int]
    mended: bool = False

    async def __call__(self, event: InsightGenerated, store: Any, unit: Unit) -> None:
        await note_effect(event, store, unit)
        number = event.insight_id.int
        if number in self.poison and not self.mended:
            raise BUGS[number % len(BUGS)]


async def dead(bus: Bus, count: int) -> list[DeadLetter]:
    """Return the dead letters once there are this many."""
    async with asyncio.timeout(300):
        while len(letters := await bus.dead_letters(QUEUE, limit=2 * count)) < count:
            await asyncio.sleep(0.5)
    return letters


@pytest.mark.parametrize(
    "transport", ["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]
)
async def test_poison_is_set_aside_and_done_after_the_fix(
    database: FreshDatabase, transport: str, figures: Figures, request: pytest.FixtureRequest
):
    broker = request.getfixturevalue("rabbit_url") if transport == "rabbitmq" else ""
    alone, everything = range(GOOD // 5), range(GOOD // 5, GOOD // 5 + GOOD + POISON)
    handler = Fragile(frozenset(random.Random(SEED).sample(everything, POISON)))
    async with pipeline(database, broker) as line, line.consuming(handler):
        started = time.perf_counter()
        await asyncio.gather(line.produce(alone), line.until_taken(len(alone)))
        undisturbed = len(alone) / (time.perf_counter() - started)

        started = time.perf_counter()
        await asyncio.gather(
            line.produce(everything), line.until_taken(len(alone) + GOOD, seconds=900)
        )
        rate = GOOD / (time.perf_counter() - started)
        letters = await dead(line.bus, POISON)
        all_dead = time.perf_counter() - started
        causes = Counter(letter.reason for letter in letters)
        assert {letter.attempts for letter in letters} == {ATTEMPTS}
        assert causes == Counter(
            f"{type(bug).__name__}: {bug}"
            for bug in (BUGS[number % len(BUGS)] for number in handler.poison)
        )
        before = await line.effects()
        assert before == dict.fromkeys({*alone, *everything} - handler.poison, 1)

        handler.mended = True
        started = time.perf_counter()
        assert await line.bus.redrive(QUEUE) == POISON
        await line.until_taken(len(alone) + GOOD + POISON)
        mended = time.perf_counter() - started
        assert await line.bus.redrive(QUEUE) == 0
        assert await line.bus.depth(QUEUE) == 0
        assert await line.effects() == dict.fromkeys([*alone, *everything], 1)

    figures.add(
        f"{POISON} poison among {GOOD:,} good messages, {transport}",
        f"good ones **{rate:,.0f}/s** ({rate / undisturbed:.2f} of the rate without poison); "
        f"{len(letters)} dead letters of {len(causes)} causes after {all_dead:.1f} s, "
        f"{ATTEMPTS} attempts each; redriven after the fix in {mended:.2f} s; "
        "lost 0, doubled 0",
    )

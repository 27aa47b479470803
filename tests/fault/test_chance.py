"""What goes by chance, from a seed: kills at random moments, and every mischief of wires."""

import asyncio
import random
from dataclasses import replace

import pytest

from tests.support.crowd import a_day
from tests.support.mischief import Mischief
from tests.support.trials import Trial, calculator_of, kill

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]

PEOPLE = 6
KILLS = 4


async def test_a_host_killed_at_random_moments_loses_and_doubles_nothing(victims, fault, round_):
    chance = random.Random(fault.seed)
    async with victims() as victim:
        trial = Trial(victim, fault.seed)
        try:
            victim.start()
            days = [asyncio.create_task(a_day(trial.crowd)) for _ in range(PEOPLE)]
            for _ in range(KILLS):  # in the middle, and again while it catches up
                await asyncio.sleep(chance.uniform(0.05, 1.5))
                victim.kill()
                await trial.start_again()
            broken = await trial.broken(days)
        finally:
            await trial.close()
    fault.note(**{"kills at random moments survived": KILLS})
    assert not broken, f"{broken}\n  replay: {fault.replay()}"


async def test_multiplied_shuffled_delayed_repeated_and_misreported_messages_change_nothing(
    victims, fault, round_
):
    async with victims() as victim:
        victim.options = replace(victim.options, mischief=Mischief(fault.seed))
        trial = Trial(victim, fault.seed)
        try:
            victim.start()
            days = [asyncio.create_task(a_day(trial.crowd)) for _ in range(PEOPLE)]
            broken = await trial.broken(days)
        finally:
            await trial.close()
    fault.note(**{"rounds of mischief survived": 1})
    assert not broken, f"{broken}\n  replay: {fault.replay()}"


async def test_mischief_and_kills_together_change_nothing(victims, fault, round_):
    chance = random.Random(fault.seed)
    async with victims() as victim:
        mischief = Mischief(fault.seed)
        victim.options = replace(victim.options, mischief=mischief)
        trial = Trial(victim, fault.seed)
        days: list[asyncio.Task[None]] = []
        try:
            victim.start()
            for kill_number in range(KILLS):
                days += [asyncio.create_task(a_day(trial.crowd)) for _ in range(2)]
                await asyncio.sleep(chance.uniform(0.5, 3.0))
                victim.kill()
                another = replace(mischief, seed=fault.seed + 1000 * (kill_number + 1))
                victim.options = replace(victim.options, mischief=another)
                await trial.start_again()
            broken = await trial.broken(days)
        finally:
            await trial.close()
    fault.note(**{"kills under mischief survived": KILLS})
    assert not broken, f"{broken}\n  replay: {fault.replay()}"


async def test_a_calculating_process_killed_again_and_again_costs_no_result(victims, fault, round_):
    chance = random.Random(fault.seed)
    async with victims() as victim:
        trial = Trial(victim, fault.seed)
        killed = 0
        try:
            victim.start()
            days = [asyncio.create_task(a_day(trial.crowd)) for _ in range(PEOPLE)]
            while not all(day.done() for day in days):
                await asyncio.sleep(chance.uniform(0.05, 0.6))
                if calculator := await calculator_of(victim):
                    killed += 1
                    kill(calculator)
            broken = await trial.broken(days)
        finally:
            await trial.close()
    fault.note(**{"kills of a calculating process survived": killed})
    assert killed
    assert not broken, f"{broken}\n  replay: {fault.replay()}"

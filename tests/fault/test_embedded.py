"""The embedded Postgres under a host: both die with either, and come back with all they held."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.crowd import a_day
from tests.support.nursery import Nursery
from tests.support.trials import Trial
from tests.support.victim import Victim

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]

PEOPLE = 4
KILLS = 3


@pytest.fixture
async def trial(nursery: Nursery, tmp_path: Path, fault) -> AsyncIterator[Trial]:
    """A running host with everything inside."""
    victim = Victim(nursery, tmp_path / "home")
    try:
        await asyncio.to_thread(victim.start)
        trial = Trial(victim, fault.seed)
        yield trial
        await trial.close()
    finally:
        victim.kill()


def postmaster(victim: Victim) -> int:
    return int((victim.home / "postgres" / "postmaster.pid").read_text().splitlines()[0])


async def test_the_host_says_that_postgres_ended_and_a_new_start_loses_nothing(
    trial: Trial, fault, round_
):
    chance = random.Random(fault.seed)
    days = [asyncio.create_task(a_day(trial.crowd)) for _ in range(PEOPLE)]
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        os.kill(postmaster(trial.victim), signal.SIGKILL)
        async with asyncio.timeout(60):
            assert await trial.victim.died() == 1
        assert "Postgres ended" in trial.victim.child.tail()
        await trial.start_again()
    broken = await trial.broken(days)
    fault.note(**{"kills of the embedded Postgres survived": KILLS})
    assert not broken, f"{broken}\n  replay: {fault.replay()}"


async def test_a_host_killed_with_its_postgres_loses_nothing(trial: Trial, fault, round_):
    chance = random.Random(fault.seed)
    days = [asyncio.create_task(a_day(trial.crowd)) for _ in range(PEOPLE)]
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        trial.victim.kill()
        await trial.start_again()
    broken = await trial.broken(days)
    fault.note(**{"kills of a host with its Postgres survived": KILLS})
    assert not broken, f"{broken}\n  replay: {fault.replay()}"

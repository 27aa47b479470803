"""Loops that go on, and end when they are told to."""

import asyncio

import pytest

from common.errors import Unavailable
from common.loops import forever


async def test_a_loop_outlives_what_fails_and_ends_when_it_is_stopped():
    turns: list[int] = []
    stop = asyncio.Event()

    async def turn() -> None:
        turns.append(len(turns))
        if len(turns) == 1:
            raise Unavailable("away")
        if len(turns) == 2:
            raise KeyError("bug")
        stop.set()

    async with asyncio.timeout(5):
        await forever("test", turn, pause=0.001, until=stop)
    assert turns == [0, 1, 2]


async def test_a_loop_that_is_cancelled_ends_though_a_turn_took_that_for_its_own():
    begun = asyncio.Event()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1
        begun.set()
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            # As wait_for of Python 3.11 does when its future is done in the same moment.
            return

    task = asyncio.create_task(forever("test", turn))
    await begun.wait()
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert turns == 1

"""One process of a service, as its supervisor sees it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.processes.child import Child

ENDS_WELL = "trap '' TERM; exit 0"
CHILDREN = 20


async def test_a_child_that_is_told_to_stop_just_as_it_ends_keeps_its_status(tmp_path: Path):
    for _ in range(CHILDREN):
        process = await asyncio.create_subprocess_exec("/bin/sh", "-c", ENDS_WELL)
        ours, theirs = socket.socketpair()
        with theirs:
            child = Child("auth", process, ours, tmp_path / "auth.log", 0)
            ended = asyncio.create_task(child.ended())
            while not ended.done():
                child.tell_to_stop()
                await asyncio.sleep(0)
            assert await ended in {0, -15}


@asynccontextmanager
async def ended(log: Path, script: str) -> AsyncIterator[Child]:
    process = await asyncio.create_subprocess_exec("/bin/sh", "-c", script)
    ours, theirs = socket.socketpair()
    with theirs:
        child = Child("auth", process, ours, log, 0)
        await child.ended()
        yield child


@pytest.mark.parametrize(("number", "name"), [(9, "Killed"), (36, "Real-time signal 2")])
async def test_the_last_words_of_one_that_was_killed_are_what_killed_it(
    tmp_path: Path, number: int, name: str
):
    log = tmp_path / "auth.log"
    log.write_text("a line from before\n")
    async with ended(log, f"kill -{number} $$") as child:
        assert child.last_words() == f"ended by signal {number}: {name}"


async def test_the_sentence_of_one_that_cannot_start_outlasts_the_signal_that_ended_it(
    tmp_path: Path,
):
    log = tmp_path / "auth.log"
    log.write_text("auth: the database does not answer\na line after it\n")
    async with ended(log, "kill -9 $$") as child:
        assert child.last_words() == "auth: the database does not answer"

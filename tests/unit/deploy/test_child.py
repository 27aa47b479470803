"""One process of a service, as its supervisor sees it."""

import asyncio
import socket
from pathlib import Path

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


async def test_the_last_words_of_one_that_was_killed_are_the_signal_that_killed_it(tmp_path: Path):
    log = tmp_path / "auth.log"
    log.write_text("a line from before\n")
    process = await asyncio.create_subprocess_exec("/bin/sh", "-c", "kill -KILL $$")
    ours, theirs = socket.socketpair()
    with theirs:
        child = Child("auth", process, ours, log, 0)
        assert await child.ended() == -9
    assert child.last_words() == "killed by SIGKILL"

"""One process of a service, as its supervisor sees it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.processes.child import Child
from deploy.processes.plan import Door
from deploy.processes.post import Post

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


async def test_the_last_words_of_one_whose_log_was_moved_away_are_that_nobody_can_read_it(
    tmp_path: Path,
):
    """As by a logrotate that makes no new one; raised, it would end the supervisor and all."""
    gone = tmp_path / "logs" / "auth.log"
    async with ended(gone, "exit 1") as child:
        assert child.last_words() == "its log cannot be read: No such file or directory"
    async with ended(gone, "kill -9 $$") as child:
        assert child.last_words() == "ended by signal 9: Killed"


@asynccontextmanager
async def started(log: Path) -> AsyncIterator[Child]:
    """Lend a process that can only say that it lacks its settings, once it has ended."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = await Child.start("auth", listener, {}, log)
        await child.ended()
        yield child


async def test_the_directory_of_a_log_is_made_again(tmp_path: Path):
    log = tmp_path / "logs" / "auth.log"
    async with started(log) as child:
        assert child.status != 0
        assert child.last_words() in log.read_text()


async def test_a_log_that_has_grown_large_is_moved_aside_at_a_start(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("deploy.processes.child.LOG_BYTES", 100)
    log, before = tmp_path / "auth.log", tmp_path / "auth.log.1"
    before.write_text("long ago\n")
    log.write_text("small\n")
    async with started(log):
        assert log.read_text().startswith("small\n")
        assert before.read_text() == "long ago\n"
    log.write_text("large" * 100)
    async with started(log) as child:
        assert before.read_text() == "large" * 100
        assert "large" not in log.read_text()
        assert child.last_words() in log.read_text()


async def test_a_process_that_cannot_be_started_replaces_nobody_and_ends_nobody(tmp_path: Path):
    (tmp_path / "logs").write_text("a file in the place of the directory")
    door = Door("auth", "127.0.0.1", 0)
    try:
        post = Post(door, {}, tmp_path / "logs" / "auth.log")
        assert not await post.replace()
        assert not post.staffed
    finally:
        door.close()

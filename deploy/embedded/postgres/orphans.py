"""Servers that a killed host left behind: found by their data directory, ended before a new start.

Call only while holding the home's lock, which proves that no living host wants them.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT, Signals

from deploy.embedded.postgres.errors import PostgresFailed

PATIENCE: tuple[tuple[Signals, float], ...] = ((SIGINT, 20.0), (SIGQUIT, 5.0), (SIGKILL, 5.0))
"""How a server is ended, and the seconds each way may take: fast, at once, by force."""


def end_orphans(data: Path) -> None:
    """End every Postgres process that still works in `data`, and remove a misleading pid file."""
    if not data.exists():
        return
    pid_file = data / "postmaster.pid"
    postmaster = _first_number(pid_file)
    for stop_signal, seconds in PATIENCE:
        orphans = _servers_in(data)
        if stop_signal == SIGINT:  # "fast shutdown" to a postmaster; its children read it otherwise
            orphans &= {postmaster}
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, stop_signal)
        if orphans and _empties(data, seconds):
            break
    if _servers_in(data):
        raise PostgresFailed(
            f"A server of an earlier run still works in {data} and does not end: "
            f"kill process {postmaster}, then start again."
        )
    if _is_alive(postmaster):
        # The number now belongs to a stranger or a zombie, and Postgres would take it for a server.
        # A dead number stays: Postgres checks such a file, and its shared memory, by itself.
        pid_file.unlink(missing_ok=True)


def _empties(data: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _servers_in(data):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _servers_in(data: Path) -> set[int]:
    return _found_in_proc(data) if sys.platform == "linux" else _found_by_ps(data)


def _found_in_proc(data: Path) -> set[int]:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {pid for pid in pids if _works_in(pid, data)}


def _found_by_ps(data: Path) -> set[int]:
    # Shows the directory of a postmaster only; its children end soon after it.
    listing = subprocess.run(
        ["/bin/ps", "-axo", "pid=,command="], check=True, capture_output=True, text=True
    )
    lines = (line.split(maxsplit=1) for line in listing.stdout.splitlines())
    return {int(line[0]) for line in lines if f"postgres -D {data} " in line[-1]}


def _works_in(pid: int, data: Path) -> bool:
    # Each Postgres process makes its data directory the current one.
    process = Path("/proc") / str(pid)
    try:
        is_postgres = (process / "comm").read_text().strip() == "postgres"
        return is_postgres and (process / "cwd").samefile(data)
    except OSError:  # it ended meanwhile, or belongs to another user and so not to this home
        return False


def _first_number(pid_file: Path) -> int:
    if not pid_file.exists():
        return 0
    first = pid_file.read_text().partition("\n")[0].strip()
    # A power cut may leave the file empty, over which Postgres would stumble.
    if not first.isdigit():
        pid_file.unlink()
        return 0
    return int(first)


def _is_alive(pid: int) -> bool:
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True

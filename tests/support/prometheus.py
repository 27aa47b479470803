"""A Prometheus beside a host of all services, set up as the operations guide says."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.system import ROOT, clean_environment, free_port


@contextmanager
def prometheus(home: Path) -> Iterator[str]:
    """Scrape what `targets.json` in the home names; lend the server's address."""
    program = shutil.which("prometheus")
    assert program, "Prometheus is not installed (Debian: apt install prometheus)"
    for file in ("laptop.yml", "alerts.yml"):
        shutil.copy(ROOT / "deploy/prometheus" / file, home)
    address = f"127.0.0.1:{free_port()}"
    with (home / "prometheus.log").open("ab") as output:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={home / 'laptop.yml'}",
                f"--web.listen-address={address}",
                f"--storage.tsdb.path={home / 'prometheus'}",
            ],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_ready(f"http://{address}", process, home / "prometheus.log")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    with httpx.Client(trust_env=False, verify=False) as http:
        while time.monotonic() < deadline:
            assert process.poll() is None, log.read_text()[-2000:]
            with contextlib.suppress(httpx.TransportError):
                if http.get(f"{address}/-/ready").status_code == 200:
                    return
            time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])

"""Memory that a burst of work took goes back to the system."""

import subprocess
import sys

import pytest

BURST = """
import threading
from pathlib import Path

{prepare}

def held():
    rollup = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Rss:")) / 1024

def work(kept):
    # Blocks as large as a panel's columns, then as many again; something small outlives each.
    for _ in range(2):
        blocks = []
        for _ in range(20):
            blocks.append(bytearray(b"x") * 4_000_000)
            kept.append(bytearray(2_000))
        del blocks

before, kept = held(), []
for _ in range(3):
    thread = threading.Thread(target=work, args=(kept,))
    thread.start()
    thread.join()
print(held() - before)
"""


def left_over(prepare: str) -> float:
    """MiB that a process holds after a burst in threads more than before it."""
    program = BURST.format(prepare=prepare)
    return float(subprocess.check_output([sys.executable, "-c", program], text=True))


@pytest.mark.skipif(sys.platform != "linux", reason="sizes are read from /proc")
def test_what_a_thread_leaves_serves_the_next():
    """Each takes 80 MiB; without it 160 stay of three."""
    assert left_over("from common.memory import save_memory; save_memory()") < 90


def test_a_choice_of_arrows_allocator_is_left_alone(monkeypatch):
    program = (
        "from common.memory import save_memory; save_memory(); import os; "
        "print(os.environ['ARROW_DEFAULT_MEMORY_POOL'])"
    )

    def chosen() -> str:
        return subprocess.check_output([sys.executable, "-c", program], text=True).strip()

    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL", raising=False)
    assert chosen() == "system"
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "mimalloc")
    assert chosen() == "mimalloc"

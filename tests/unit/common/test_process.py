"""What a process gives itself before it serves."""

import subprocess
import sys

import pytest

SHOWN = """
import resource
from common import process
process.DESCRIPTORS = 600
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
process.allow_descriptors()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "allowed"),
    [(256, 1_000, 600), (256, 500, 500), (700, 1_000, 700)],
)
def test_a_process_may_have_more_streams_than_shells_allow(soft: int, hard: int, allowed: int):
    ended = subprocess.run(
        [sys.executable, "-c", SHOWN.format(soft=soft, hard=hard)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == f"({allowed}, {hard})"

"""Formulas of the risk engine made wrong on purpose, one at a time: named tests must notice.

Each is tried on a copy of the package, never on the working tree: `make mutate`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import risk_engine
from risk_engine.domain.engines import ENGINES
from tests.mutation.books import BOOKS
from tests.mutation.models import MODELS
from tests.mutation.mutation import Mutation
from tests.mutation.risks import RISKS
from tests.mutation.witness import COPY, REPORT

pytestmark = [pytest.mark.mutation, pytest.mark.timeout(180)]

MUTATIONS = (*BOOKS, *MODELS, *RISKS)
ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(str(risk_engine.__file__)).parent
UNIT = "tests/unit/risk_engine"
PASSED, FAILED = 0, 1


def copied(folder: Path) -> Path:
    """Copy the package, without what was compiled of it, and return where it can be imported."""
    shutil.copytree(
        PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    return folder


def run(tests: Iterable[str], copy: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run unit tests against a copy; return how pytest ended and what the witness saw."""
    report = copy / "report.json"
    command = [sys.executable, "-B", "-m", "pytest", "-q", *arguments]
    command += ["-p", "tests.mutation.witness", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, "--timeout=100", *(f"{UNIT}/{test}" for test in tests)],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
            "PYTHONPATH": str(copy),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(copy / "hypothesis"),
            "REQUIRE_RABBITMQ": "",
            COPY: str(copy),
            REPORT: str(report),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    seen = json.loads(report.read_text())
    assert seen["imported"], "no risk engine was imported"
    assert not seen["strangers"], "a risk engine was tested that is not the copy"
    return done.returncode, seen


def test_every_engine_has_mistakes_to_notice():
    assert {one.engine for one in MUTATIONS} == set(ENGINES)
    assert len(MUTATIONS) >= 16
    assert len({one.name for one in MUTATIONS}) == len(MUTATIONS)


def test_without_a_mistake_the_same_tests_pass(tmp_path):
    tests = sorted({test for one in MUTATIONS for test in one.tests})
    code, seen = run(tests, copied(tmp_path))
    assert (code, seen["caught"], seen["broken"]) == (PASSED, [], [])
    assert seen["collected"] >= len(tests)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[one.name for one in MUTATIONS])
def test_the_mistake_is_noticed(mutation: Mutation, tmp_path):
    copy = copied(tmp_path)
    mutation.apply(copy / PACKAGE.name)
    code, seen = run(mutation.tests, copy, "-x")
    assert mutation.module in seen["imported"]
    # By an answer that is wrong, and not because the mutated code cannot run.
    assert (code, seen["broken"]) == (FAILED, [])
    assert seen["caught"], f"survived: {mutation.why}"

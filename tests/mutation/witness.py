"""A pytest plugin that writes down which risk engine was tested, and what failed for what reason.

Given to a pytest that runs elsewhere: COPY is where its risk engine must come from, REPORT the file
to write.
"""

import json
import os
import sys
from pathlib import Path

import pytest

COPY, REPORT = "MUTATED_COPY", "MUTATION_REPORT"
_caught: list[str] = []
_broken: list[str] = []


def pytest_exception_interact(
    node: pytest.Item | pytest.Collector,
    call: pytest.CallInfo,
    report: pytest.TestReport | pytest.CollectReport,
) -> None:
    """Tell a test that contradicts from one that cannot even run."""
    contradicts = call.excinfo is not None and call.excinfo.errisinstance(AssertionError)
    if contradicts and report.when == "call":
        _caught.append(node.nodeid)
    else:
        _broken.append(f"{node.nodeid}: {call.excinfo}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report."""
    copy = Path(os.environ[COPY])
    files = {
        name: Path(str(module.__file__))
        for name, module in sys.modules.items()
        if name.split(".")[0] == "risk_engine" and getattr(module, "__file__", None)
    }
    seen = {
        "collected": session.testscollected,
        "caught": _caught,
        "broken": _broken,
        "imported": sorted(name for name, file in files.items() if file.is_relative_to(copy)),
        "strangers": sorted(name for name, file in files.items() if not file.is_relative_to(copy)),
    }
    Path(os.environ[REPORT]).write_text(json.dumps(seen))

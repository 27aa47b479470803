"""The rules that a machine keeps, each broken here on purpose and seen caught."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from common.events import COMMANDS, EVENTS
from common.events.topology import TOPOLOGY
from common.settings import SERVICES, schema_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "common": ROOT / "libs/common/common",
    "simulator": ROOT / "libs/simulator/simulator",
    "deploy": ROOT / "deploy",
    **{schema_of(name): ROOT / "services" / name / schema_of(name) for name in SERVICES},
}

BREAKS = {
    # contract id -> (file, offending line, what the report must name)
    "islands": ("auth/handlers.py", "from onboarding import domain", "auth.handlers -> onboarding"),
    "rooms": ("auth/domain/accounts.py", "import auth.repository", "auth.domain.accounts -> auth"),
    "exhaustive": ("scheduler/utils.py", "", "scheduler.utils"),
    "quant": ("risk_engine/quant/broken.py", "import sqlalchemy", "risk_engine.quant.broken"),
    "pure": ("chat/domain.py", "import httpx", "chat.domain -> httpx"),
    "language": ("common/events/auth.py", "import common.errors", "common.events.auth -> common"),
    "tables": ("auth/handlers.py", "import auth.tables", "auth.handlers -> auth.tables"),
    "settings": ("auth/api.py", "import auth.settings", "auth.api -> auth.settings"),
    "simulator": ("marketdata/jobs.py", "import simulator", "marketdata.jobs -> simulator"),
    "cli": ("deploy/cli/demo.py", "import gateway.main", "deploy.cli.demo -> gateway.main"),
    "processes": ("deploy/processes/plan.py", "import auth.main", "deploy.processes.plan -> auth"),
    "hidden": (
        "onboarding/api.py",
        "def broken():\n    from marketdata import domain",
        "onboarding.api -> marketdata",
    ),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_the_code_keeps_every_import_rule_and_each_rule_is_seen_to_catch_its_breach(tmp_path):
    """One tree with every rule broken at once: a rule that nobody saw fail protects nothing."""
    assert lint(ROOT).returncode == 0, lint(ROOT).stdout
    for name, source in PACKAGES.items():
        shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line, _ in BREAKS.values():
        path = _module(tmp_path / file)
        path.write_text(f"{path.read_text() if path.exists() else ''}\n{line}\n")
    broken = lint(tmp_path)
    report = broken.stdout.replace("\n", " ")
    missed = [rule for rule, (_, _, named) in BREAKS.items() if named not in report]
    assert broken.returncode != 0
    assert missed == [], broken.stdout


def _module(path: Path) -> Path:
    """Return the file of a module that may have grown into a package."""
    package = path.with_suffix("") / "__init__.py"
    return package if package.exists() else path


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


IMPURE = {
    "asyncio",
    "datetime",
    "logging",
    "os",
    "pathlib",
    "random",
    "socket",
    "threading",
    "time",
}


@pytest.mark.parametrize("path", sorted((PACKAGES["risk_engine"] / "quant").rglob("*.py")), ids=str)
def test_quant_imports_numpy_scipy_and_pure_standard_library_only(path):
    allowed = {"numpy", "scipy", "risk_engine"} | (sys.stdlib_module_names - IMPURE)
    assert imported(path) <= allowed


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_subscribes_to_exactly_what_its_queue_is_given(name):
    contracts = {contract.routing_key() for contract in (*EVENTS, *COMMANDS)}
    wanted = {
        key
        for queue in TOPOLOGY.queues
        if queue.name == name
        for key in contracts
        if queue.wants(key)
    }
    package = schema_of(name)
    has_handlers = (PACKAGES[package] / "handlers.py").exists() or (
        PACKAGES[package] / "handlers"
    ).exists()
    subscriptions = import_module(f"{package}.handlers").SUBSCRIPTIONS if has_handlers else ()
    assert {contract.routing_key() for contract, _ in subscriptions} == wanted


def test_every_contract_has_a_distinct_name_and_every_pattern_matches_something():
    keys = [contract.routing_key() for contract in (*EVENTS, *COMMANDS)]
    assert len(keys) == len(set(keys))
    for queue in TOPOLOGY.queues:
        for pattern in queue.patterns:
            alone = type(queue)("alone", (pattern,))
            assert any(alone.wants(key) for key in keys), f"{queue.name}: {pattern}"


@pytest.mark.parametrize("name", ["common", "simulator", *(schema_of(name) for name in SERVICES)])
def test_a_member_declares_what_it_imports(name):
    """A shared environment hides a missing dependency; an image of one service would not start."""
    from importlib.metadata import packages_distributions

    manifest = tomllib.loads((PACKAGES[name].parent / "pyproject.toml").read_text())["project"]
    extras = manifest.get("optional-dependencies", {}).values()
    stated = [*manifest["dependencies"], *(each for extra in extras for each in extra)]
    declared = {_distribution(requirement) for requirement in stated}
    own = {package: [f"sigmasight-{package.replace('_', '-')}"] for package in PACKAGES}
    distributions = {**packages_distributions(), **own}
    undeclared = {
        module
        for path in PACKAGES[name].rglob("*.py")
        for module in imported(path) - sys.stdlib_module_names - {name}
        if not {_distribution(each) for each in distributions.get(module, [module])} & declared
        # Starlette is FastAPI's own ground, pydantic's and SQLAlchemy's drivers are theirs.
        and module != "starlette"
    }
    assert undeclared == set()


def _distribution(requirement: str) -> str:
    for mark in "[<>=;! ":
        requirement = requirement.split(mark, maxsplit=1)[0]
    return requirement.lower().replace("_", "-")


def test_the_gateway_installs_no_numpy():
    lock = (ROOT / "deploy/locks/gateway.txt").read_text()
    assert "fastapi==" in lock
    assert "numpy==" not in lock


def test_lock_files_name_no_host():
    for path in [*ROOT.glob("requirements*.lock"), *(ROOT / "deploy/locks").glob("*.txt")]:
        assert "://" not in path.read_text(), path

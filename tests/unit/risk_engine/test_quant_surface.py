"""The public surface of `quant`: what engines use, and what is said to stand beside it."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import risk_engine
from risk_engine import quant

PACKAGE = Path(risk_engine.__file__).parent
MODULES = {path.stem: path for path in (PACKAGE / "quant").glob("[a-z]*.py")}
SOURCES = {path: path.read_text() for path in PACKAGE.rglob("*.py")}
BESIDE = [(module, name) for module, names in quant.BESIDE_THE_ENGINES.items() for name in names]


def public(module: str) -> list[str]:
    tree = ast.parse(SOURCES[MODULES[module]])
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [one.name for one in tree.body if isinstance(one, kinds) and one.name[0] != "_"]


def is_used(module: str, name: str) -> bool:
    """Say whether another module of the service has the name, or its own beside the definition."""
    word = re.compile(rf"\b{name}\b")
    own = MODULES[module]
    elsewhere = (text for path, text in SOURCES.items() if path not in (own, Path(quant.__file__)))
    return any(map(word.search, elsewhere)) or len(word.findall(SOURCES[own])) > 1


@pytest.mark.parametrize("module", sorted(MODULES))
def test_what_no_engine_needs_is_there_on_purpose(module):
    unused = {name for name in public(module) if not is_used(module, name)}
    assert unused == set(quant.BESIDE_THE_ENGINES.get(module, ()))


@pytest.mark.parametrize(("module", "name"), BESIDE)
def test_what_stands_beside_the_engines_exists(module, name):
    assert callable(getattr(importlib.import_module(f"risk_engine.quant.{module}"), name))


def test_every_module_is_placed_by_its_subject():
    placed = re.findall(r"`(\w+)`", (quant.__doc__ or "").split("\n- ", 1)[1])
    assert set(placed) - {"BESIDE_THE_ENGINES"} == set(MODULES)

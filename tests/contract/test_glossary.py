"""Whoever reads a number of a result finds its name in the glossary or the methodology."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from deploy.embedded.documents import ROOT
from risk_engine.schemas.engines import EngineOut

DOCS = ROOT / "docs"
PAGES = (DOCS / "glossary.md", DOCS / "methodology.md", *sorted(DOCS.glob("methodology/*.md")))
WRITTEN = "\n".join(page.read_text() for page in PAGES)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    for part in get_args(annotation):
        yield from models_in(part)
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)


def is_number(annotation: Any) -> bool:
    return annotation in (int, float) or any(is_number(part) for part in get_args(annotation))


def is_named(field: str, text: str) -> bool:
    """Say whether the text has the field as it is spelled or as words, and whole."""
    spelled = rf"(?<![A-Za-z0-9_]){field.replace('_', '[_ -]')}(?![A-Za-z0-9_])"
    return re.search(spelled, text, re.IGNORECASE) is not None


NUMBERS = sorted(
    {
        name
        for model in models_in(EngineOut)
        for name, field in model.model_fields.items()
        if is_number(field.annotation)
    }
)


@pytest.mark.parametrize("field", NUMBERS)
def test_every_number_of_a_result_is_named_in_the_documents(field):
    assert is_named(field, WRITTEN), f"explain {field} in docs/glossary.md or on its page"


def test_the_numbers_of_all_engines_are_looked_at():
    some = {"net_asset_value", "gamma", "delta_adjusted", "factor_share", "value_at_risk"}
    assert len(some & set(NUMBERS)) >= 4
    assert len(NUMBERS) > 250


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("the `total_pnl` of a book", True),
        ("Total P&L", False),
        ("total pnl, gain positive", True),
        ("sub_total_pnl", False),
        ("total_pnl_percent", False),
    ],
)
def test_a_part_of_a_longer_name_is_not_the_name(text, named):
    assert is_named("total_pnl", text) is named
